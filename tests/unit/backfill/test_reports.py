"""What is shown: documents for programs, tables for people."""

import io
import logging
from datetime import UTC, datetime

import orjson
import pytest

from backfill.checkpoint import Group
from backfill.counts import Counts
from backfill.progress import JsonHandler
from backfill.report import show_plan, show_report

COUNTS = Counts.of(
    [
        Group("enwiki", 0, "2006-01-01", None, None, 26),
        Group("enwiki", 0, "2006-01-01", None, "produced", 3),
        Group("enwiki", 0, "2006-01-01", None, "given_up:status_500", 1),
        Group("enwiki", 0, "2006-01-01", "skipped:null_edit", None, 5),
    ],
    1,
    datetime(2026, 11, 21, tzinfo=UTC),
)
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
    out = io.StringIO()
    handler = JsonHandler(out)
    error = ValueError("secret")
    record = logging.LogRecord("backfill", logging.ERROR, "", 1, "failed", (), (ValueError, error, None))
    record.labels = {"done": 1}
    handler.emit(record)
    line = orjson.loads(out.getvalue())
    assert (line["message"], line["log.level"], line["labels"], line["error.type"]) == (
        "failed", "error", {"done": 1}, "ValueError",
    )  # fmt: skip
    assert "secret" not in out.getvalue()
