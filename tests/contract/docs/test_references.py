"""What comments and docstrings refer to exists: decisions by number, edge cases by number, documents by path."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
FOLDERS = (
    ".pipeline",
    "charts",
    "docs",
    "mock_eventgate",
    "mock_mediawiki",
    "model_server",
    "revertrisk",
    "schemas",
    "tests",
)
FILES = [
    path
    for path in sorted(
        [*ROOT.glob("*.*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.*"))]
    )
    if path.suffix in {".py", ".md", ".yaml", ".toml", ".js", ".tpl", ".sh"}
]
TEXTS = {path.relative_to(ROOT): path.read_text() for path in FILES if path.name != Path(__file__).name}
DESIGN = re.compile(r"\bDESIGN (\d+)")
EDGE_CASE = re.compile(r"\((?:[^()]*[ ,])?(E\d+)(?:[ ,][^()]*)?\)")
DOCUMENT = re.compile(r"\bdocs/((?:[\w-]+/)*[\w-]+(?:\.(?:md|ya?ml|py|png|ipynb|sql|html))?)(?![\w/*])")


def referred(pattern: re.Pattern[str]) -> set[tuple[str, str]]:
    """Return what each file refers to by a pattern."""
    return {(str(path), found) for path, text in TEXTS.items() for found in pattern.findall(text)}


def test_each_decision_that_is_cited_is_in_the_design() -> None:
    """``DESIGN n`` is a number in docs/design.md, and the numbers there have no gap."""
    numbers = re.findall(r"^(\d+)\. ", (ROOT / "docs" / "design.md").read_text(), re.MULTILINE)
    assert numbers == [str(number + 1) for number in range(len(numbers))]
    assert {(path, n) for path, n in referred(DESIGN) if n not in numbers} == set()


def test_each_edge_case_that_is_cited_is_documented() -> None:
    """``E n`` is a row of docs/edge-cases.md."""
    known = set(re.findall(r"\bE\d+\b", (ROOT / "docs" / "edge-cases.md").read_text()))
    assert {(path, case) for path, case in referred(EDGE_CASE) if case not in known} == set()


def test_each_document_that_is_named_is_there() -> None:
    """``docs/…`` is a file, a folder, or a decision by the number that its name begins with."""
    missing = {
        (path, name)
        for path, name in referred(DOCUMENT)
        if not (ROOT / "docs" / name).exists()
        and not (re.fullmatch(r"decisions/\d{4}", name) and list((ROOT / "docs").glob(f"{name}-*.md")))
    }
    assert missing == set()


@pytest.mark.parametrize("path", [path for path in TEXTS if path.suffix == ".md"], ids=str)
def test_file_names_of_documents_are_in_one_style(path: Path) -> None:
    """Small letters and hyphens; in capitals are files that every project has, and the contract of the streams."""
    known = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "MODEL_CARD.md", "STREAM.md"}
    assert path.name in known or re.fullmatch(r"[a-z0-9-]+\.md", path.name)
