"""`make study`: the alerts' error rates and delays on simulated wikis, whose parameters the tool does not know.

python -m tests.study.surge [--wikis 200] [--cells 60/0.02/0.98,…] [--json FILE]
"""

import argparse
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from time import process_time
from typing import Final

import numpy as np

from revertrisk.alerts.baseline import kinds_of_bins
from revertrisk.alerts.detector import Detector, DetectorState
from revertrisk.alerts.dispersion import Dispersion
from revertrisk.alerts.fitting import Model, fit, smallest_bin, tails
from revertrisk.alerts.level import MINUTES_PER_DAY, first_weight, levels
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.simulate import correlated_rates

DAYS: Final = 90
TRAINING_DAYS: Final = 28
FIRST_MINUTE: Final = 29_000_160
"""A midnight, of a Monday."""
DEFAULT_BUDGET: Final = 14.0
RATES: Final = (0.5, 5.0, 60.0)
DISPERSIONS: Final = ((0.0, 0.0), *((alpha, rho) for alpha in (0.02, 0.05, 0.1) for rho in (0.95, 0.98)))
SPEC_DELAYS: Final = {
    (60.0, 0.0, 0.0): (2, 1, 1),
    (60.0, 0.02, 0.98): (67, 23, 10),
    (60.0, 0.05, 0.95): (97, 38, 17),
    (5.0, 0.0, 0.0): (15, 6, 3),
    (5.0, 0.02, 0.98): (83, 29, 13),
    (0.5, 0.0, 0.0): (119, 34, 13),
}
"""Median minutes to find a surge of 1.5, 2 and 3 times the usual: shared/spec/analytics.md, section 6."""
SURGE_RATIOS: Final = (1.5, 2.0, 3.0)
SURGE_MINUTES: Final = 720

Shaped = Callable[[np.random.Generator, Floats], Floats]
"""Changes the means of series, shape (wikis, minutes), into what happens in a cell outside the family."""


@dataclass(frozen=True, slots=True)
class Cell:
    """How the wikis of a cell are."""

    rate: float
    """Events a minute."""
    alpha: float
    rho: float
    """Of the rate, from minute to minute."""

    @property
    def seed(self) -> int:
        """A seed of its own."""
        return zlib.crc32(repr((self.rate, self.alpha, self.rho)).encode())


def usual_means(rng: np.random.Generator, wikis: int, days: int, rate: float) -> Floats:
    """Return means by the minute: the hour of the day, the weekend, and how much both matter on each wiki."""
    slot, weekend = kinds_of_bins(FIRST_MINUTE, days * MINUTES_PER_DAY, 1)
    angle = 2 * np.pi * slot / MINUTES_PER_DAY
    size, phase = rng.uniform(0.1, 0.3, (wikis, 1)), rng.uniform(0, 2 * np.pi, (wikis, 1))
    second, quieter = rng.uniform(0, 0.1, (wikis, 1)), rng.uniform(-0.2, 0.1, (wikis, 1))
    log_shape = size * np.sin(angle + phase) + second * np.sin(2 * angle + 2 * phase) + quieter * weekend
    means = np.exp(log_shape)
    return np.asarray(rate * means / means.mean(axis=1, keepdims=True))


def simulated(cell: Cell, wikis: int, days: int, change: Shaped | None = None, part: int = 0) -> Floats:
    """Return counts by the minute, shape (wikis, minutes)."""
    rng = np.random.default_rng((cell.seed, part))
    means = usual_means(rng, wikis, days, cell.rate)
    if change is not None:
        means = change(rng, means)
    means *= correlated_rates(rng, (wikis, days * MINUTES_PER_DAY), cell.alpha, cell.rho)
    return np.asarray(rng.poisson(means).astype(np.int32))


def binned(minutes: Floats, bin_minutes: int) -> Floats:
    """Return sums over the bins."""
    return np.asarray(minutes.reshape(minutes.shape[0], -1, bin_minutes).sum(axis=2), dtype=np.float64)


def fitted(minutes: Floats, *, poisson: bool) -> tuple[int, list[Model]]:
    """Fit each wiki on its first weeks; returns the bin, which is that of most, and the models."""
    training = minutes[:, : TRAINING_DAYS * MINUTES_PER_DAY]
    seen = np.ones(training.shape[1])
    asked = [smallest_bin(row, seen, FIRST_MINUTE) or 60 for row in training]
    bin_minutes = max(set(asked), key=asked.count)
    counts = binned(training, bin_minutes)
    seen = np.ones(counts.shape[1])
    models = [fit(row, seen, FIRST_MINUTE // bin_minutes, bin_minutes) for row in counts]
    return bin_minutes, [as_poisson(model) for model in models] if poisson else models


def as_poisson(model: Model) -> Model:
    """Return the model with α = 0 and thresholds that are right for Poisson counts: what must fail."""
    rng = np.random.default_rng(1)
    per_day = MINUTES_PER_DAY // model.bin_minutes
    means = np.tile(model.baseline.means(FIRST_MINUTE // model.bin_minutes, 7 * per_day), (8, 1))
    counts = rng.poisson(means).astype(float)
    start, end = tails(counts, means, np.ones_like(means), None, 0.0, per_day)
    return Model(model.baseline, Dispersion(1.0, 0.0, 0.0, 0.0), start, end, model.days, is_provisional=False)


class Watched:
    """The wikis of a cell, watched from their 29th day on."""

    def __init__(self, minutes: Floats, budget: float, bin_minutes: int, models: list[Model]) -> None:
        self.bin_minutes = bin_minutes
        self._counts = binned(minutes, bin_minutes)
        self._first = FIRST_MINUTE // bin_minutes
        self._models = models
        number = self._counts.shape[1]
        self._baseline = np.stack([model.baseline.means(self._first, number) for model in models])
        self._begin = TRAINING_DAYS * MINUTES_PER_DAY // bin_minutes
        training = self._counts[:, : self._begin], self._baseline[:, : self._begin]
        level = np.array(
            [levels(x, b, np.ones(len(x)), bin_minutes)[-1] for x, b in zip(*training, strict=True)]
        )
        weights = np.array([2 * first_weight(float(b.mean()), bin_minutes) for b in training[1]])
        state = DetectorState.new(weights, self._begin)
        state.above *= level
        self.detector = Detector(
            bin_minutes,
            state,
            np.array([model.dispersion.alpha for model in models]),
            np.array([model.start.threshold(budget) for model in models]),
            np.array([model.end for model in models]),
        )
        self._observed = np.full(len(models), True)

    def bins(self) -> Iterator[tuple[int, list[int], list[int]]]:
        """Step through all bins; yields each number from the beginning, and who starts and ends."""
        for number in range(self._begin, self._counts.shape[1]):
            counts, baseline = self._counts[:, number], self._baseline[:, number]
            found = self.detector.step(number, counts, baseline, self._observed)
            for index in found.ended:
                self.detector.close(index)
            yield number, found.started, found.ended


def false_starts(
    cell: Cell,
    wikis: int,
    budget: float,
    *,
    poisson: bool = False,
    change: Shaped | None = None,
    days: int = DAYS,
) -> float:
    """Return how many times as many starts came as the budget allows."""
    starts = 0
    chunk = 50
    for part in range(0, wikis, chunk):
        minutes = simulated(cell, min(chunk, wikis - part), days, change, part)
        watched = Watched(minutes, budget, *fitted(minutes, poisson=poisson))
        starts += sum(len(started) for _, started, _ in watched.bins())
    return starts / (wikis * (days - TRAINING_DAYS) / budget)


def delays(cell: Cell, wikis: int, ratio: float, budget: float = 30.0, days: int = 48) -> tuple[float, float]:
    """Return the median minutes to find a surge, and the part that is found within an hour; one every second day."""
    rng = np.random.default_rng((cell.seed, 99))
    surge_days = range(TRAINING_DAYS + 1, days, 2)
    begins = rng.integers(0, MINUTES_PER_DAY, (wikis, len(surge_days)))
    begins += np.array(surge_days) * MINUTES_PER_DAY

    def with_surges(_: np.random.Generator, means: Floats) -> Floats:
        for wiki, row in enumerate(begins):
            for begin in row:
                means[wiki, begin : begin + SURGE_MINUTES] *= ratio
        return means

    minutes = simulated(cell, wikis, days, with_surges)
    watched = Watched(minutes, budget, *fitted(minutes, poisson=False))
    found: dict[tuple[int, int], float] = {}
    spoilt: set[tuple[int, int]] = set()
    for number, started, _ in watched.bins():
        now = (number + 1) * watched.bin_minutes
        for wiki in started:
            for which, begin in enumerate(begins[wiki]):
                if begin < now <= begin + SURGE_MINUTES:
                    found[wiki, which] = float(now - begin)
        for wiki, which in np.argwhere((begins > now - watched.bin_minutes) & (begins <= now)):
            if watched.detector.state.open_since[wiki] >= 0:
                spoilt.add((int(wiki), int(which)))
        # What is still open half a day after a surge is closed, for the next one.
        for wiki, _ in np.argwhere(
            (begins + SURGE_MINUTES > now - watched.bin_minutes) & (begins + SURGE_MINUTES <= now)
        ):
            watched.detector.close(int(wiki))
    all_surges = {
        (w, s)
        for w in range(wikis)
        for s in range(len(surge_days))
        if begins[w, s] + SURGE_MINUTES < days * MINUTES_PER_DAY
    }
    taken = [found.get(each, np.inf) for each in sorted(all_surges - spoilt)]
    return float(np.median(taken)), float(np.mean(np.array(taken) <= 60))
