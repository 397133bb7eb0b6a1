"""When a run in which everything is refused stops."""

import asyncio

import pytest

from revertrisk.dispatcher.outcome import Ending, Outcome, RefusalLimit, Summary
from revertrisk.streams import Position


def stops(*endings: Ending, limit: int = 2) -> bool:
    """Tell whether a run with these outcomes is stopped."""
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
