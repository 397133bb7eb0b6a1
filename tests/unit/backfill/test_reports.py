"""What is shown: documents for programs, tables for people."""

import io
import os
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime

import orjson
import pytest

from revertrisk.backfill.checkpoint import RevisionGroup
from revertrisk.backfill.counts import Counts
from revertrisk.backfill.report import show_plan, show_report

COUNTS = Counts.of(
    [
        RevisionGroup("enwiki", 0, "2006-01-01", None, None, 26),
        RevisionGroup("enwiki", 0, "2006-01-01", None, "produced", 3),
        RevisionGroup("enwiki", 0, "2006-01-01", None, "given_up:status_500", 1),
        RevisionGroup("enwiki", 0, "2006-01-01", "skipped:null_edit", None, 5),
    ],
    1,
    datetime(2026, 11, 21, tzinfo=UTC),
)
PROGRAM = """
from revertrisk.backfill.progress import log, log_beside_progress, showing

log_beside_progress()
with showing("sending", 4) as display:
    display.advance(3, skipped=1)
try:
    int("secret")
except ValueError:
    log.exception("failed")
"""
MISSING = [("enwiki", "No [such] page")]


class Terminal(io.StringIO):
    """A terminal that remembers what it was shown."""

    def isatty(self) -> bool:
        return True


def show(out: io.StringIO) -> str:
    show_plan(COUNTS, 5.0, planned_at="2026-11-21T08:00:00+00:00", scorer="a model", unfound=MISSING, out=out)
    show_report(COUNTS, "revertrisk redrive", out)
    return out.getvalue()


def test_a_program_gets_one_document_a_line() -> None:
    """A plan, and a report."""
    plan, report = (orjson.loads(line) for line in show(io.StringIO()).splitlines())
    assert plan["plan"]["to_send"] == 30
    assert (plan["plan"]["mediawiki_requests"], plan["plan"]["seconds_at_the_limit"]) == (28, 5.6)
    assert plan["plan"]["titles_not_found"] == ["No [such] page"]
    assert report["report"] == {
        "found": 35,
        "scored": 3,
        "skipped": {"left_out:page_missing": 1, "skipped:null_edit": 5},
        "failed": {"given_up:status_500": 1},
        "left": 26,
        "retry_with": "revertrisk redrive",
    }


@pytest.mark.parametrize(
    "text",
    ["30 revisions to send", "At most 28 requests", "0:00:06 at 5 a second", "No [such] page", "redrive"],
)
def test_a_person_gets_tables(text: str) -> None:
    """With the same numbers, in words."""
    assert text in show(Terminal())


def test_a_line_of_the_log_is_json_without_the_text_of_an_exception() -> None:
    """That text may quote what somebody wrote."""
    log = subprocess.run([sys.executable, "-c", PROGRAM], stderr=subprocess.PIPE, check=True).stderr
    begins, ends, failed = (orjson.loads(line) for line in log.splitlines())
    assert begins["labels"] == {
        "done": 0, "skipped": 0, "failed": 0, "per_second": 0.0, "total": 4, "eta_s": None,
    }  # fmt: skip
    assert (ends["message"], ends["labels"]["done"], ends["labels"]["skipped"]) == ("sending ends", 3, 1)
    assert (failed["message"], failed["log.level"], failed["error"]["type"]) == (
        "failed", "error", "ValueError",
    )  # fmt: skip
    assert b"secret" not in log


def test_the_log_of_a_terminal_is_without_that_text_too() -> None:
    """It shows the exception's type and places."""
    terminal, its_other_end = os.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as shown:
        with subprocess.Popen([sys.executable, "-c", PROGRAM], stderr=its_other_end) as program:
            os.close(its_other_end)
            log = read_to_the_end(shown)
        assert program.returncode == 0
    assert "failed" in log
    assert "ValueError at" in log
    assert "secret" not in log


def read_to_the_end(terminal: io.FileIO) -> str:
    """Read until the kernel says that nobody has the other end any more."""
    read = b""
    with suppress(OSError):
        while part := terminal.read(65536):
            read += part
    return read.decode()


def test_json_loses_no_letter_in_any_encoding() -> None:
    """T5: what the output's encoding lacks is escaped, so that a title can be read back."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, "latin-1", errors="replace", write_through=True)
    show_plan(
        COUNTS, 5.0, planned_at="2026-11-21T08:00:00+00:00", scorer="m", unfound=[("hewiki", "עץ é")], out=out
    )
    assert orjson.loads(raw.getvalue())["plan"]["titles_not_found"] == ["עץ é"]
