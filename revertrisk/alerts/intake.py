"""Takes events in: once each, by their own time, without those whose clock is wrong."""

from collections import deque
from dataclasses import dataclass
from typing import Any, Final

from revertrisk.alerts.bins import StreamClock, Taken
from revertrisk.alerts.events import Event

REMEMBERED_IDS: Final = 2000
"""EventStreams repeats the events of the millisecond that it is resumed in."""


@dataclass(slots=True)
class Counters:
    """What has come; for metrics and the summary."""

    events: int = 0
    late: int = 0
    """Came when their minute was closed: in the history, but in no statistic."""
    repeated: int = 0
    wrong_clock: int = 0
    """Alone far ahead of the others: passed over."""
    undated: int = 0


@dataclass(frozen=True, slots=True)
class Accepted:
    """Events that an event has brought in: most often itself."""

    in_time: tuple[Event, ...] = ()
    late: Event | None = None


_NOTHING: Final = Accepted()


class Intake:
    """Holds the clock of the streams, and the ids that came last."""

    def __init__(self) -> None:
        """Begin before the first event."""
        self.clock = StreamClock()
        self.counters = Counters()
        self._held: list[tuple[Event, str]] = []
        self._ids: deque[str] = deque(maxlen=REMEMBERED_IDS)
        self._known_ids: set[str] = set()

    @property
    def holds_events(self) -> bool:
        """Whether an event waits for the next ones to say that its time is right."""
        return bool(self._held)

    def take(self, event: Event | None, partition: str, now: float) -> Accepted:
        """Take in an event of a partition; ``now`` is monotonic, in seconds. None has no time."""
        self.counters.events += 1
        if event is None:
            self.counters.undated += 1
            return _NOTHING
        if event.id in self._known_ids:
            self.counters.repeated += 1
            return _NOTHING
        self._remember(event.id)
        taken = self.clock.note(partition, event.at, now)
        if taken is Taken.LEAP:
            self._held.append((event, partition))
            return _NOTHING
        released: tuple[Event, ...] = ()
        if self._held:
            released = tuple(each for each, where in self._held if where == partition)
            self._held = [each for each in self._held if each[1] != partition]
            if taken is not Taken.OPEN:
                self.counters.wrong_clock += len(released)
                released = ()
        if taken is Taken.LATE:
            self.counters.late += 1
            return Accepted(released, late=event)
        return Accepted((*released, event))

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart; not while an event is held."""
        return {"clock": self.clock.as_state(), "ids": list(self._ids)}

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Take up a kept state."""
        self.clock.restore(state["clock"], now)
        for event_id in state["ids"]:
            self._remember(event_id)

    def _remember(self, event_id: str) -> None:
        if not event_id:
            return
        if len(self._ids) == REMEMBERED_IDS:
            self._known_ids.discard(self._ids[0])
        self._ids.append(event_id)
        self._known_ids.add(event_id)
