"""docs/edge-cases.md names every row and every test that is named after one, and no others."""

import re

from tests.integration.edge_cases.report import DOCUMENT, ROOT, edge_case_tests
from tests.integration.edge_cases.rows import ELSEWHERE, NOT_OURS, SITUATIONS

HEADING = re.compile(r"^## E(\d+): (.+)$", re.MULTILINE)
TEST = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def documented() -> dict[int, set[tuple[str, str]]]:
    """The tests of each row, as the document has them."""
    parts = HEADING.split(DOCUMENT.read_text(encoding="utf-8"))
    return {int(row): set(TEST.findall(text)) for row, text in zip(parts[1::3], parts[3::3], strict=True)}


def test_every_row_has_a_test_or_says_why_not() -> None:
    """Rows are proved by name here, by a test file elsewhere, or made void by the design."""
    named = {test.row for test in edge_case_tests()}
    assert named <= SITUATIONS.keys()
    assert named | ELSEWHERE.keys() | NOT_OURS.keys() == SITUATIONS.keys()
    assert all((ROOT / file).is_file() for files in ELSEWHERE.values() for file in files)


def test_every_test_says_what_it_proves() -> None:
    """Its docstring is the sentence in the document."""
    assert [test.name for test in edge_case_tests() if not test.sentence.endswith(".")] == []


def test_the_document_is_current() -> None:
    """`make docs` writes it; the names of rows and tests in it are those in the code."""
    expected: dict[int, set[tuple[str, str]]] = {row: set() for row in SITUATIONS}
    for test in edge_case_tests():
        expected[test.row].add((test.module, test.name))
    assert documented() == expected
    text = DOCUMENT.read_text(encoding="utf-8")
    assert dict(HEADING.findall(text)) == {str(row): situation for row, situation in SITUATIONS.items()}
    assert all(file in text for files in ELSEWHERE.values() for file in files)
