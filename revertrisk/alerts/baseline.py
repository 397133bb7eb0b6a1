"""The baseline: the usual number of events in a bin, by the time of day, for weekdays and weekends.

A Poisson regression with a log link: a constant, three daily harmonics, and for Saturdays and Sundays (UTC) a level and
three harmonics of their own. The estimated means are consistent for any dispersion of the counts. Bins of past surges
are down-weighted as in Farrington et al. 1996 (JRSS A 159) with the bound of Noufaily et al. 2013 (Statistics in
Medicine 32): a bin whose Anscombe residual s exceeds 2.58 has the weight s⁻². Bins of outages are left out.

The regression uses sums over the bins of one time of day and kind of day only: they are a sufficient statistic.
"""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.likelihood import Floats

Ints = npt.NDArray[np.int64]

HARMONICS: Final = 3
SURGE_RESIDUAL: Final = 2.58
_PARAMETERS: Final = 2 * (1 + 2 * HARMONICS)
_WEIGHTINGS: Final = 2
_NEWTON_STEPS: Final = 25
_NEWTON_PRECISION: Final = 1e-10
_RIDGE: Final = 1e-6
"""Keeps the coefficients finite if a slot of the day never has an event."""
_MONDAY_OFFSET: Final = 3
"""Day 0 of Unix time was a Thursday; Monday is 0."""
_SATURDAY: Final = 5
_DAYS: Final = 7


def kinds_of_bins(first_bin: int, number: int, bin_minutes: int) -> tuple[Ints, Ints]:
    """Return the slot of the day of each bin, from 0, and 1 if the bin is on a weekend, otherwise 0.

    Bins are numbered from the beginning of Unix time, in UTC, without daylight saving time.
    """
    per_day = MINUTES_PER_DAY // bin_minutes
    bins = np.arange(first_bin, first_bin + number)
    weekday = (bins // per_day + _MONDAY_OFFSET) % _DAYS
    return bins % per_day, (weekday >= _SATURDAY).astype(np.int64)


def _design(bin_minutes: int) -> Floats:
    """Return the design matrix: a row for each slot of a weekday, then one for each slot of a weekend."""
    per_day = MINUTES_PER_DAY // bin_minutes
    angle = 2 * np.pi * (np.arange(per_day) + 0.5) / per_day
    columns = [np.ones(per_day)]
    for harmonic in range(1, HARMONICS + 1):
        columns += [np.sin(harmonic * angle), np.cos(harmonic * angle)]
    half = np.stack(columns, axis=1)
    return np.block([[half, np.zeros_like(half)], [half, half]])


@dataclass(frozen=True, slots=True)
class Baseline:
    """The fitted baseline of one series."""

    bin_minutes: int
    coefficients: tuple[float, ...]
    """The constant and the harmonics; then the differences of the weekend from them."""

    def slot_means(self) -> Floats:
        """Return the means of a bin (per unit of exposure): shape (2, slots of a day), weekdays first."""
        means = np.exp(_design(self.bin_minutes) @ np.array(self.coefficients))
        return np.asarray(means.reshape(2, -1))

    def means(self, first_bin: int, number: int) -> Floats:
        """Return the mean of each bin, per unit of exposure."""
        slot, weekend = kinds_of_bins(first_bin, number, self.bin_minutes)
        return np.asarray(self.slot_means()[weekend, slot])

    @classmethod
    def fit(
        cls,
        counts: Floats,
        first_bin: int,
        bin_minutes: int,
        *,
        observed: Floats | None = None,
        exposure: Floats | None = None,
    ) -> Self:
        """Fit the counts of consecutive bins.

        ``observed`` is 0 for bins to leave out; ``exposure`` multiplies each bin's mean, and is 1 by default.
        The weekends have no terms of their own if an hour of the day was never observed on a weekend, or on a weekday.

        Raises:
            ValueError: an hour of the day was never observed.

        """
        slot, weekend = kinds_of_bins(first_bin, len(counts), bin_minutes)
        cells = MINUTES_PER_DAY // bin_minutes
        weights = np.ones(len(counts)) if observed is None else np.asarray(observed, float)
        exposure = np.ones(len(counts)) if exposure is None else exposure
        if not _covers(slot, weights, bin_minutes):
            raise ValueError("a baseline needs counts of every hour of the day")
        has_weekends = _covers(slot, weights * weekend, bin_minutes) and _covers(
            slot, weights * (1 - weekend), bin_minutes
        )
        if not has_weekends:
            weekend = np.zeros_like(weekend)
        cell = weekend * cells + slot
        design = _design(bin_minutes)
        free = np.full(_PARAMETERS, True)
        free[_PARAMETERS // 2 :] = has_weekends

        def regress(weights: Floats) -> Floats:
            total = np.bincount(cell, weights * counts, minlength=2 * cells).astype(float)
            exposed = np.bincount(cell, weights * exposure, minlength=2 * cells).astype(float)
            coefficients = np.zeros(_PARAMETERS)
            coefficients[free] = _poisson_regression(total, exposed, design[:, free])
            return coefficients

        coefficients = regress(weights)
        for _ in range(_WEIGHTINGS):
            means = exposure * np.exp(design @ coefficients)[cell]
            coefficients = regress(weights * surge_weights(counts, means, weights))
        return cls(bin_minutes, tuple(float(each) for each in coefficients))


def surge_weights(counts: Floats, means: Floats, observed: Floats) -> Floats:
    """Return the weight of each bin: s⁻² if its Anscombe residual s exceeds 2.58, otherwise 1; scaled to the mean 1.

    s = 1.5·(x^⅔ − m^⅔) / (m^⅙·√φ), where φ is the mean of (x − m)²/m over the observed bins, at least 1.
    """
    means = np.maximum(means, 1e-9)
    seen = observed > 0
    spread = max(1.0, float(np.mean((counts[seen] - means[seen]) ** 2 / means[seen])))
    residual = 1.5 * (counts ** (2 / 3) - means ** (2 / 3)) / (means ** (1 / 6) * np.sqrt(spread))
    weights = np.where(residual > SURGE_RESIDUAL, np.maximum(residual, SURGE_RESIDUAL) ** -2.0, 1.0)
    return np.asarray(weights / weights[seen].mean())


def _covers(slot: Ints, weights: Floats, bin_minutes: int) -> bool:
    """Return whether each hour of the day has a bin with a positive weight."""
    hours = np.bincount(slot * bin_minutes // 60, weights, minlength=24)
    return bool(np.all(hours > 0))


def _poisson_regression(total: Floats, exposed: Floats, design: Floats) -> Floats:
    """Return the coefficients that maximise the Poisson likelihood, by iteratively reweighted least squares.

    ``total`` is the sum of the weighted counts for each row of ``design``, ``exposed`` that of the weighted exposures.
    """
    coefficients = np.zeros(design.shape[1])
    coefficients[0] = np.log(max(total.sum(), 0.5) / max(exposed.sum(), 1e-12))
    penalty = _RIDGE * np.eye(design.shape[1])
    for _ in range(_NEWTON_STEPS):
        means = exposed * np.exp(np.clip(design @ coefficients, -50, 50))
        score = design.T @ (total - means)
        information = (design * means[:, None]).T @ design + penalty
        step = np.linalg.solve(information, score)
        # A longer step would overflow the exponential.
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        coefficients += step
        if float(np.abs(step).max()) < _NEWTON_PRECISION:
            break
    return coefficients
