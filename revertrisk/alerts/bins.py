"""The time of the streams: when a minute is open, and when it is closed.

Events come a little out of order. The watermark is the greatest ``meta.dt`` minus five seconds. With several partitions
the one that is furthest behind decides; a partition is not waited for if it has ended, or has had no event for half a
minute. A minute is closed when the watermark has passed its end. An event of a closed minute is late: it is counted in
the history, and the minute stays closed. At the first start, the first event of each partition is waited for, because
minutes that were closed before it would lack its events.

A wrong clock must not close minutes in the future. A time is accepted if it is at most ten minutes ahead of its own
partition or of another active one (a topic may have one event an hour). If no partition is active, this machine's clock
can confirm it. Any other time is a leap, which is accepted only when twenty events of the partition agree.
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Any, Final

LAG_S: Final = 5.0
LEAP_S: Final = 600.0
AGREEING: Final = 20
"""Events in a row after which a leap is accepted."""
IDLE_S: Final = 30.0
AHEAD_S: Final = 3600.0
"""How far a source may be read ahead of the others: the minutes in between are held in memory."""
MINUTE_S: Final = 60


class Taken(Enum):
    """What the time of an event is."""

    OPEN = auto()
    """The minute is open."""
    LATE = auto()
    """The minute is closed."""
    LEAP = auto()
    """The time is far ahead and not confirmed; hold the event back."""


@dataclass(slots=True)
class _Partition:
    greatest: float
    """The greatest accepted time; -inf before the first event."""
    active_at: float
    """When its last event came, by the monotonic clock of this process."""
    has_ended: bool = False
    """Whether it has no more events in this run."""
    leap: float | None = None
    """The first time of a leap that is not accepted yet."""
    agreed: int = 0
    """The events of that leap so far."""


@dataclass(slots=True)
class StreamClock:
    """The time of a stream by its events, in seconds of Unix time."""

    closed: int | None = None
    """The first minute that is still open; None before the first event."""
    has_closed: bool = False
    """Whether a minute has been closed."""
    _partitions: dict[str, _Partition] = field(default_factory=dict)
    _expected: dict[str, float] = field(default_factory=dict)
    """Partitions whose first event is waited for, and until when, by the monotonic clock."""

    def expect(self, partitions: Iterable[str], now: float) -> None:
        """Wait for the first event of each partition, for half a minute; not if minutes were closed before."""
        if not self.has_closed:
            known = {name for name, each in self._partitions.items() if each.greatest > -inf}
            self._expected |= {each: now + IDLE_S for each in partitions if each not in known}

    def end(self, partitions: Iterable[str]) -> None:
        """Wait for these partitions no longer: they have no more events in this run."""
        for each in partitions:
            self._expected.pop(each, None)
            if each in self._partitions:
                self._partitions[each].has_ended = True

    def is_ahead(self, partitions: AbstractSet[str], now: float) -> bool:
        """Return whether all of these partitions are an hour ahead of another one that is waited for."""
        times = {name: each.greatest for name, each in self._partitions.items() if each.greatest > -inf}
        own = [at for name, at in times.items() if name in partitions]
        others = [at for name, at in self._waited_for(now).items() if name not in partitions]
        if self.closed is not None and any(name not in partitions for name in self._expected_still(now)):
            others.append(float(self.closed * MINUTE_S))
        return bool(own and others) and min(own) > min(others) + AHEAD_S

    def note(
        self, partition: str, at: float, now: float, wall: float | None = None, *, is_canary: bool = False
    ) -> Taken:
        """Note the time of an event; ``now`` is monotonic, ``wall`` is this machine's clock, None in a replay.

        The time of a canary event is accepted only if another partition or ``wall`` confirms it. A canary event does
        not make its partition active while another one is: the others would have to wait for a topic with canary
        events only.
        """
        known = self._partitions.get(partition)
        if known is None:
            known = self._partitions[partition] = _Partition(-inf, -inf)
        first = at
        if is_canary and now - known.active_at > IDLE_S and self._active(now):
            return self._open_or_late(at) if self._is_confirmed(at, now, wall) else Taken.LEAP
        if at > known.greatest + LEAP_S and not self._is_confirmed(at, now, wall):
            if is_canary:
                return Taken.LEAP
            known.active_at = now
            if known.leap is None or at < known.leap - LEAP_S:
                known.leap, known.agreed = at, 0
            known.agreed += 1
            if known.agreed < AGREEING:
                return Taken.LEAP
            first = min(at, known.leap)
        begin = int(first - LAG_S) // MINUTE_S
        if self.closed is None:
            self.closed = begin
        elif known.greatest == -inf and not self.has_closed:
            self.closed = min(self.closed, begin)
        known.active_at = now
        known.greatest, known.leap = max(at, known.greatest), None
        self._expected.pop(partition, None)
        return self._open_or_late(at)

    def is_closed(self, at: float) -> bool:
        """Return whether the minute of a time is closed."""
        return self.closed is not None and at < self.closed * MINUTE_S

    def _open_or_late(self, at: float) -> Taken:
        return Taken.LATE if self.is_closed(at) else Taken.OPEN

    def _active(self, now: float) -> list[float]:
        """Return the times of the active partitions."""
        return [
            each.greatest
            for each in self._partitions.values()
            if each.greatest > -inf and now - each.active_at <= IDLE_S
        ]

    def _is_confirmed(self, at: float, now: float, wall: float | None) -> bool:
        """Return whether an active partition, or this machine's clock, has about that time or a later one."""
        active = self._active(now)
        if active:
            return at <= max(active) + LEAP_S
        # This does not apply while a backlog is read: its times are in the past, so a time of now would be wrong.
        return wall is not None and abs(at - wall) <= LEAP_S

    def closing(self, now: float) -> Iterator[int]:
        """Yield the minutes that can be closed, in order; each is closed when the next is asked for."""
        if self.closed is None:
            return
        watermark = self._watermark(now)
        while (self.closed + 1) * MINUTE_S <= watermark:
            self.has_closed = True
            yield self.closed
            self.closed += 1

    def _watermark(self, now: float) -> float:
        """Return the time before which all events have come; -inf while it is not known."""
        if self._expected and self._expected_still(now):
            return -inf
        waited_for = self._waited_for(now)
        if waited_for:
            return min(waited_for.values()) - LAG_S
        accepted = [each for each in self._partitions.values() if each.greatest > -inf]
        if accepted and all(each.has_ended for each in accepted):
            return max(each.greatest for each in accepted) - LAG_S
        return -inf

    def _waited_for(self, now: float) -> dict[str, float]:
        """Return the times of the partitions that are active and have not ended."""
        return {
            name: each.greatest
            for name, each in self._partitions.items()
            if each.greatest > -inf and not each.has_ended and now - each.active_at <= IDLE_S
        }

    def _expected_still(self, now: float) -> list[str]:
        return [name for name, until in self._expected.items() if now <= until]

    @property
    def greatest(self) -> float | None:
        """The greatest accepted time; None before the first event."""
        return max(
            (each.greatest for each in self._partitions.values() if each.greatest > -inf), default=None
        )

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart."""
        return {
            "closed": self.closed,
            "has_closed": self.has_closed,
            "partitions": {
                name: [None if each.greatest == -inf else each.greatest, each.leap, each.agreed]
                for name, each in self._partitions.items()
            },
        }

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Restore a kept state."""
        self.closed = state["closed"]
        self.has_closed = state["has_closed"]
        self._partitions = {
            name: _Partition(-inf if greatest is None else greatest, now, leap=leap, agreed=agreed)
            for name, (greatest, leap, agreed) in state["partitions"].items()
        }
