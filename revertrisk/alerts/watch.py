"""A watch: events in, messages into the outbox. It has no sockets and reads no clock, so a replay finds the same.

A minute's counts are kept while it is open. When it is closed they go into the history and into the bins; bins that are
whole go through the detectors, and what starts or ends becomes an incident and a message. Everything that matters
after a restart is in the store, committed with the sources' places.
"""

import zlib
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from revertrisk.alerts.bank import Bank, Banks, Name, Outcome, WatchedSeries, model_as_json, model_from_json
from revertrisk.alerts.bins import StreamClock, Taken
from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.fitting import BINS, FITTED_DAYS, LONGEST_DAYS
from revertrisk.alerts.histories import (
    EDITS,
    EVERY_SCOPE,
    HIGH_RISK,
    PREDICTIONS,
    QUANTITIES,
    RISK_SCOPE,
    fit_series,
)
from revertrisk.alerts.incidents import (
    ALL_WIKIS,
    SMALL_WIKIS,
    SURGES,
    TOP_PAGES,
    Incident,
    MessageKind,
    Series,
    incident_id,
    message,
)
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.pages import PageLinks, PageTally, Tally, add_up
from revertrisk.alerts.quiet import Quiet
from revertrisk.alerts.store import Store
from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS
from revertrisk.alerts.versions import Versions

DEFAULT_BUDGET_DAYS: Final = 14.0
DEFAULT_THRESHOLD: Final = 0.87
DEFAULT_MODEL: Final = "revertrisk-language-agnostic"
REMEMBERED_IDS: Final = 2000
"""EventStreams repeats the events of the millisecond that it is resumed in."""
_ANY: Final = "*"
_KEPT_TALLY: Final = 50

Key = tuple[str, str]
"""Wiki and quantity."""
Counts = dict[Key, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What is watched."""

    wikis: frozenset[str] | None = None
    """None for all."""
    budget_days: float = DEFAULT_BUDGET_DAYS
    """One false start in so many days, over everything that is watched."""
    threshold: float = DEFAULT_THRESHOLD
    """A probability above it is high risk."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """Of wikis that have their own."""
    model_name: str = DEFAULT_MODEL
    ways: tuple[str, ...] = ()
    """The names of the ways that messages go."""

    def __post_init__(self) -> None:
        """Refuse a budget that no threshold can keep; raises ValueError."""
        least = LEAST_BUDGET_DAYS / max(1, len(self.wikis or ()))
        if not self.budget_days >= least:
            raise ValueError(
                f"budget-days: expected at least {least:g}: thresholds are read from the tail of daily maxima, which "
                f"needs {LEAST_BUDGET_DAYS:g} days a false start for each series"
            )


@dataclass(slots=True)
class Counters:
    """What a watch has seen; for metrics and the summary."""

    events: int = 0
    late: int = 0
    """Came when their minute was closed: in the history, but in no statistic."""
    repeated: int = 0
    wrong_clock: int = 0
    """Alone far ahead of the others: passed over."""
    undated: int = 0


class Watch:
    """The state of a watch over a store."""

    def __init__(self, settings: WatchSettings, store: Store, *, live_since: int, now: float) -> None:
        """Take up what the store has.

        ``live_since`` is a minute of Unix time, for a new store: what starts and ends before it is found in a replay,
        and is not told. ``now`` is monotonic, in seconds.
        """
        self.settings = settings
        self.counters = Counters()
        self.clock = StreamClock()
        self.open_incidents: dict[Name, Incident] = {}
        self.banks = Banks()
        self._store = store
        self._minutes: dict[int, Counts] = {}
        self._partial: dict[int, Counts] = {length: {} for length in BINS}
        self._blind: dict[int, set[str]] = {length: set() for length in BINS}
        """Of each bin length, the scopes of which a minute of the bin was not observed."""
        self._held: list[tuple[Event, str]] = []
        self._ids: deque[str] = deque(maxlen=REMEMBERED_IDS)
        self._known_ids: set[str] = set()
        self._pages = PageTally()
        self._links = PageLinks()
        self._tallies: dict[Name, dict[str, Tally]] = {}
        self._created: list[tuple[str, int, int]] = []
        self._groups: dict[str, frozenset[str]] = {}
        self._wikis: dict[str, int] = {}
        """Each wiki that has been seen, and the minute of the day in which it is fitted."""
        self._begun: int | None = None
        self._risk_begun: int | None = None
        self._versions = Versions()
        self._quiet = Quiet()
        self._live_since = live_since
        self._restore(now)

    @property
    def holds_events(self) -> bool:
        """Whether an event waits for the next to say that its time is right: a place must not be kept now."""
        return bool(self._held)

    @property
    def budget_days(self) -> float:
        """Days per false start of each series: the budget over everything times what is watched."""
        return max(
            LEAST_BUDGET_DAYS, self.settings.budget_days * max(1, len(self.banks) + self._quiet.watched)
        )

    def take(self, event: Event | None, partition: str, now: float) -> None:
        """Take in an event of a partition (events of one in order, nearly); ``now`` is monotonic, in seconds."""
        self.counters.events += 1
        if event is None:
            self.counters.undated += 1
            return
        if event.id and event.id in self._known_ids:
            self.counters.repeated += 1
            return
        self._remember(event.id)
        taken = self.clock.note(partition, event.at, now)
        if taken is Taken.LEAP:
            self._held.append((event, partition))
            return
        if self._held:
            of_partition = [each for each, where in self._held if where == partition]
            self._held = [each for each in self._held if each[1] != partition]
            if taken is Taken.OPEN:
                for each in of_partition:
                    self._count(each)
            else:
                self.counters.wrong_clock += len(of_partition)
        if taken is Taken.LATE:
            self._count_late(event)
        else:
            self._count(event)
        self.close_minutes(now)

    def close_minutes(self, now: float) -> None:
        """Close the minutes that can be closed."""
        for minute in self.clock.closing(now):
            if self._begun is None:
                self._begun = minute
            self._close(minute)

    def note_nothing(self, minutes: int) -> None:
        """Take note that nothing at all has come for so many minutes by this machine's clock."""
        greatest = self.clock.greatest
        if greatest is None or (ALL_WIKIS, Series.STREAM) in self.open_incidents:
            return
        since = int(greatest) // 60
        incident = self._incident((ALL_WIKIS, Series.STREAM), since, since + minutes)
        incident.cause = "nothing comes, not even canary events: the stream or the way to it is broken"
        self._open(incident)

    def note_something(self) -> None:
        """Take note that something has come again."""
        self._end((ALL_WIKIS, Series.STREAM), int(self.clock.greatest or 0) // 60)

    def save(self) -> None:
        """Put everything into the store, for its next commit."""
        for bank in self.banks:
            bank.save()
        self._store.note_states(
            (each.scope, each.series, each.state) for bank in self.banks for each in bank.members
        )
        self._store.note_created(self._created)
        self._created.clear()
        self._store.note_fact("watch", self._as_state())

    # Counting.

    def _remember(self, event_id: str) -> None:
        if event_id:
            if len(self._ids) == REMEMBERED_IDS:
                self._known_ids.discard(self._ids[0])
            self._ids.append(event_id)
            self._known_ids.add(event_id)

    def _quantities(self, event: Event) -> Iterable[Key]:
        wikis = self.settings.wikis
        is_watched = wikis is None or event.wiki_id in wikis
        if event.kind is Kind.CANARY:
            yield _ANY, "canaries"
        elif event.kind is Kind.EDIT:
            yield _ANY, EDITS
            if is_watched:
                yield event.wiki_id, EDITS
        elif event.kind is Kind.PREDICTION:
            yield _ANY, PREDICTIONS
            yield event.model_version, "version"
            if is_watched:
                yield event.wiki_id, PREDICTIONS
                limit = self.settings.thresholds.get(event.wiki_id, self.settings.threshold)
                if event.probability > limit:
                    yield event.wiki_id, HIGH_RISK

    def _count(self, event: Event) -> None:
        minute = int(event.at) // 60
        counts = self._minutes.setdefault(minute, {})
        for key in self._quantities(event):
            counts[key] = counts.get(key, 0) + 1
            wiki, quantity = key
            if wiki == event.wiki_id and quantity in {EDITS, HIGH_RISK}:
                self._pages.add(minute, key, event.page_id, event.title)
        if event.is_creation:
            self._created.append((event.wiki_id, event.page_id, minute))
        elif event.kind is Kind.DELETE:
            self._pages.forget_title(event.wiki_id, event.page_id)
            for tallies in self._tallies.values():
                if event.page_id in tallies.get(event.wiki_id, {}):
                    tallies[event.wiki_id][event.page_id][1] = ""

    def _count_late(self, event: Event) -> None:
        self.counters.late += 1
        if self._begun is not None and event.at >= self._begun * 60:
            for wiki, quantity in self._quantities(event):
                if wiki == event.wiki_id:
                    self._store.add_count(wiki, quantity, int(event.at) // 60, 1)

    # A minute.

    def _close(self, minute: int) -> None:
        counts = self._minutes.pop(minute, {})
        for (wiki, quantity), number in counts.items():
            if wiki != _ANY and quantity != "version":
                self._store.add_count(wiki, quantity, minute, number)
                if wiki not in self._wikis:
                    self._wikis[wiki] = zlib.crc32(wiki.encode()) % MINUTES_PER_DAY
        self._note_versions(minute, counts)
        for name in self.open_incidents:
            self._add_pages(name, minute, minute)
        blind = self._note_quiet(minute, counts)
        for length in BINS:
            partial = self._partial[length]
            for key, number in counts.items():
                partial[key] = partial.get(key, 0) + number
            self._blind[length] |= blind
            if (minute + 1) % length == 0:
                for bank in list(self.banks):
                    if bank.bin_minutes == length:
                        self._step(bank, minute, partial, self._blind[length])
                self._partial[length] = {}
                self._blind[length] = set()
        self._announce_what_is_open(minute)
        self._pages.forget_before(minute)
        self._fit_what_is_due(minute + 1)

    def _sum(self, counts: Counts, scope: str, series: str, quantity: str) -> int:
        if scope == SMALL_WIKIS:
            return sum(counts.get((wiki, quantity), 0) for wiki in self._groups.get(series, ()))
        return counts.get((scope, quantity), 0)

    def _step(self, bank: Bank, minute: int, counts: Counts, blind: set[str]) -> None:
        members = bank.members
        numbers = [
            self._sum(counts, each.scope, each.series, QUANTITIES[Series(each.series)]) for each in members
        ]
        exposure = [
            self._sum(counts, each.scope, each.series, PREDICTIONS) if bank.of_shares else 1
            for each in members
        ]
        seen = [
            not (
                EVERY_SCOPE in blind
                or each.scope in blind
                or (each.series != Series.EDITS and RISK_SCOPE in blind)
            )
            for each in members
        ]
        number = minute // bank.bin_minutes
        outcomes = bank.step(
            number, np.array(numbers, float), np.array(exposure, float), np.array(seen, float)
        )
        for outcome in outcomes:
            self._note_outcome(outcome, minute, bank.bin_minutes)

    def _note_outcome(self, outcome: Outcome, minute: int, bin_minutes: int) -> None:
        watched, state = outcome.watched, outcome.state
        if not outcome.is_start:
            incident = self.open_incidents.get(watched.name)
            if incident is not None:
                self._take_size(incident, state)
            self._end(watched.name, minute + 1)
            return
        incident = self._incident(watched.name, int(state["since"]) * bin_minutes, minute + 1)
        incident.is_provisional = watched.model.is_provisional
        begun = self._begun if watched.series == Series.EDITS else self._risk_begun
        incident.known_by = (begun or 0) + FITTED_DAYS * MINUTES_PER_DAY
        self._take_size(incident, state)
        self._open(incident)

    @staticmethod
    def _take_size(incident: Incident, state: Mapping[str, float]) -> None:
        incident.observed, incident.expected = state["span_counts"], state["span_means"]
        incident.peak_ratio = max(incident.peak_ratio, state["peak"])

    # Incidents.

    def _incident(self, name: Name, since: int, found: int) -> Incident:
        return Incident(incident_id(*name, found), *name, since=since, found=found)

    def _open(self, incident: Incident) -> None:
        name = (incident.scope, incident.series)
        if name in self.open_incidents:
            return
        self.open_incidents[name] = incident
        self._add_pages(name, incident.since, incident.found)
        self._store.note_incident(incident.as_state())
        self._announce_what_is_open(incident.found)

    def _end(self, name: Name, minute: int, cause: str = "") -> None:
        incident = self.open_incidents.pop(name, None)
        if incident is None:
            return
        incident.ended = max(minute, incident.since)
        incident.pages = self._top_pages(name)
        if cause:
            incident.cause = cause
        self._tallies.pop(name, None)
        if incident.announced:
            self._put_out(message(incident, MessageKind.END, incident.pages))
        self._store.note_incident(incident.as_state())

    def _announce_what_is_open(self, minute: int) -> None:
        for name, incident in self.open_incidents.items():
            if not incident.announced and minute >= self._live_since:
                incident.announced = True
                incident.pages = self._top_pages(name)
                self._put_out(message(incident, MessageKind.START, incident.pages))
                self._store.note_incident(incident.as_state())

    def _put_out(self, document: dict[str, Any]) -> None:
        for way in self.settings.ways:
            self._store.put_out(way, f"{document['incident_id']}:{document['kind']}", document)

    # Pages.

    def _add_pages(self, name: Name, first: int, last: int) -> None:
        scope, series = name
        if series not in SURGES:
            return
        quantity = EDITS if series == Series.EDITS else HIGH_RISK
        wikis = self._groups.get(series, frozenset()) if scope == SMALL_WIKIS else {scope}
        tallies = self._tallies.setdefault(name, {})
        for wiki, tally in self._pages.of([(wiki, quantity) for wiki in wikis], first, last).items():
            if tally:
                add_up(tallies.setdefault(wiki, {}), tally)

    def _top_pages(self, name: Name) -> list[dict[str, Any]]:
        pages = [
            (number, wiki, page_id, title)
            for wiki, tally in self._tallies.get(name, {}).items()
            for page_id, (number, title) in tally.items()
        ]
        pages.sort(key=lambda page: (-page[0], page[1], page[2]))
        young = {(wiki, page_id) for wiki, page_id, _ in self._created}
        return [
            self._links.page(
                wiki,
                page_id,
                "" if (wiki, page_id) in young or self._store.is_young(wiki, page_id) else title,
                number,
            )
            for number, wiki, page_id, title in pages[:TOP_PAGES]
        ]

    # Versions and silence.

    def _note_versions(self, minute: int, counts: Counts) -> None:
        versions = {version: number for (version, what), number in counts.items() if what == "version"}
        if versions and self._risk_begun is None:
            self._risk_begun = minute
        change = self._versions.note(versions)
        if change is None:
            return
        for series in (Series.HIGH_RISK, Series.SHARE):
            for scope in [scope for scope, what in self.banks.names() if what == series]:
                self._end((scope, series), minute + 1, cause="the model's version changed")
                self.banks.remove((scope, series), self.budget_days)
                self._store.forget_series(scope, series)
            self._groups.pop(series, None)
        for quantity in (PREDICTIONS, HIGH_RISK):
            self._store.forget_history(quantity)
        self._risk_begun = minute + 1
        incident = self._incident((ALL_WIKIS, Series.HIGH_RISK), minute, minute + 1)
        incident.cause = (
            f"model version {change.new} instead of {change.old}: a new baseline of the risk series begins, "
            "and its alarms pause for a day"
        )
        incident.is_provisional, incident.known_by = True, minute + 1 + FITTED_DAYS * MINUTES_PER_DAY
        if minute >= self._live_since:
            notice = message(incident, MessageKind.NOTICE)
            self._put_out(
                {
                    key: value
                    for key, value in notice.items()
                    if key not in {"ratio", "observed", "expected", "pages"}
                }
            )

    def _note_quiet(self, minute: int, counts: Counts) -> set[str]:
        """Look for silence; return the scopes of which this minute is not to be counted."""
        edits = [
            (watched.scope, bank, index)
            for bank in self.banks
            if not bank.of_shares
            for index, watched in enumerate(bank.members)
            if watched.series == Series.EDITS
        ]
        usual: dict[str, float] = {}
        alphas: dict[str, float] = {}
        per_bank = {id(bank): bank.usual(minute // bank.bin_minutes) for _, bank, _ in edits}
        for scope, bank, index in edits:
            usual[scope] = float(per_bank[id(bank)][index]) / bank.bin_minutes
            alphas[scope] = bank.members[index].model.dispersion.alpha
        spoken = {scope: self._sum(counts, scope, Series.EDITS, EDITS) for scope in usual}
        found = self._quiet.note(
            minute,
            usual=usual,
            alphas=alphas,
            counts=spoken,
            edits=counts.get((_ANY, EDITS), 0),
            predictions=counts.get((_ANY, PREDICTIONS), 0),
            canaries=counts.get((_ANY, "canaries"), 0),
            budget_days=self.budget_days,
        )
        for begun in found.started:
            incident = self._incident((begun.scope, begun.series), begun.since, minute + 1)
            incident.cause = begun.cause
            self._open(incident)
        for over in found.ended:
            self._end((over.scope, over.series), minute)
            scope = {Series.PREDICTIONS: RISK_SCOPE}.get(over.series, over.scope)
            self._store.note_outage(EVERY_SCOPE if scope == ALL_WIKIS else scope, over.since, minute - 1)
        blind = {
            EVERY_SCOPE if scope == ALL_WIKIS else scope
            for scope, series in self.open_incidents
            if series == Series.SILENCE
        }
        if (ALL_WIKIS, Series.PREDICTIONS) in self.open_incidents:
            blind.add(RISK_SCOPE)
        if self._versions.is_mixed:
            self._store.note_outage(RISK_SCOPE, minute, minute)
            blind.add(RISK_SCOPE)
        return blind

    # Fitting.

    def _fit_what_is_due(self, end: int) -> None:
        if self._begun is None:
            return
        first = -(-self._begun // 60) * 60 + MINUTES_PER_DAY
        of_day = end % MINUTES_PER_DAY
        if end == first:
            due = sorted(self._wikis)
        else:
            due = [wiki for wiki, when in self._wikis.items() if when == of_day] if end > first else []
        for wiki in due:
            for series in SURGES:
                self._fit(wiki, [wiki], series, end)
        if end >= first and (end == first or of_day == 0):
            for series in SURGES:
                fitted = {scope for scope, what in self.banks.names() if what == series}
                small = sorted(wiki for wiki in self._wikis if wiki not in fitted)
                self._groups[series] = frozenset(small)
                if self.settings.wikis is None:
                    self._fit(SMALL_WIKIS, small, series, end)
            self.banks.rebuild(self.budget_days)
        if of_day == 0:
            self._store.forget_before(end - (LONGEST_DAYS + 1) * MINUTES_PER_DAY)
            self._store.forget_created(end - MINUTES_PER_DAY)

    def _fit(self, scope: str, wikis: list[str], series: Series, end: int) -> None:
        begun = self._begun if series is Series.EDITS else self._risk_begun
        if begun is None or (
            series is not Series.EDITS and (ALL_WIKIS, Series.PREDICTIONS) in self.open_incidents
        ):
            return
        name = (scope, series.value)
        known = self.banks.get(name)
        watched = fit_series(self._store, scope, wikis, series, begun=begun, end=end, known=known)
        if watched is not None:
            self.banks.put(watched, self.budget_days)
            self._store.note_model(scope, series.value, model_as_json(watched.model), watched.state)
        elif known is not None:
            self._end(name, end)
            self.banks.remove(name, self.budget_days)
            self._store.forget_series(scope, series.value)

    # Keeping.

    def _as_state(self) -> dict[str, Any]:
        return {
            "clock": self.clock.as_state(),
            "minutes": [[minute, _as_rows(counts)] for minute, counts in self._minutes.items()],
            "partial": [[length, _as_rows(counts)] for length, counts in self._partial.items()],
            "blind": [[length, sorted(scopes)] for length, scopes in self._blind.items()],
            "ids": list(self._ids),
            "groups": {str(series): sorted(wikis) for series, wikis in self._groups.items()},
            "wikis": self._wikis,
            "begun": self._begun,
            "risk_begun": self._risk_begun,
            "live_since": self._live_since,
            "versions": self._versions.as_state(),
            "quiet": self._quiet.as_state(),
            "tallies": [
                [*name, wiki, page_id, *kept]
                for name, tallies in self._tallies.items()
                for wiki, tally in tallies.items()
                for page_id, kept in sorted(tally.items(), key=lambda item: -int(item[1][0]))[:_KEPT_TALLY]
            ],
        }

    def _restore(self, now: float) -> None:
        for scope, series, model, state in self._store.series():
            self.banks.put(WatchedSeries(scope, series, model_from_json(model), state), LEAST_BUDGET_DAYS)
        for document in self._store.incidents(open_only=True):
            incident = Incident(**document)
            self.open_incidents[incident.scope, incident.series] = incident
        kept = self._store.fact("watch")
        if kept is not None:
            self.clock.restore(kept["clock"], now)
            self._minutes = {minute: _as_counts(rows) for minute, rows in kept["minutes"]}
            self._partial |= {length: _as_counts(rows) for length, rows in kept["partial"]}
            self._blind |= {length: set(scopes) for length, scopes in kept["blind"]}
            for event_id in kept["ids"]:
                self._remember(event_id)
            self._groups = {series: frozenset(wikis) for series, wikis in kept["groups"].items()}
            self._wikis = kept["wikis"]
            self._begun, self._risk_begun = kept["begun"], kept["risk_begun"]
            self._live_since = kept["live_since"]
            self._versions.restore(kept["versions"])
            self._quiet.restore(kept["quiet"])
            for scope, series, wiki, page_id, number, title in kept["tallies"]:
                self._tallies.setdefault((scope, series), {}).setdefault(wiki, {})[page_id] = [number, title]
        self.banks.rebuild(self.budget_days)

    def known_by(self) -> datetime | None:
        """Return when there will be a history of four weeks, None before the first event."""
        if self._begun is None:
            return None
        return datetime.fromtimestamp((self._begun + FITTED_DAYS * MINUTES_PER_DAY) * 60, UTC)


def _as_rows(counts: Counts) -> list[list[Any]]:
    return [[*key, number] for key, number in counts.items()]


def _as_counts(rows: list[list[Any]]) -> Counts:
    return {(wiki, quantity): number for wiki, quantity, number in rows}
