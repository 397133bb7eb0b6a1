"""Takes events in: once each, by their own time, without those whose clock is wrong."""

from collections import deque
from dataclasses import astuple, dataclass, replace
from typing import Any, Final

from revertrisk.alerts.bins import LEAP_S, StreamClock, Taken
from revertrisk.alerts.events import Event, Kind

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
    late: tuple[Event, ...] = ()


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

    def take(self, event: Event | None, partition: str, now: float, wall: float | None) -> Accepted:
        """Take in an event of a partition. None has no time.

        ``now`` is monotonic, in seconds; ``wall`` is this machine's Unix time, None in a replay.
        """
        self.counters.events += 1
        if event is None:
            self.counters.undated += 1
            return _NOTHING
        if event.id in self._known_ids:
            self.counters.repeated += 1
            return _NOTHING
        self._remember(event.id)
        # Canaries come once an hour: a topic with nothing else is read a day ahead of the others in no time.
        is_edited = event.kind is not Kind.CANARY
        taken = self.clock.note(partition, event.at, now, wall, agrees=is_edited)
        if taken is Taken.LEAP:
            if is_edited:
                self._held.append((event, partition))
            return _NOTHING
        brought = [*self._released(partition, event.at), event]
        late = tuple(each for each in brought if self.clock.is_closed(each.at))
        self.counters.late += len(late)
        return Accepted(tuple(each for each in brought if not self.clock.is_closed(each.at)), late)

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart; of events that wait, no titles."""
        held = [[*astuple(replace(event, title="")), partition] for event, partition in self._held]
        return {"clock": self.clock.as_state(), "ids": list(self._ids), "held": held}

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Take up a kept state."""
        self.clock.restore(state["clock"], now)
        for event_id in state["ids"]:
            self._remember(event_id)
        self._held = [(Event(Kind(kind), *rest), partition) for kind, *rest, partition in state["held"]]

    def _released(self, partition: str, at: float) -> list[Event]:
        """Return the events of a partition that waited, when one of ``at`` is believed; not those far ahead of it."""
        if not self._held:
            return []
        waited = [event for event, where in self._held if where == partition]
        self._held = [each for each in self._held if each[1] != partition]
        right = [event for event in waited if event.at <= at + LEAP_S]
        self.counters.wrong_clock += len(waited) - len(right)
        return right

    def _remember(self, event_id: str) -> None:
        if not event_id:
            return
        if len(self._ids) == REMEMBERED_IDS:
            self._known_ids.discard(self._ids[0])
        self._ids.append(event_id)
        self._known_ids.add(event_id)
