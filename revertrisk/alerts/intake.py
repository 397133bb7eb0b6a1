"""Accepts each event once, by its own time, and holds back events whose clock may be wrong."""

from collections import deque
from dataclasses import astuple, dataclass, replace
from typing import Any, Final

from revertrisk.alerts.bins import LEAP_S, StreamClock, Taken
from revertrisk.alerts.events import Event, Kind

REMEMBERED_IDS: Final = 2000
"""EventStreams repeats the events of the millisecond that it is resumed in."""


@dataclass(slots=True)
class Counters:
    """Numbers of events, for the metrics and the summary."""

    events: int = 0
    """Events with a time."""
    unreadable: int = 0
    """Records that are no event, or have no time."""
    late: int = 0
    """Came after their minute was closed: they are in the history, and not in the statistic."""
    repeated: int = 0
    wrong_clock: int = 0
    """Far ahead of the others, and not confirmed: left out."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The events that are accepted with an event: usually the event itself."""

    in_time: tuple[Event, ...] = ()
    late: tuple[Event, ...] = ()


_NOTHING: Final = Accepted()


class Intake:
    """The clock of the streams, and the ids of the last events."""

    def __init__(self) -> None:
        """Start before the first event."""
        self.clock = StreamClock()
        self.counters = Counters()
        self._held: list[tuple[Event, str]] = []
        self._ids: deque[str] = deque(maxlen=REMEMBERED_IDS)
        self._known_ids: set[str] = set()

    def take(self, event: Event | None, partition: str, now: float, wall: float | None) -> Accepted:
        """Take an event of a partition; None stands for an unreadable record.

        ``now`` is monotonic, in seconds; ``wall`` is this machine's Unix time, None in a replay.
        """
        if event is None:
            self.counters.unreadable += 1
            return _NOTHING
        self.counters.events += 1
        if event.id in self._known_ids:
            self.counters.repeated += 1
            return _NOTHING
        self._remember(event.id)
        # A topic with hourly canary events only is read a day ahead of the others at once.
        is_canary = event.kind is Kind.CANARY
        taken = self.clock.note(partition, event.at, now, wall, is_canary=is_canary)
        if taken is Taken.LEAP:
            if not is_canary:
                self._held.append((event, partition))
            return _NOTHING
        accepted = [*self._released(partition, event.at), event]
        late = tuple(each for each in accepted if self.clock.is_closed(each.at))
        self.counters.late += len(late)
        return Accepted(tuple(each for each in accepted if not self.clock.is_closed(each.at)), late)

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart; events that are held back have no titles in it."""
        held = [[*astuple(replace(event, title="")), partition] for event, partition in self._held]
        return {"clock": self.clock.as_state(), "ids": list(self._ids), "held": held}

    def restore(self, state: dict[str, Any], now: float) -> None:
        """Restore a kept state."""
        self.clock.restore(state["clock"], now)
        for event_id in state["ids"]:
            self._remember(event_id)
        self._held = [(Event(Kind(kind), *rest), partition) for kind, *rest, partition in state["held"]]

    def _released(self, partition: str, at: float) -> list[Event]:
        """Return the events of a partition that were held back, up to about the time ``at``, which is accepted."""
        if not self._held:
            return []
        held = [event for event, where in self._held if where == partition]
        self._held = [each for each in self._held if each[1] != partition]
        right = [event for event in held if event.at <= at + LEAP_S]
        self.counters.wrong_clock += len(held) - len(right)
        return right

    def _remember(self, event_id: str) -> None:
        if not event_id:
            return
        if len(self._ids) == REMEMBERED_IDS:
            self._known_ids.discard(self._ids[0])
        self._ids.append(event_id)
        self._known_ids.add(event_id)
