"""Which series are watched, and when each is fitted: once a day, each wiki in a minute of its own."""

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

_HOUR: Final = 60


class FitSchedule:
    """The banks of watched series, kept up to date from the histories in the store."""

    def __init__(
        self, store: Store, budget_days: Callable[[int], float], end: Callable[[Name, int], None]
    ) -> None:
        """Take up the series of the store.

        ``budget_days`` returns the days per false start of each of so many series; ``end`` ends a series' incident.
        """
        self.banks = Banks()
        self.groups: dict[str, frozenset[str]] = {}
        """By series, the wikis that are watched together."""
        self.begun: int | None = None
        """The first minute of the history."""
        self.risk_begun: int | None = None
        """The first minute of the predictions by the model's version."""
        self._store = store
        self._budget_days = budget_days
        self._end = end
        self._wikis: dict[str, int] = {}
        """Each wiki that has been seen, and the minute of the day in which it is fitted."""
        for scope, series, model, state in store.series():
            watched = WatchedSeries(scope, series, model_from_json(model), state)
            self.banks.put(watched, LEAST_BUDGET_DAYS)

    @property
    def budget_days(self) -> float:
        """Days per false start of each series."""
        return self._budget_days(len(self.banks))

    def count(self, counts: Mapping[Key, int], scope: str, series: str, quantity: str) -> int:
        """Return the count of a quantity in a scope: of a wiki, or of the group of a series."""
        if scope == SMALL_WIKIS:
            return sum(counts.get((wiki, quantity), 0) for wiki in self.groups.get(series, ()))
        return counts.get((scope, quantity), 0)

    def note_wiki(self, wiki_id: str) -> None:
        """Take note of a wiki that has events."""
        if wiki_id not in self._wikis:
            self._wikis[wiki_id] = zlib.crc32(wiki_id.encode()) % MINUTES_PER_DAY

    def fit_what_is_due(self, end: int, *, with_group: bool, with_risk: bool) -> None:
        """Fit what is due when the minutes before ``end`` are closed; a first time when there is a day of history."""
        if self.begun is None:
            return
        first = -(-self.begun // _HOUR) * _HOUR + MINUTES_PER_DAY
        of_day = end % MINUTES_PER_DAY
        if end == first:
            due = sorted(self._wikis)
        else:
            due = [wiki for wiki, when in self._wikis.items() if when == of_day] if end > first else []
        series_due = SURGES if with_risk else (Series.EDITS,)
        for wiki in due:
            for series in series_due:
                self._fit(wiki, [wiki], series, end)
        if end == first or (end > first and of_day == 0):
            for series in series_due:
                fitted = {scope for scope, what in self.banks.names() if what == series}
                small = sorted(wiki for wiki in self._wikis if wiki not in fitted)
                self.groups[series.value] = frozenset(small)
                if with_group:
                    self._fit(SMALL_WIKIS, small, series, end)
            self.banks.rebuild(self.budget_days)
        if of_day == 0:
            self._store.history.forget_before(end - (LONGEST_DAYS + 1) * MINUTES_PER_DAY)
            self._store.forget_created(end - MINUTES_PER_DAY)

    def forget(self, series: Series, end: Callable[[Name], None]) -> None:
        """Watch a series of no wiki any more; ``end`` ends the incident of a name."""
        for name in [name for name in self.banks.names() if name[1] == series]:
            end(name)
            self.remove(name)
        self.groups.pop(series.value, None)

    def keep_only(self, scopes: AbstractSet[str]) -> None:
        """Watch no other scopes."""
        self._wikis = {wiki: when for wiki, when in self._wikis.items() if wiki in scopes}
        for name in [name for name in self.banks.names() if name[0] not in scopes]:
            self.remove(name)

    def remove(self, name: Name) -> None:
        """Watch one series no longer."""
        self.banks.remove(name, self.budget_days)
        self._store.forget_series(*name)

    def describe(self) -> str:
        """Return a sentence on what is watched, how well it is known, and what the budget means."""
        if self.begun is None:
            return "nothing has come yet"
        number = len(self.banks)
        if not number:
            first_alarms = instant(self.begun + MINUTES_PER_DAY + _HOUR)
            return f"learning what is usual from a first day: alarms begin after {first_alarms}"
        known_by = instant(self.begun + FITTED_DAYS * MINUTES_PER_DAY)
        models = [member.model for bank in self.banks for member in bank.members]
        provisional = sum(model.is_provisional for model in models)
        days = self.budget_days
        extrapolated = sum(model.start.is_extrapolated(days) for model in models)
        return (
            f"{number} series are watched, {provisional} of them provisional until {known_by[:10]}; the budget of "
            f"each is {days:,.0f} days a false start, which for {extrapolated} of them is an extrapolation"
        )

    def as_state(self) -> dict[str, Any]:
        """Return what is kept across a restart, beside the series."""
        return {
            "groups": {series: sorted(wikis) for series, wikis in self.groups.items()},
            "wikis": self._wikis,
            "begun": self.begun,
            "risk_begun": self.risk_begun,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take up a kept state."""
        self.groups = {series: frozenset(wikis) for series, wikis in state["groups"].items()}
        self._wikis = state["wikis"]
        self.begun, self.risk_begun = state["begun"], state["risk_begun"]

    def _fit(self, scope: str, wikis: list[str], series: Series, end: int) -> None:
        begun = self.begun if series is Series.EDITS else self.risk_begun
        if begun is None:
            return
        name = (scope, series.value)
        known = self.banks.get(name)
        watched = fit_series(self._store, scope, wikis, series, begun=begun, end=end, known=known)
        if watched is not None:
            self.banks.put(watched, self.budget_days)
            self._store.note_model(scope, series.value, model_as_json(watched.model), watched.state)
        elif known is not None:
            self._end(name, end)
            self.remove(name)
