import asyncio
import io

import orjson
import pytest

from revertrisk.dispatcher import Ending, Outcome, Summary
from revertrisk.dispatcher.outcome import RefusalLimit
from revertrisk.streams import Position

AT = Position("jsonl:x", 1)


class Terminal(io.StringIO):
    """A text that passes for a terminal."""

    def isatty(self) -> bool:
        return True


def summary() -> Summary:
    counts = Summary(read=4, owed=5)
    counts.add(Outcome(Ending.PRODUCED, AT, rule="r", status=200, attempts=1))
    counts.add(Outcome(Ending.SKIPPED, AT, "redirect", rule="r", status=200, attempts=3))
    counts.add(Outcome(Ending.GIVEN_UP, AT, "timeout", rule="r", attempts=4))
    counts.add(Outcome(Ending.UNMATCHED, AT))
    counts.note_committed([AT])
    return counts


def test_a_summary_is_one_line_of_json_where_no_terminal_is() -> None:
    """A program reads the counts from one line."""
    out = io.StringIO()
    summary().show(out)
    assert orjson.loads(out.getvalue()) == {
        "read": 4,
        "outcomes": {"given_up:timeout": 1, "produced": 1, "skipped:redirect": 1, "unmatched": 1},
        "statuses": {"200": 2},
        "given_up": 1,
        "interrupted": 1,
        "retries": 5,
        "committed": {"jsonl:x": 1},
        "seconds": 0.0,
        "source_error": None,
    }
    assert out.getvalue().count("\n") == 1


def test_a_summary_is_a_table_on_a_terminal() -> None:
    """A person reads the same counts from a table."""
    out = Terminal()
    summary().show(out)
    for word in ("produced", "skipped:redirect", "given_up:timeout", "interrupted", "answered 200"):
        assert word in out.getvalue()


def test_a_run_is_clean_only_if_nothing_was_given_up_or_interrupted() -> None:
    """Either of the two is a reason for a caller to look."""
    clean = Summary(read=1, owed=1)
    clean.add(Outcome(Ending.SKIPPED, AT, "null_edit", rule="r", status=200, attempts=1))
    assert clean.is_clean
    assert not Summary(read=1, owed=1).is_clean
    assert Summary(read=1, owed=1, resumes=True).is_clean  # the next run reads it again
    assert not summary().is_clean
    assert not Summary(source_error="cut off").is_clean


def test_an_outcome_does_not_show_its_event() -> None:
    """An event may hold names and comments; a logged outcome shows neither."""
    assert "Alice" not in repr(Outcome(Ending.PRODUCED, AT, event={"performer": "Alice"}))


def stops(*endings: Ending, limit: int = 2) -> bool:
    """Return whether a run with these outcomes is stopped."""
    stop = asyncio.Event()
    refusals = RefusalLimit(limit, stop, Summary())
    for number, ending in enumerate(endings):
        refusals.note_outcome(Outcome(ending, Position("topic[0]", number), "status_503", attempts=1))
    return stop.is_set()


@pytest.mark.parametrize("between", [Ending.PRODUCED, Ending.SKIPPED, Ending.IGNORED])
def test_a_request_that_succeeds_ends_the_row(between: Ending) -> None:
    """The server is there, and takes some."""
    assert stops(Ending.GIVEN_UP, Ending.GIVEN_UP)
    assert not stops(Ending.GIVEN_UP, between, Ending.GIVEN_UP)


def test_an_event_that_waits_for_another_try_does_not() -> None:
    """With a retry topic new events are postponed while old ones are given up: they must not hide each other."""
    assert stops(Ending.GIVEN_UP, Ending.POSTPONED, Ending.GIVEN_UP)
    assert not stops(Ending.POSTPONED, Ending.POSTPONED)
