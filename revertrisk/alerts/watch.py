"""A watch: events in, messages into the outbox. It has no sockets and reads no clock, so a replay finds the same.

A minute's counts are kept while it is open. When it is closed they go into the history and into the bins; bins that are
whole go through the detectors, and what starts or ends becomes an incident and a message. Everything that matters
after a restart is in the store, committed with the sources' places.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from revertrisk.alerts.announcing import Announcer
from revertrisk.alerts.bank import Bank, Banks, Name, Outcome
from revertrisk.alerts.bins import StreamClock
from revertrisk.alerts.events import Event, Kind
from revertrisk.alerts.fits import Fits
from revertrisk.alerts.fitting import BINS, FITTED_DAYS
from revertrisk.alerts.histories import (
    EDITS,
    EVERY_SCOPE,
    HIGH_RISK,
    PREDICTIONS,
    QUANTITIES,
    RISK_SCOPE,
    most_likely_begin,
)
from revertrisk.alerts.incidents import ALL_WIKIS, SMALL_WIKIS, SURGES, Incident, Series, incident_id, instant
from revertrisk.alerts.intake import Counters, Intake
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.pages import Key
from revertrisk.alerts.silence import SilenceDetector
from revertrisk.alerts.store import Store
from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS
from revertrisk.alerts.versions import Versions

DEFAULT_BUDGET_DAYS: Final = 14.0
DEFAULT_THRESHOLD: Final = 0.87
DEFAULT_MODEL: Final = "revertrisk-language-agnostic"
DAY_AND_HOUR: Final = MINUTES_PER_DAY + 60
_ANY: Final = "*"
"""Stands for every wiki of the stream, watched or not."""
_CANARIES: Final = "canaries"
_VERSION: Final = "version"

Counts = dict[Key, int]
"""By wiki and quantity."""


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


class Watch:
    """The state of a watch over a store."""

    def __init__(self, settings: WatchSettings, store: Store, *, live_since: int, now: float) -> None:
        """Take up what the store has.

        ``live_since`` is a minute of Unix time, for a new store: what starts and ends before it is found in a replay,
        and is not told. ``now`` is monotonic, in seconds.
        """
        self.settings = settings
        self._store = store
        self._intake = Intake()
        self._announcer = Announcer(store, settings.ways, live_since)
        self._silence = SilenceDetector()
        self._fits = Fits(store, self._days_of_each, self._announcer.end)
        self._versions = Versions()
        self._minutes: dict[int, Counts] = {}
        self._partial: dict[int, Counts] = {length: {} for length in BINS}
        self._blind: dict[int, set[str]] = {length: set() for length in BINS}
        """Of each bin length, the scopes of which a minute of the bin was not observed."""
        kept = store.fact("watch")
        if kept is not None:
            self._restore(kept, now)
            minute = int(self._intake.clock.greatest or 0) // 60
            self._leave_out_what_is_not_watched(minute)
            if kept["scoring"] != self._scoring() and self._fits.risk_begun is not None:
                self._begin_risk_anew(minute)
        self.banks.rebuild(self._fits.budget_days)

    @property
    def clock(self) -> StreamClock:
        """The time of the streams."""
        return self._intake.clock

    @property
    def counters(self) -> Counters:
        """What has come."""
        return self._intake.counters

    @property
    def banks(self) -> Banks:
        """The watched series."""
        return self._fits.banks

    @property
    def open_incidents(self) -> Mapping[Name, Incident]:
        """What is open, by scope and series."""
        return self._announcer.incidents

    def take(self, event: Event | None, partition: str, now: float, wall: float | None = None) -> None:
        """Take in an event of a partition (events of one in order, nearly).

        ``now`` is monotonic, in seconds; ``wall`` is this machine's Unix time, None in a replay.
        """
        accepted = self._intake.take(event, partition, now, wall)
        for each in accepted.in_time:
            self._count(each)
        for each in accepted.late:
            self._count_late(each)
        if (ALL_WIKIS, Series.STREAM) in self.open_incidents:
            for each in (*accepted.in_time, *accepted.late):
                self._announcer.end((ALL_WIKIS, Series.STREAM), int(each.at) // 60)
        self.close_minutes(now)

    def close_minutes(self, now: float) -> None:
        """Close the minutes that can be closed."""
        for minute in self._intake.clock.closing(now):
            self._close(minute)

    def note_nothing(self, minutes: int) -> None:
        """Take note that nothing at all has come for so many minutes by this machine's clock."""
        greatest = self._intake.clock.greatest
        if greatest is None or (ALL_WIKIS, Series.STREAM) in self.open_incidents:
            return
        since = int(greatest) // 60
        cause = "nothing comes, not even canary events: the stream or the way to it is broken"
        self._announcer.open(_incident((ALL_WIKIS, Series.STREAM), since, since + minutes, cause))

    def describe(self) -> str:
        """Return a sentence on what is watched, how well it is known, and what the budget means."""
        begun, number = self._fits.begun, len(self.banks)
        if begun is None:
            return "nothing has come yet"
        if not number:
            return (
                f"learning what is usual from a first day: alarms begin after {instant(begun + DAY_AND_HOUR)}"
            )
        known_by = instant(begun + FITTED_DAYS * MINUTES_PER_DAY)
        models = [member.model for bank in self.banks for member in bank.members]
        provisional = sum(model.is_provisional for model in models)
        days = self._fits.budget_days
        extrapolated = sum(model.start.is_extrapolated(days) for model in models)
        return (
            f"{number} series are watched, {provisional} of them provisional until {known_by[:10]}; the budget of "
            f"each is {days:,.0f} days a false start, which for {extrapolated} of them is an extrapolation"
        )

    def save(self) -> None:
        """Put everything into the store, for its next commit."""
        for bank in self._fits.banks:
            bank.save()
            self._store.note_states((each.scope, each.series, each.state) for each in bank.members)
        self._announcer.save()
        self._store.note_fact("watch", self._as_state())

    def _days_of_each(self, series: int) -> float:
        """Return the days per false start of each series: the budget over everything times what is watched."""
        return max(LEAST_BUDGET_DAYS, self.settings.budget_days * max(1, series + self._silence.watched))

    def _leave_out_what_is_not_watched(self, minute: int) -> None:
        """End and forget what the state has of wikis that are no longer asked for."""
        if self.settings.wikis is None:
            return
        watched = {*self.settings.wikis, ALL_WIKIS}
        for name in [name for name in self.open_incidents if name[0] not in watched]:
            self._announcer.end(name, minute, cause="not watched any more")
        self._fits.keep_only(watched)
        self._silence.forget(watched)

    def _scoring(self) -> list[Any]:
        """Return what says which predictions are high-risk."""
        chosen = self.settings
        return [chosen.model_name, chosen.threshold, dict(sorted(chosen.thresholds.items()))]

    def _begin_risk_anew(self, minute: int) -> None:
        """Forget what was counted by another threshold or of another model, and say so."""
        self._versions = Versions()
        for counts in (*self._minutes.values(), *self._partial.values()):
            for key in [key for key in counts if key[1] in {PREDICTIONS, HIGH_RISK, _VERSION}]:
                del counts[key]
        self._forget_risk(
            minute,
            "another threshold or another model was chosen",
            "another threshold or another model was chosen",
        )
        self._fits.risk_begun = None

    def _forget_risk(self, minute: int, why_over: str, why: str) -> None:
        """End and forget the risk series, and tell it; they are fitted when there is a day of history again."""

        def end(name: Name) -> None:
            self._announcer.end(name, minute + 1, cause=why_over)

        for series in (Series.HIGH_RISK, Series.SHARE):
            self._fits.forget(series, end)
        for quantity in (PREDICTIONS, HIGH_RISK):
            self._store.forget_history(quantity)
        cause = f"{why}: a new baseline of the risk series begins, and their alarms pause for a day"
        notice = _incident((ALL_WIKIS, Series.VERSION), minute, minute + 1, cause)
        notice.is_provisional, notice.known_by = True, minute + 1 + FITTED_DAYS * MINUTES_PER_DAY
        self._announcer.notice(notice)

    # Counting.

    def _is_watched(self, wiki_id: str) -> bool:
        return self.settings.wikis is None or wiki_id in self.settings.wikis

    def _quantities(self, event: Event) -> Iterable[Key]:
        is_watched = self._is_watched(event.wiki_id)
        if event.kind is Kind.CANARY:
            yield _ANY, _CANARIES
        elif event.kind is Kind.EDIT:
            yield _ANY, EDITS
            if is_watched:
                yield event.wiki_id, EDITS
        elif event.kind is Kind.PREDICTION:
            yield _ANY, PREDICTIONS
            yield event.model_version, _VERSION
            if is_watched:
                yield event.wiki_id, PREDICTIONS
                if event.probability > self.settings.thresholds.get(event.wiki_id, self.settings.threshold):
                    yield event.wiki_id, HIGH_RISK

    def _count(self, event: Event) -> None:
        minute = int(event.at) // 60
        counts = self._minutes.setdefault(minute, {})
        for key in self._quantities(event):
            counts[key] = counts.get(key, 0) + 1
            wiki, quantity = key
            if wiki == event.wiki_id and quantity != PREDICTIONS:
                self._announcer.pages.add(minute, key, event.page_id, event.title)
        if self._is_watched(event.wiki_id):
            self._announcer.note_page(event, minute)

    def _count_late(self, event: Event) -> None:
        if event.kind is Kind.DELETE and self._is_watched(event.wiki_id):
            self._announcer.note_page(event, int(event.at) // 60)
        begun = self._fits.begun
        if begun is not None and event.at >= begun * 60:
            for wiki, quantity in self._quantities(event):
                if wiki == event.wiki_id:
                    self._store.add_count(wiki, quantity, int(event.at) // 60, 1)

    # A minute.

    def _close(self, minute: int) -> None:
        if self._fits.begun is None:
            self._fits.begun = minute
        counts = self._minutes.pop(minute, {})
        for (wiki, quantity), number in counts.items():
            if wiki != _ANY and quantity != _VERSION and self._is_watched(wiki):
                self._store.add_count(wiki, quantity, minute, number)
                self._fits.note_wiki(wiki)
        self._note_versions(minute, counts)
        for name in self.open_incidents:
            self._announcer.add_pages(name, self._pages_of(name), minute, minute)
        blind = self._note_quiet(minute, counts)
        for length in BINS:
            partial = self._partial[length]
            for key, number in counts.items():
                partial[key] = partial.get(key, 0) + number
            self._blind[length] |= blind
            if (minute + 1) % length == 0:
                for bank in self._fits.banks.of_length(length):
                    self._step(bank, minute, partial, self._blind[length])
                self._partial[length], self._blind[length] = {}, set()
        self._announcer.announce(minute)
        self._announcer.pages.forget_before(minute)
        self._fits.fit_what_is_due(
            minute + 1,
            with_group=self.settings.wikis is None,
            with_risk=(ALL_WIKIS, Series.PREDICTIONS) not in self.open_incidents,
        )

    def _sum(self, counts: Counts, scope: str, series: str, quantity: str) -> int:
        if scope == SMALL_WIKIS:
            return sum(counts.get((wiki, quantity), 0) for wiki in self._fits.groups.get(series, ()))
        return counts.get((scope, quantity), 0)

    def _step(self, bank: Bank, minute: int, counts: Counts, blind: set[str]) -> None:
        numbers, exposure, seen = [], [], []
        for each in bank.members:
            numbers.append(self._sum(counts, each.scope, each.series, QUANTITIES[Series(each.series)]))
            exposure.append(self._sum(counts, each.scope, each.series, PREDICTIONS) if bank.of_shares else 1)
            hiding = {EVERY_SCOPE, each.scope} | ({RISK_SCOPE} if each.series != Series.EDITS else set())
            seen.append(not hiding & blind)
        outcomes = bank.step(
            minute // bank.bin_minutes, *(np.array(each, float) for each in (numbers, exposure, seen))
        )
        for outcome in outcomes:
            self._note_outcome(outcome, minute, bank.bin_minutes)

    def _note_outcome(self, outcome: Outcome, minute: int, bin_minutes: int) -> None:
        watched, state = outcome.watched, outcome.state
        if not outcome.is_start:
            incident = self.open_incidents.get(watched.name)
            if incident is not None:
                _take_size(incident, state)
            self._announcer.end(watched.name, minute + 1)
            return
        since, observed_before, expected_before = int(state["since"]), 0.0, 0.0
        if watched.series != Series.SHARE:  # whose means go with the predictions of each bin
            wikis = [wiki for wiki, _ in self._pages_of(watched.name)]
            since, observed_before, expected_before = most_likely_begin(
                self._store, watched, wikis, state, minute // bin_minutes
            )
        incident = _incident(watched.name, since * bin_minutes, minute + 1)
        incident.observed_before, incident.expected_before = observed_before, expected_before
        incident.is_provisional = watched.model.is_provisional
        begun = self._fits.begun if watched.series == Series.EDITS else self._fits.risk_begun
        incident.known_by = (begun or 0) + FITTED_DAYS * MINUTES_PER_DAY
        _take_size(incident, state)
        self._announcer.open(incident, self._pages_of(watched.name))

    def _pages_of(self, name: Name) -> list[Key]:
        """Return the wikis and quantities whose pages are an incident's."""
        scope, series = name
        if series not in SURGES:
            return []
        quantity = EDITS if series == Series.EDITS else HIGH_RISK
        wikis = self._fits.groups.get(series, ()) if scope == SMALL_WIKIS else (scope,)
        return [(wiki, quantity) for wiki in wikis]

    # Versions and silence.

    def _note_versions(self, minute: int, counts: Counts) -> None:
        versions = {version: number for (version, what), number in counts.items() if what == _VERSION}
        if versions and self._fits.risk_begun is None:
            self._fits.risk_begun = minute
        change = self._versions.note(versions)
        if change is None:
            return
        self._forget_risk(
            minute,
            "the model's version changed",
            f"model version {change.new} instead of {change.old}",
        )
        self._fits.risk_begun = minute + 1

    def _note_quiet(self, minute: int, counts: Counts) -> set[str]:
        """Look for silence; return the scopes of which this minute is not to be counted."""
        usual: dict[str, float] = {}
        alphas: dict[str, float] = {}
        for bank in self._fits.banks:
            if bank.of_shares:
                continue
            means = bank.usual(minute // bank.bin_minutes) / bank.bin_minutes
            for watched, mean in zip(bank.members, means, strict=True):
                if watched.series == Series.EDITS:
                    usual[watched.scope] = float(mean)
                    alphas[watched.scope] = watched.model.dispersion.alpha
        found = self._silence.note(
            minute,
            usual=usual,
            alphas=alphas,
            counts={scope: self._sum(counts, scope, Series.EDITS, EDITS) for scope in usual},
            edits=counts.get((_ANY, EDITS), 0),
            predictions=counts.get((_ANY, PREDICTIONS), 0),
            canaries=counts.get((_ANY, _CANARIES), 0),
            budget_days=self._fits.budget_days,
        )
        for begun in found.started:
            self._announcer.open(_incident((begun.scope, begun.series), begun.since, minute + 1, begun.cause))
        for over in found.ended:
            self._announcer.end((over.scope, over.series), minute)
            self._store.note_outage(_blinded(over.scope, over.series), over.since, minute - 1)
        blind = {_blinded(*name) for name in self.open_incidents if name[1] in _SILENCES}
        if self._versions.is_mixed:
            self._store.note_outage(RISK_SCOPE, minute, minute)
            blind.add(RISK_SCOPE)
        return blind

    # Keeping.

    def _as_state(self) -> dict[str, Any]:
        return {
            "scoring": self._scoring(),
            "intake": self._intake.as_state(),
            "announcer": self._announcer.as_state(),
            "fits": self._fits.as_state(),
            "silence": self._silence.as_state(),
            "versions": self._versions.as_state(),
            "minutes": [[minute, _as_rows(counts)] for minute, counts in self._minutes.items()],
            "partial": [[length, _as_rows(counts)] for length, counts in self._partial.items()],
            "blind": [[length, sorted(scopes)] for length, scopes in self._blind.items()],
        }

    def _restore(self, kept: Mapping[str, Any], now: float) -> None:
        self._intake.restore(kept["intake"], now)
        self._announcer.restore(kept["announcer"])
        self._fits.restore(kept["fits"])
        self._silence.restore(kept["silence"])
        self._versions.restore(kept["versions"])
        self._minutes = {minute: _as_counts(rows) for minute, rows in kept["minutes"]}
        self._partial |= {length: _as_counts(rows) for length, rows in kept["partial"]}
        self._blind |= {length: set(scopes) for length, scopes in kept["blind"]}


_SILENCES: Final = (Series.SILENCE, Series.PREDICTIONS)


def _blinded(scope: str, series: str) -> str:
    """Return the scope that a silence makes blind."""
    if series == Series.PREDICTIONS:
        return RISK_SCOPE
    return EVERY_SCOPE if scope == ALL_WIKIS else scope


def _incident(name: Name, since: int, found: int, cause: str = "") -> Incident:
    return Incident(incident_id(*name, found), *name, since=since, found=found, cause=cause)


def _take_size(incident: Incident, state: Mapping[str, float]) -> None:
    incident.observed = state["span_counts"] - incident.observed_before
    incident.expected = max(0.0, state["span_means"] - incident.expected_before)
    incident.peak_ratio = max(incident.peak_ratio, state["peak"])


def _as_rows(counts: Counts) -> list[list[Any]]:
    return [[*key, number] for key, number in counts.items()]


def _as_counts(rows: list[list[Any]]) -> Counts:
    return {(wiki, quantity): number for wiki, quantity, number in rows}
