"""Whether events still arrive."""

import logging

import pytest

from revertrisk.dashboard.freshness import LOST_AFTER_S, Arrivals, Freshness
from tests.fakes.streamed_edits import page_changed, scored, visibility_changed

A, B = "eventstreams:a", "jsonl:b"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrivals(clock: Clock) -> Arrivals:
    found = Arrivals(120, now=clock)
    found.expect([A, B])
    return found


def test_silence_is_told_after_a_while(arrivals: Arrivals, clock: Clock) -> None:
    """Also if nothing ever came; the next event ends it. A rare hiding does not."""
    assert arrivals.as_json() == {"state": "live", "since": None}
    clock.time += 121
    assert arrivals.as_json() == {"state": "no-edits", "since": None}
    arrivals.note_event(scored(1, 0.9))
    assert arrivals.state() is Freshness.LIVE
    clock.time += 121
    arrivals.note_event(visibility_changed(1))
    assert arrivals.as_json() == {"state": "no-edits", "since": "2026-11-20T12:00:00.000Z"}


def test_which_events_are_missing_is_told(arrivals: Arrivals, clock: Clock) -> None:
    """Predictions without page changes, and the other way round, each with the time of its newest event."""
    arrivals.note_event(scored(1, 0.9))
    arrivals.note_event(page_changed(2))
    clock.time += 121
    arrivals.note_event(scored(3, 0.9))
    assert arrivals.as_json() == {"state": "no-changes", "since": "2026-11-20T12:00:30.000Z"}
    clock.time += 121
    arrivals.note_event(page_changed(4))
    assert arrivals.as_json() == {"state": "no-predictions", "since": "2026-11-20T12:00:00.000Z"}


def test_a_lost_source_is_told_at_once(arrivals: Arrivals, clock: Clock) -> None:
    """A few seconds are left for the next connection. Events of other sources do not hide it."""
    arrivals.note_event(scored(1, 0.9))
    arrivals.note_connection(A, is_open=False)
    clock.time += LOST_AFTER_S
    assert arrivals.state() is Freshness.LIVE
    clock.time += 1
    arrivals.note_connection(A, is_open=False)
    arrivals.note_event(scored(2, 0.9))
    assert arrivals.state() is Freshness.SOURCE_LOST
    arrivals.note_end(B)
    assert arrivals.state() is Freshness.NO_EDITS
    arrivals.note_connection(A, is_open=True)
    assert arrivals.state() is Freshness.LIVE


def test_the_end_of_all_sources_is_told_at_once(arrivals: Arrivals) -> None:
    """A file that was read to its end beside a stream is nothing special."""
    arrivals.note_end(B)
    assert arrivals.state() is Freshness.LIVE
    arrivals.note_end(A)
    assert arrivals.state() is Freshness.NO_EDITS


def test_a_change_is_logged_once(arrivals: Arrivals, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    """As a warning, with the time of the newest event."""
    arrivals.note_event(scored(1, 0.9))
    clock.time += 121
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            arrivals.report()
        arrivals.note_event(scored(2, 0.9))
        arrivals.report()
    assert caplog.messages == ["no edits arrive; newest: 2026-11-20T12:00:00.000Z", "events arrive again"]
