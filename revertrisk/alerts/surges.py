"""Takes complete bins through the detectors, and opens and ends the incidents of surges."""

import numpy as np

from revertrisk.alerts.announcing import Announcer
from revertrisk.alerts.bank import Bank, Name, Outcome
from revertrisk.alerts.counting import Bin
from revertrisk.alerts.fit_schedule import FitSchedule
from revertrisk.alerts.fitting import FITTED_DAYS
from revertrisk.alerts.history import EDITS, EVERY_SCOPE, HIGH_RISK, PREDICTIONS, QUANTITIES, RISK_SCOPE
from revertrisk.alerts.incidents import SMALL_WIKIS, SURGES, Series, new_incident
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.pages import Key
from revertrisk.alerts.series_fit import most_likely_begin
from revertrisk.alerts.store import Store


class SurgeFinder:
    """Finds surges in the watched series."""

    def __init__(self, store: Store, fits: FitSchedule, announcer: Announcer) -> None:
        """Take the store, the watched series, and the announcer of incidents."""
        self._store = store
        self._fits = fits
        self._announcer = announcer

    def step(self, minute: int, bin_minutes: int, complete: Bin) -> None:
        """Process the bin of a length that ends with ``minute``."""
        for bank in self._fits.banks.of_length(bin_minutes):
            for outcome in self._outcomes(bank, minute, complete):
                if outcome.is_start:
                    self._open(outcome, minute, bin_minutes)
                else:
                    self._end(outcome, minute)

    def pages_of(self, name: Name) -> list[Key]:
        """Return the wikis and quantities whose pages are those of an incident."""
        scope, series = name
        if series not in SURGES:
            return []
        quantity = EDITS if series == Series.EDITS else HIGH_RISK
        wikis = self._fits.groups.get(series, ()) if scope == SMALL_WIKIS else (scope,)
        return [(wiki, quantity) for wiki in wikis]

    def _outcomes(self, bank: Bank, minute: int, complete: Bin) -> list[Outcome]:
        count, counts = self._fits.count, complete.counts
        numbers, exposure, seen = [], [], []
        for each in bank.members:
            numbers.append(count(counts, each.scope, each.series, QUANTITIES[Series(each.series)]))
            exposure.append(count(counts, each.scope, each.series, PREDICTIONS) if bank.of_shares else 1)
            scopes = {EVERY_SCOPE, each.scope} | ({RISK_SCOPE} if each.series != Series.EDITS else set())
            seen.append(not scopes & complete.unobserved)
        arrays = (np.array(each, float) for each in (numbers, exposure, seen))
        return bank.step(minute // bank.bin_minutes, *arrays)

    def _open(self, outcome: Outcome, minute: int, bin_minutes: int) -> None:
        watched, state = outcome.watched, outcome.state
        since, observed_before, expected_before = int(state["since"]), 0.0, 0.0
        if watched.series != Series.SHARE:  # the means of a share depend on the predictions of each bin
            wikis = [wiki for wiki, _ in self.pages_of(watched.name)]
            since, observed_before, expected_before = most_likely_begin(
                self._store, watched, wikis, state, minute // bin_minutes
            )
        incident = new_incident(watched.name, since * bin_minutes, minute + 1)
        incident.observed_before, incident.expected_before = observed_before, expected_before
        incident.is_provisional = watched.model.is_provisional
        begun = self._fits.begun_of(watched.scope, watched.series)
        incident.known_by = (begun or 0) + FITTED_DAYS * MINUTES_PER_DAY
        incident.take_size(state)
        self._announcer.open(incident, self.pages_of(watched.name))

    def _end(self, outcome: Outcome, minute: int) -> None:
        incident = self._announcer.incidents.get(outcome.watched.name)
        if incident is not None:
            incident.take_size(outcome.state)
        self._announcer.end(outcome.watched.name, minute + 1)
