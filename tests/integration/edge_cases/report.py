"""Write ``docs/edge-cases.md`` from a run of the tests in this folder.

Run it as ``python -m tests.integration.edge_cases.report``.

The exit status is 1, and nothing is written, if a test fails.
"""

import ast
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests.integration.edge_cases.rows import ELSEWHERE, NOT_OURS, RECORD_VARIABLE, SITUATIONS, TEST_NAME

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[2]
DOCUMENT = ROOT / "docs/edge-cases.md"
MAX_CELL = 200
"""Characters of a cell: a longer one is not read."""
CASE = re.compile(r"^[A-Z]\d+(?:, [A-Z]\d+)*: ")
"""The case that a docstring begins with: of a list that readers of the document do not have."""
INTRODUCTION = """\
# Edge cases

What the server does in situations that production meets. What stands under *behaviour* is proved by the test
beside it, over real sockets, between the real server and the mocks. *Seen* is what the server answered in the run
that wrote this page (`make docs`); a dash means that the test is not about an answer.

A skip is a 200: the event is provably not scorable, and nothing is sent. [Errors](errors.md) lists all codes.
"""


@dataclass(frozen=True, slots=True)
class EdgeCaseTest:
    """A test named after a row."""

    row: int
    name: str
    module: str
    sentence: str
    fails_by_design: bool
    """It is marked as expected to fail: the behaviour is not there yet."""


def edge_case_tests() -> Iterator[EdgeCaseTest]:
    """Yield the tests of this folder, in the order of rows and lines."""
    found = []
    for module in sorted(FOLDER.glob("test_*.py")):
        for node in ast.parse(module.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            name = TEST_NAME.fullmatch(node.name)
            if name is not None:
                marked = any("xfail" in ast.unparse(decorator) for decorator in node.decorator_list)
                sentence = CASE.sub("", " ".join((ast.get_docstring(node) or "").split()))
                sentence = sentence[:1].upper() + sentence[1:]
                found.append(EdgeCaseTest(int(name[1]), node.name, module.name, sentence, marked))
    yield from sorted(found, key=lambda test: test.row)


def write(seen: dict[str, list[str]]) -> str:
    """Return the document."""
    tests = list(edge_case_tests())
    parts = [INTRODUCTION]
    for row, situation in SITUATIONS.items():
        parts.append(f"\n## E{row}: {situation}\n\n")
        if row in NOT_OURS:
            parts.append(f"{NOT_OURS[row]}\n")
        of_row = [test for test in tests if test.row == row]
        if of_row:
            parts.append("| behaviour | seen | test |\n| --- | --- | --- |\n")
        parts.extend(_line(test, seen.get(test.name, [])) for test in of_row)
        if row in ELSEWHERE:
            more = "More of it is" if of_row else "It is"
            files = ", ".join(f"`{file}`" for file in ELSEWHERE[row])
            parts.append(f"{chr(10) if of_row else ''}{more} held by {files}.\n")
    return "".join(parts)


def _line(test: EdgeCaseTest, answers: list[str]) -> str:
    shown = [answer.replace("|", "\\|") for answer in answers]
    while len("<br>".join(shown)) > MAX_CELL:
        shown = [*shown[: -2 if shown[-1] == "…" else -1], "…"]
    cell = "<br>".join(shown) or "—"
    note = " **Not so yet.**" if test.fails_by_design else ""
    return f"| {test.sentence}{note} | {cell} | `{test.module}::{test.name}` |\n"


def main() -> int:
    """Run the tests, and write the document from what they saw."""
    with tempfile.TemporaryDirectory() as folder:
        record = Path(folder) / "seen.jsonl"
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(FOLDER), f"--ignore={FOLDER / 'test_document.py'}"],
            cwd=ROOT,
            env=os.environ | {RECORD_VARIABLE: str(record)},
            check=False,
        )
        if ended.returncode != 0:
            return 1
        seen: dict[str, list[str]] = {}
        for line in record.read_bytes().splitlines():
            found = orjson.loads(line)
            known = seen.setdefault(found["test"], [])
            known += [answer for answer in found["answers"] if answer not in known]
    DOCUMENT.write_text(write(seen), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
