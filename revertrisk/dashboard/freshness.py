"""Whether events still arrive: a list that no event can change must not look current."""

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from time import monotonic
from typing import Any, Final

from revertrisk.event_platform.streams import received_at
from revertrisk.runtime.instants import iso_z

log = logging.getLogger(__name__)

SILENT_AFTER_S: Final = 120.0
"""The time without an event after which the page says so."""
LOST_AFTER_S: Final = 5.0
"""The time without a connection: servers end connections regularly, and the next one starts soon."""


class Freshness(StrEnum):
    """What still arrives."""

    LIVE = "live"
    NO_EDITS = "no-edits"
    """All sources are disconnected or have ended, or nothing arrives."""
    SOURCE_LOST = "source-lost"
    """One of several sources is disconnected."""
    NO_PREDICTIONS = "no-predictions"
    """Other events arrive, but no predictions: new edits are not listed."""
    NO_CHANGES = "no-changes"
    """Predictions arrive, but no page changes: reverted edits stay in the list."""


@dataclass(slots=True)
class _Arrival:
    """The newest event of a kind: when it arrived, by the monotonic clock, and its ``meta.dt``."""

    arrived: float
    newest: datetime | None = None


@dataclass(slots=True)
class _Source:
    lost_at: float | None = None
    has_ended: bool = False


@dataclass(slots=True)
class Arrivals:
    """Notes the events that arrive, and the state of each source.

    Hidings are rare, so only predictions and page changes are expected to arrive all the time; page changes only after
    the first one, because a dashboard can be started without them.
    """

    silent_after_s: float = SILENT_AFTER_S
    now: Callable[[], float] = monotonic
    _sources: dict[str, _Source] = field(default_factory=dict)
    _predictions: _Arrival | None = None
    _changes: _Arrival | None = None
    _reported: Freshness = Freshness.LIVE

    def expect(self, sources: Iterable[str]) -> None:
        """Begin to wait for events of these sources."""
        self._sources = {name: _Source() for name in sources}
        self._predictions = _Arrival(self.now())

    def note_event(self, event: Mapping[str, Any]) -> None:
        """Note that an event arrived."""
        if "predicted_classification" in event:
            kind = self._predictions = self._predictions or _Arrival(self.now())
        elif "page_change_kind" in event:
            kind = self._changes = self._changes or _Arrival(self.now())
        else:
            return
        kind.arrived = self.now()
        at = received_at(event)
        if at is not None and (kind.newest is None or at > kind.newest):
            kind.newest = at

    def note_connection(self, source: str, is_open: bool) -> None:
        """Note that the connection of a source was opened, or has ended."""
        known = self._sources[source]
        if is_open:
            known.lost_at = None
        elif known.lost_at is None:
            known.lost_at = self.now()

    def note_end(self, source: str) -> None:
        """Note that a source has no more events."""
        self._sources[source].has_ended = True

    def state(self) -> Freshness:
        """Return what still arrives now."""
        if self._predictions is None:
            return Freshness.LIVE  # there are no sources to wait for
        lost = [self._is_lost(each) for each in self._sources.values()]
        ended = [each.has_ended for each in self._sources.values()]
        if all(one or other for one, other in zip(lost, ended, strict=True)):
            return Freshness.NO_EDITS
        if any(lost):
            return Freshness.SOURCE_LOST
        no_predictions = self._is_silent(self._predictions)
        no_changes = self._changes is not None and self._is_silent(self._changes)
        if no_predictions:
            has_changes = self._changes is not None and not no_changes
            return Freshness.NO_PREDICTIONS if has_changes else Freshness.NO_EDITS
        return Freshness.NO_CHANGES if no_changes else Freshness.LIVE

    def as_json(self) -> dict[str, Any]:
        """Return the state for the page, with the time of the newest event of the kind that it is about."""
        state = self.state()
        kinds = {
            Freshness.NO_PREDICTIONS: (self._predictions,),
            Freshness.NO_CHANGES: (self._changes,),
        }.get(state, (self._predictions, self._changes))
        newest = [kind.newest for kind in kinds if kind is not None and kind.newest is not None]
        return {
            "state": state,
            "since": iso_z(max(newest)) if newest and state is not Freshness.LIVE else None,
        }

    def report(self) -> None:
        """Log a change of the state, once."""
        state = self.state()
        if state is self._reported:
            return
        self._reported = state
        newest = self.as_json()["since"] or "none"
        match state:
            case Freshness.LIVE:
                log.warning("events arrive again")
            case Freshness.SOURCE_LOST:
                log.warning("a source is disconnected")
            case _:
                log.warning("%s arrive; newest: %s", state.value.replace("-", " "), newest)

    def _is_lost(self, source: _Source) -> bool:
        return source.lost_at is not None and self.now() - source.lost_at > LOST_AFTER_S

    def _is_silent(self, kind: _Arrival) -> bool:
        return self.now() - kind.arrived > self.silent_after_s
