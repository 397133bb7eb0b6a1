"""Minutes of a stream: events come a little out of order, and a minute is closed when no more of it is expected.

The watermark is the greatest ``meta.dt`` less five seconds; of several partitions the smallest counts, but of none that
has brought nothing for half a minute. A minute is closed when the watermark has passed its end. What comes for a closed
minute is late: it is counted and stored, and the minute stays closed.

A clock that is wrong must not close minutes that have not been. A time is believed that is no more than ten minutes
ahead of its own partition or of another that brings something: a topic may have one event an hour. Where none brings
anything, this machine's clock may confirm it. Else it is a leap, believed only when twenty
events of the partition agree.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from math import inf
from typing import Any, Final

LAG_S: Final = 5.0
LEAP_S: Final = 600.0
AGREEING: Final = 20
"""Events in a row that make a leap believed."""
IDLE_S: Final = 30.0
MINUTE_S: Final = 60


class Taken(Enum):
    """What became of an event's time."""

    OPEN = auto()
    """Its minute is open."""
    LATE = auto()
    """Its minute is closed."""
    LEAP = auto()
    """Far ahead, and not confirmed: keep the event until the next."""


@dataclass(slots=True)
class _Partition:
    greatest: float
    """That is believed; -inf before the first."""
    heard_at: float
    """By the monotonic clock of this process."""
    leap: float | None = None
    """The first time of those that wait to be believed."""
    agreed: int = 0


@dataclass(slots=True)
class StreamClock:
    """The time of a stream by its events, in seconds of Unix time."""

    closed: int | None = None
    """The first minute that is still open; None before the first event."""
    _partitions: dict[str, _Partition] = field(default_factory=dict)

    def note(
        self, partition: str, at: float, now: float, wall: float | None = None, *, agrees: bool = True
    ) -> Taken:
        """Take note of an event's time; ``now`` is monotonic, ``wall`` this machine's clock, None in a replay.

        An event that does not ``agree`` with others, a canary, is believed only where another partition or ``wall``
        confirms it. It wakes no partition while another brings something: a topic with nothing else would hold that up.
        """
        known = self._partitions.get(partition)
        if known is None:
            known = self._partitions[partition] = _Partition(-inf, -inf)
        first = at
        if not agrees and now - known.heard_at > IDLE_S and self._awake(now):
            return self._open_or_late(at) if self._is_confirmed(at, now, wall) else Taken.LEAP
        if at > known.greatest + LEAP_S and not self._is_confirmed(at, now, wall):
            if not agrees:
                return Taken.LEAP
            known.heard_at = now
            if known.leap is None or at < known.leap - LEAP_S:
                known.leap, known.agreed = at, 0
            known.agreed += 1
            if known.agreed < AGREEING:
                return Taken.LEAP
            first = min(at, known.leap)
        known.heard_at = now
        known.greatest, known.leap = max(at, known.greatest), None
        if self.closed is None:
            self.closed = int(first - LAG_S) // MINUTE_S
        return self._open_or_late(at)

    def is_closed(self, at: float) -> bool:
        """Return whether the minute of a time is closed."""
        return self.closed is not None and at < self.closed * MINUTE_S

    def _open_or_late(self, at: float) -> Taken:
        return Taken.LATE if self.is_closed(at) else Taken.OPEN

    def _awake(self, now: float) -> list[float]:
        """Return the times of the partitions that bring something."""
        return [
            each.greatest
            for each in self._partitions.values()
            if each.greatest > -inf and now - each.heard_at <= IDLE_S
        ]

    def _is_confirmed(self, at: float, now: float, wall: float | None) -> bool:
        """Return whether another partition, or this machine's clock, has about that time or a later one."""
        awake = self._awake(now)
        if awake:
            return at <= max(awake) + LEAP_S
        # Not while a backlog is read: its times are in the past, and one that is about now is wrong.
        return wall is not None and abs(at - wall) <= LEAP_S

    def closing(self, now: float) -> Iterator[int]:
        """Yield the minutes that can be closed, in order; each is closed when the next is asked for."""
        if self.closed is None:
            return
        awake = self._awake(now)
        if not awake:
            return
        watermark = min(awake) - LAG_S
        while (self.closed + 1) * MINUTE_S <= watermark:
            yield self.closed
            self.closed += 1

    @property
    def greatest(self) -> float | None:
        """The greatest time that is believed."""
        return max(
            (each.greatest for each in self._partitions.values() if each.greatest > -inf), default=None
        )

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart."""
        return {
            "closed": self.closed,
            "partitions": {
                name: [None if each.greatest == -inf else each.greatest, each.leap, each.agreed]
                for name, each in self._partitions.items()
            },
        }

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Take up a kept state."""
        self.closed = state["closed"]
        self._partitions = {
            name: _Partition(-inf if greatest is None else greatest, now, leap, agreed)
            for name, (greatest, leap, agreed) in state["partitions"].items()
        }
