"""Minutes of a stream: events come a little out of order, and a minute is closed when no more of it is expected.

The watermark is the greatest ``meta.dt`` less five seconds; of several partitions the smallest counts, but of none that
has brought nothing for half a minute. A minute is closed when the watermark has passed its end. What comes for a closed
minute is late: it is counted and stored, and the minute stays closed.

A clock that is wrong must not close minutes that have not been: a leap of more than ten minutes is believed only when
the next twenty events of the partition agree with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
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
    """Far ahead of its partition, and not confirmed: keep the event until the next."""
    BACK = auto()
    """The event before it was ahead alone, so that one's clock was wrong; this one's minute is open."""


@dataclass(slots=True)
class _Partition:
    greatest: float
    heard_at: float
    """By the monotonic clock of this process."""
    leap: float | None = None
    agreed: int = 0


@dataclass(slots=True)
class StreamClock:
    """The time of a stream by its events, in seconds of Unix time."""

    closed: int | None = None
    """The first minute that is still open; None before the first event."""
    _partitions: dict[str, _Partition] = field(default_factory=dict)

    def note(self, partition: str, at: float, now: float) -> Taken:
        """Take note of an event's time; ``now`` is monotonic."""
        known = self._partitions.get(partition)
        if known is None:
            known = self._partitions[partition] = _Partition(at, now)
            if self.closed is None:
                self.closed = int(at - LAG_S) // MINUTE_S
        known.heard_at = now
        taken = Taken.OPEN
        if at > known.greatest:
            if at - known.greatest <= LEAP_S:
                taken = Taken.BACK if known.leap is not None else Taken.OPEN
                known.greatest, known.leap = at, None
            elif known.leap is None or at < known.leap - LEAP_S:
                known.leap, known.agreed = at, 1
                return Taken.LEAP
            else:
                known.agreed += 1
                if known.agreed < AGREEING:
                    return Taken.LEAP
                known.greatest, known.leap = max(at, known.leap), None
        elif known.leap is not None:
            known.leap, taken = None, Taken.BACK
        assert self.closed is not None  # noqa: S101 - set by the first event
        return Taken.LATE if at < self.closed * MINUTE_S else taken

    def closing(self, now: float) -> Iterator[int]:
        """Yield the minutes that can be closed, in order; each is closed when the next is asked for."""
        if self.closed is None:
            return
        awake = [each.greatest for each in self._partitions.values() if now - each.heard_at <= IDLE_S]
        if not awake:
            return
        watermark = min(awake) - LAG_S
        while (self.closed + 1) * MINUTE_S <= watermark:
            yield self.closed
            self.closed += 1

    @property
    def greatest(self) -> float | None:
        """The greatest time that is believed."""
        return max((each.greatest for each in self._partitions.values()), default=None)

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart."""
        return {
            "closed": self.closed,
            "partitions": {name: each.greatest for name, each in self._partitions.items()},
        }

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Take up a kept state."""
        self.closed = state["closed"]
        self._partitions = {name: _Partition(at, now) for name, at in state["partitions"].items()}
