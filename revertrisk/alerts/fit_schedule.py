"""The watched series, and when each is fitted: once a day, each wiki in a minute of its own.

A series is fitted for the first time when it has a day of history. The history of a wiki that is added to the watch
begins at that moment: its earlier edits were not counted, and zeros would make a wrong baseline.
"""

import zlib
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from revertrisk.alerts.bank import Banks, Name, WatchedSeries, model_as_json, model_from_json
from revertrisk.alerts.fitting import FITTED_DAYS, LONGEST_DAYS
from revertrisk.alerts.incidents import SMALL_WIKIS, SURGES, Series, instant
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.pages import Key
from revertrisk.alerts.series_fit import fit_series
from revertrisk.alerts.store import Store
from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS
from revertrisk.alerts.wording import counted

_HOUR: Final = 60


class FitSchedule:
    """The banks of watched series, which it fits on the histories in the store."""

    def __init__(
        self, store: Store, budget_days: Callable[[int], float], end: Callable[[Name, int], None]
    ) -> None:
        """Restore the series of the store.

        ``budget_days`` returns the days per false start of each series from the number of series; ``end`` ends the
        incident of a series.
        """
        self.banks = Banks()
        self.groups: dict[str, frozenset[str]] = {}
        """By series, the wikis that are watched as one group."""
        self.begun: int | None = None
        """The first minute with an edit of any wiki."""
        self.risk_begun: int | None = None
        """The first minute with a prediction by the current version of the model."""
        self._added: dict[str, int] = {}
        """The first counted minute of each wiki that was added to the watch later."""
        self._others_added = 0
        """The first counted minute of the wikis that are not in it; 0 if they were watched from the beginning."""
        self._store = store
        self._budget_days = budget_days
        self._end = end
        self._wikis: dict[str, int] = {}
        """The wikis that have had events, and the minute of the day in which each is fitted."""
        for scope, series, model, state in store.series():
            watched = WatchedSeries(scope, series, model_from_json(model), state)
            self.banks.put(watched, LEAST_BUDGET_DAYS)

    @property
    def budget_days(self) -> float:
        """The days per false start of each series."""
        return self._budget_days(len(self.banks))

    @property
    def silences(self) -> int:
        """The number of scopes that are watched for silence: those whose usual number of edits is known."""
        return sum(series == Series.EDITS for _, series in self.banks.names())

    def count(self, counts: Mapping[Key, int], scope: str, series: str, quantity: str) -> int:
        """Return the count of a quantity in a scope: of a wiki, or of the group of a series."""
        if scope == SMALL_WIKIS:
            return sum(counts.get((wiki, quantity), 0) for wiki in self.groups.get(series, ()))
        return counts.get((scope, quantity), 0)

    def begun_of(self, scope: str, series: str) -> int | None:
        """Return the first minute of the history of a series in a scope; None if it has not begun."""
        begun = self.begun if series == Series.EDITS else self.risk_begun
        return None if begun is None else max(begun, self._added.get(scope, self._others_added))

    def note_added(
        self, before: AbstractSet[str] | None, wikis: AbstractSet[str] | None, minute: int
    ) -> None:
        """Note the wikis that are watched from a minute on, and were not before; None stands for all wikis."""
        if before is None:
            return
        if wikis is None:
            self._added = {wiki: self._added.get(wiki, self._others_added) for wiki in before}
            self._others_added = minute
        else:
            self._added |= dict.fromkeys(wikis - before, minute)

    def note_wiki(self, wiki_id: str) -> None:
        """Note a wiki that has events."""
        if wiki_id not in self._wikis:
            self._wikis[wiki_id] = zlib.crc32(wiki_id.encode()) % MINUTES_PER_DAY

    def fit_due_series(self, end: int, *, with_group: bool, with_risk: bool) -> None:
        """Fit the series that are due when the minutes before ``end`` are closed."""
        of_day, is_hour = end % MINUTES_PER_DAY, end % _HOUR == 0
        has_changed = False
        for series in SURGES if with_risk else (Series.EDITS,):
            due = [
                wiki
                for wiki, when in self._wikis.items()
                if when == of_day or (is_hour and end == self._first_fit(wiki, series))
            ]
            for wiki in sorted(due):
                self._fit(wiki, [wiki], series, end)
            if of_day == 0 or (is_hour and end == self._first_fit(SMALL_WIKIS, series)):
                fitted = {scope for scope, what in self.banks.names() if what == series}
                small = sorted(wiki for wiki in self._wikis if wiki not in fitted)
                self.groups[series.value] = frozenset(small)
                if with_group:
                    self._fit(SMALL_WIKIS, small, series, end)
                has_changed = True
        if has_changed:
            self.banks.rebuild(self.budget_days)
        if of_day == 0:
            self._store.history.forget_before(end - (LONGEST_DAYS + 1) * MINUTES_PER_DAY)
            self._store.forget_created(end - MINUTES_PER_DAY)

    def forget(self, series: Series, end: Callable[[Name], None]) -> None:
        """Remove a series of all wikis; ``end`` ends the incident of each."""
        for name in [name for name in self.banks.names() if name[1] == series]:
            end(name)
            self.remove(name)
        self.groups.pop(series.value, None)

    def keep_only(self, scopes: AbstractSet[str]) -> None:
        """Remove the series of all other scopes."""
        self._wikis = {wiki: when for wiki, when in self._wikis.items() if wiki in scopes}
        self._added = {wiki: minute for wiki, minute in self._added.items() if wiki in scopes}
        for name in [name for name in self.banks.names() if name[0] not in scopes]:
            self.remove(name)

    def remove(self, name: Name) -> None:
        """Remove one series of one scope."""
        self.banks.remove(name, self.budget_days)
        self._store.forget_series(*name)

    def describe(self, end: int) -> str:
        """Return a text for the log: what is watched, when alarms begin, and the budget of each series.

        The minutes before ``end`` are closed.
        """
        first = self._first_fit(SMALL_WIKIS, Series.EDITS) or self._first_fit(SMALL_WIKIS, Series.HIGH_RISK)
        if first is None:
            return "no edits or predictions have arrived yet"
        sentences = []
        learning = sorted(wiki for wiki in self._added if (self._first_fit(wiki, Series.EDITS) or 0) > end)
        for wiki in learning:
            begun, until = self._added[wiki], self._first_fit(wiki, Series.EDITS) or 0
            sentences.append(
                f"{wiki} is counted since {instant(begun)}: its alarms begin after {instant(until)}"
            )
        if first > end and self._others_added:
            since = instant(self._others_added)
            sentences.append(
                f"the other wikis are counted since {since}: their alarms begin after {instant(first)}"
            )
        elif first > end:
            sentences.append(f"a first day of counts is needed: alarms begin after {instant(first)}")
        if len(self.banks):
            sentences.append(self._describe_series())
        return "; ".join(sentences) or "no series has enough events"

    def _describe_series(self) -> str:
        members = [member for bank in self.banks for member in bank.members]
        begun = [self.begun_of(each.scope, each.series) or 0 for each in members if each.model.is_provisional]
        days, silences = self.budget_days, self.silences
        extrapolated = sum(each.model.start.is_extrapolated(days) for each in members)
        watched = f"{len(members):,} series"
        if silences:
            watched += f" and {counted(silences, 'silence watch', 'silence watches')}"
        each_has = "each has" if len(members) + silences > 1 else "it has"
        sentences = [watched, f"{each_has} a budget of {days:,.0f} days"]
        if begun:
            until = instant(max(begun) + FITTED_DAYS * MINUTES_PER_DAY)[:10]
            sentences.append(
                f"{len(begun):,} series {'is' if len(begun) == 1 else 'are'} provisional until {until}"
            )
        are = "is" if extrapolated == 1 else "are"
        sentences.append(f"{counted(extrapolated, 'threshold')} {are} extrapolated")
        return "; ".join(sentences)

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart, besides the series."""
        return {
            "groups": {series: sorted(wikis) for series, wikis in self.groups.items()},
            "wikis": self._wikis,
            "begun": self.begun,
            "risk_begun": self.risk_begun,
            "added": self._added,
            "others_added": self._others_added,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Restore a kept state."""
        self.groups = {series: frozenset(wikis) for series, wikis in state["groups"].items()}
        self._wikis = state["wikis"]
        self.begun, self.risk_begun = state["begun"], state["risk_begun"]
        self._added, self._others_added = state["added"], state["others_added"]

    def _first_fit(self, scope: str, series: str) -> int | None:
        """Return the minute of the first fit: when the history has whole hours of a day."""
        begun = self.begun_of(scope, series)
        return None if begun is None else -(-begun // _HOUR) * _HOUR + MINUTES_PER_DAY

    def _fit(self, scope: str, wikis: list[str], series: Series, end: int) -> None:
        begun = self.begun_of(scope, series)
        if begun is None:
            return
        name = (scope, series.value)
        known = self.banks.get(name)
        watched = fit_series(self._store, scope, wikis, series, begun=begun, end=end, known=known)
        if watched is not None:
            self.banks.put(watched, self.budget_days)
            self._store.note_series(scope, series.value, model_as_json(watched.model), watched.state)
        elif known is not None:
            self._end(name, end)
            self.remove(name)
