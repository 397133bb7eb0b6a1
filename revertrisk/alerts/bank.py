"""The watched series with their models, in banks: one detector for all series of one bin length and kind.

A detector processes a bin of all its series as arrays, so hundreds of wikis take little more time than one.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from revertrisk.alerts.baseline import Baseline, kinds_of_bins
from revertrisk.alerts.detector import Detector, DetectorState
from revertrisk.alerts.dispersion import Dispersion
from revertrisk.alerts.fitting import Model
from revertrisk.alerts.incidents import Series
from revertrisk.alerts.level import first_weight
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.threshold import Tail

Name = tuple[str, str]
"""Scope and series."""


@dataclass(slots=True)
class WatchedSeries:
    """One series with its model; ``state`` is the state of its detector when its bank was last saved."""

    scope: str
    series: str
    model: Model
    state: dict[str, float]

    @property
    def name(self) -> Name:
        """Scope and series."""
        return (self.scope, self.series)


def model_as_json(model: Model) -> dict[str, Any]:
    """Return a model as a JSON object."""
    return asdict(model)


def model_from_json(kept: Mapping[str, Any]) -> Model:
    """Return the model in a JSON object."""
    baseline, dispersion = kept["baseline"], kept["dispersion"]
    numbers = {name: float("nan") if value is None else value for name, value in dispersion.items()}
    return Model(
        Baseline(baseline["bin_minutes"], tuple(baseline["coefficients"])),
        Dispersion(**numbers),
        Tail(**kept["start"]),
        tuple(kept["end"]),
        kept["days"],
        kept["is_provisional"],
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """A surge that starts or ends in a bin, with the state of its detector."""

    watched: WatchedSeries
    is_start: bool
    state: dict[str, float]


@dataclass(slots=True)
class Bank:
    """The series of one bin length: either counts or shares."""

    bin_minutes: int
    of_shares: bool
    members: list[WatchedSeries] = field(default_factory=list)
    detector: Detector | None = None
    slot_means: Floats = field(default_factory=lambda: np.zeros(0))
    """Shape (series, 2, slots of a day)."""

    def build(self, budget_days: float) -> None:
        """Make the arrays of the members' models and states, with thresholds for one false start in ``budget_days``."""
        columns = {
            name: np.array([member.state[name] for member in self.members]) for name in self.members[0].state
        }
        self.slot_means = np.stack([member.model.baseline.slot_means() for member in self.members])
        self.detector = Detector(
            self.bin_minutes,
            DetectorState(**columns),
            np.array([member.model.dispersion.alpha for member in self.members]),
            np.array([member.model.start.threshold(budget_days) for member in self.members]),
            np.array([member.model.end for member in self.members]),
            of_shares=self.of_shares,
        )

    def save(self) -> None:
        """Copy the state of the detector into the members."""
        if self.detector is not None:
            for index, member in enumerate(self.members):
                member.state = self.detector.state.row(index)

    def baselines(self, number: int) -> Floats:
        """Return the baseline of each member in a bin."""
        slot, weekend = kinds_of_bins(number, 1, self.bin_minutes)
        return np.asarray(self.slot_means[:, weekend[0], slot[0]])

    def step(self, number: int, counts: Floats, exposure: Floats, observed: Floats) -> list[Outcome]:
        """Process a bin; all arrays have one value for each member."""
        if self.detector is None:
            return []
        baseline = self.baselines(number) * (exposure if self.of_shares else 1.0)
        found = self.detector.step(number, counts, baseline, observed > 0, exposure)
        outcomes = []
        for is_start, indices in ((True, found.started), (False, found.ended)):
            for index in indices:
                outcomes.append(Outcome(self.members[index], is_start, self.detector.state.row(index)))
                if not is_start:
                    self.detector.close(index)
        return outcomes

    def usual(self, number: int) -> Floats:
        """Return the usual count of each member in a bin: baseline times slow level."""
        assert self.detector is not None  # noqa: S101 - called for banks with members only
        return self.detector.means(self.baselines(number))


class Banks:
    """All banks."""

    def __init__(self) -> None:
        """Start without a series."""
        self._banks: dict[tuple[int, bool], Bank] = {}
        self._by_name: dict[Name, WatchedSeries] = {}

    def __iter__(self) -> Iterator[Bank]:
        return iter(self._banks.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def of_length(self, bin_minutes: int) -> list[Bank]:
        """Return the banks of a bin length."""
        return [bank for bank in self if bank.bin_minutes == bin_minutes]

    def get(self, name: Name) -> WatchedSeries | None:
        """Return a series with its current state; None if it is not watched."""
        watched = self._by_name.get(name)
        if watched is not None:
            self._bank_of(watched).save()
        return watched

    def names(self) -> list[Name]:
        """Return the names of all series."""
        return list(self._by_name)

    def usual_edits(self, minute: int) -> tuple[dict[str, float], dict[str, float]]:
        """Return, by scope, the usual number of edits in a minute, and their dispersion α."""
        usual: dict[str, float] = {}
        alphas: dict[str, float] = {}
        for bank in self:
            if bank.of_shares:
                continue
            means = bank.usual(minute // bank.bin_minutes) / bank.bin_minutes
            for watched, mean in zip(bank.members, means, strict=True):
                if watched.series == Series.EDITS:
                    usual[watched.scope] = float(mean)
                    alphas[watched.scope] = watched.model.dispersion.alpha
        return usual, alphas

    def put(self, watched: WatchedSeries, budget_days: float) -> None:
        """Add a series; it replaces one of the same name."""
        self.remove(watched.name, budget_days)
        bank = self._bank_of(watched)
        bank.save()
        bank.members.append(watched)
        self._by_name[watched.name] = watched
        bank.build(budget_days)

    def rebuild(self, budget_days: float) -> None:
        """Compute all thresholds for another budget."""
        for bank in self:
            bank.save()
            bank.build(budget_days)

    def remove(self, name: Name, budget_days: float) -> None:
        """Remove a series, if there is one of this name."""
        known = self._by_name.pop(name, None)
        if known is not None:
            bank = self._bank_of(known)
            bank.save()
            bank.members.remove(known)
            if bank.members:
                bank.build(budget_days)
            else:
                del self._banks[bank.bin_minutes, bank.of_shares]

    def _bank_of(self, watched: WatchedSeries) -> Bank:
        key = (watched.model.bin_minutes, watched.series == Series.SHARE)
        return self._banks.setdefault(key, Bank(*key))


def new_state(model: Model, first_bin: int, mean_per_bin: float) -> dict[str, float]:
    """Return the first state of the detector of a series."""
    weight = np.array([first_weight(mean_per_bin, model.bin_minutes)])
    return DetectorState.new(weight, first_bin).row(0)
