"""Counts the events of the minutes that are open, and of the bins that are not complete, by wiki and quantity."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.fitting import BINS
from revertrisk.alerts.history import EDITS, HIGH_RISK, PREDICTIONS
from revertrisk.alerts.pages import Key
from revertrisk.alerts.settings import WatchSettings

ANY_WIKI: Final = "*"
"""Stands for all wikis of the stream, watched or not."""
CANARIES: Final = "canaries"
_VERSION: Final = "version"
"""The quantity under which predictions are counted by model version; the version is in the place of the wiki."""

Counts = dict[Key, int]
"""By wiki and quantity."""


@dataclass(slots=True)
class Bin:
    """The counts of the minutes of a bin so far."""

    counts: Counts = field(default_factory=dict)
    unobserved: set[str] = field(default_factory=set)
    """The scopes with an outage in one of the minutes."""


class Counting:
    """The counts of open minutes, and of one bin of each length that is not complete."""

    def __init__(self, settings: WatchSettings) -> None:
        """Start without a count."""
        self._settings = settings
        self._minutes: dict[int, Counts] = {}
        self._bins: dict[int, Bin] = {length: Bin() for length in BINS}

    def quantities(self, event: Event) -> Iterable[Key]:
        """Yield the keys under which an event is counted."""
        is_watched = self._settings.includes(event.wiki_id)
        if event.kind is Kind.CANARY:
            yield ANY_WIKI, CANARIES
        elif event.kind is Kind.EDIT:
            yield ANY_WIKI, EDITS
            if is_watched:
                yield event.wiki_id, EDITS
        elif event.kind is Kind.PREDICTION:
            yield ANY_WIKI, PREDICTIONS
            yield event.model_version, _VERSION
            if is_watched:
                yield event.wiki_id, PREDICTIONS
                if self._settings.is_high_risk(event.wiki_id, event.probability):
                    yield event.wiki_id, HIGH_RISK

    def add(self, key: Key, minute: int) -> None:
        """Count an event of an open minute."""
        counts = self._minutes.setdefault(minute, {})
        counts[key] = counts.get(key, 0) + 1

    def close(self, minute: int) -> Counts:
        """Return the counts of a minute, which is closed."""
        return self._minutes.pop(minute, {})

    def complete_bins(self, minute: int, counts: Counts, unobserved: set[str]) -> Iterator[tuple[int, Bin]]:
        """Add a closed minute to the bins; yield each bin that it completes, with its length in minutes."""
        for length, current in self._bins.items():
            for key, number in counts.items():
                current.counts[key] = current.counts.get(key, 0) + number
            current.unobserved |= unobserved
            if (minute + 1) % length == 0:
                self._bins[length] = Bin()
                yield length, current

    def forget_risk(self) -> None:
        """Delete everything that was counted of predictions."""
        for counts in (*self._minutes.values(), *(each.counts for each in self._bins.values())):
            for key in [key for key in counts if key[1] in {PREDICTIONS, HIGH_RISK, _VERSION}]:
                del counts[key]

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart."""
        return {
            "minutes": [[minute, _as_rows(counts)] for minute, counts in self._minutes.items()],
            "partial": [[length, _as_rows(each.counts)] for length, each in self._bins.items()],
            "blind": [[length, sorted(each.unobserved)] for length, each in self._bins.items()],
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a kept state."""
        self._minutes = {minute: _as_counts(rows) for minute, rows in state["minutes"]}
        for (length, rows), (_, scopes) in zip(state["partial"], state["blind"], strict=True):
            self._bins[length] = Bin(_as_counts(rows), set(scopes))


def versions_in(counts: Counts) -> dict[str, int]:
    """Return the number of predictions by each model version."""
    return {version: number for (version, what), number in counts.items() if what == _VERSION}


def wikis_in(counts: Counts) -> Iterator[tuple[Key, int]]:
    """Yield the counts of single wikis."""
    for key, number in counts.items():
        if key[0] != ANY_WIKI and key[1] != _VERSION:
            yield key, number


def _as_rows(counts: Counts) -> list[list[Any]]:
    return [[*key, number] for key, number in counts.items()]


def _as_counts(rows: list[list[Any]]) -> Counts:
    return {(wiki, quantity): number for wiki, quantity, number in rows}
