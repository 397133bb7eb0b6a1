"""The time of several partitions: which are waited for, and where the first minute is."""

from typing import Final

from revertrisk.alerts.bins import AHEAD_S, IDLE_S, StreamClock

HOUR: Final = 3600.0


def noted(clock: StreamClock, partition: str, *times: float, now: float = 0.0) -> None:
    """Note events; the first time is confirmed by the machine's clock."""
    for at in times:
        clock.note(partition, at, now, wall=at)


def test_the_first_event_of_each_partition_is_waited_for() -> None:
    """No minute is closed before; a partition that begins earlier moves the first minute."""
    clock = StreamClock()
    clock.expect(["edits", "predictions"], 0.0)
    noted(clock, "edits", HOUR, HOUR + 600)
    assert list(clock.closing(1.0)) == []
    noted(clock, "predictions", HOUR - 300, now=2.0)
    assert list(clock.closing(2.0)) == []
    noted(clock, "predictions", HOUR + 70, now=2.0)
    assert list(clock.closing(2.0)) == list(range(54, 61))
    noted(clock, "late", HOUR - 600, now=3.0)
    assert clock.is_closed(HOUR - 600)


def test_a_partition_without_an_event_is_waited_for_half_a_minute() -> None:
    """After it, or when its source has ended, the minutes of the others are closed; so they are after a restart."""
    for waited, ended in ((IDLE_S + 1, []), (1.0, ["predictions"])):
        clock = StreamClock()
        clock.expect(["edits", "predictions"], 0.0)
        noted(clock, "edits", HOUR, HOUR + 70, now=waited)
        clock.end(ended)
        assert list(clock.closing(waited)) == [59, 60]
        again = StreamClock()
        again.restore(clock.as_state(), 0.0)
        again.expect(["predictions"], 0.0)
        noted(again, "edits", HOUR + 130)
        assert list(again.closing(0.0)) == [61]


def test_a_partition_that_has_ended_is_not_waited_for() -> None:
    """The others go on without it; when all have ended, the one that came furthest decides."""
    clock = StreamClock()
    noted(clock, "edits", HOUR, HOUR + 600)
    noted(clock, "predictions", HOUR, HOUR + 70)
    assert list(clock.closing(0.0)) == [59, 60]
    clock.end(["edits"])
    assert list(clock.closing(0.0)) == []
    clock.end(["predictions"])
    assert list(clock.closing(0.0)) == list(range(61, 69))


def test_a_source_may_be_an_hour_ahead() -> None:
    """More is too far while another partition is active, or while its first event is waited for."""
    clock = StreamClock()
    clock.expect(["edits", "predictions"], 0.0)
    noted(clock, "edits", HOUR)
    assert not clock.is_ahead({"edits"}, 0.0)
    for minutes in range(0, 70, 5):
        clock.note("edits", HOUR + 60 * minutes, 0.0)
    assert clock.is_ahead({"edits"}, 0.0)
    noted(clock, "predictions", HOUR)
    assert clock.is_ahead({"edits"}, 0.0)
    assert not clock.is_ahead({"predictions"}, 0.0)
    assert not clock.is_ahead({"edits", "predictions"}, 0.0)
    assert not clock.is_ahead({"edits"}, IDLE_S + 1)
    for minutes in range(0, 15, 5):
        clock.note("predictions", HOUR + 60 * minutes, 0.0)
    assert HOUR + 60 * 65 - (HOUR + 600) < AHEAD_S
    assert not clock.is_ahead({"edits"}, 0.0)
