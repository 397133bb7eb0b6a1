"""Numbers a day, over the whole days of a record."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # ships no types

from revertrisk.reports.intervals import LEVEL

LEAST_DAYS: Final = 7
"""Fewer days give no interval: a week has its own rhythm."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ADay:
    """A mean number a day; its 95 % interval is Student's over the days, and None for fewer than 7 days."""

    value: float
    low: float | None
    high: float | None
    days: int
    median: float


def whole_days(day: NDArray[Any]) -> tuple[int, int]:
    """Return the first and the last of the days that edits tell of; the ends are in part only, so they are left out.

    Where that leaves none, they are counted.
    """
    first, last = int(day.min()), int(day.max())
    return (first + 1, last - 1) if last - first > 1 else (first, last)


def a_day(day: NDArray[Any], amounts: Floats | None, days: tuple[int, int]) -> ADay:
    """Return the mean sum a day of amounts, or of ones; days without any count as 0."""
    first, last = days
    inside = (day >= first) & (day <= last)
    weights = None if amounts is None else amounts[inside]
    sums = np.bincount(day[inside] - first, weights=weights, minlength=last - first + 1)
    return mean_a_day(sums)


def mean_a_day(sums: NDArray[Any]) -> ADay:
    """Return the mean of the numbers of each day."""
    number, mean = len(sums), float(sums.mean())
    if number < LEAST_DAYS:
        return ADay(mean, None, None, number, float(np.median(sums)))
    reach = float(special.stdtrit(number - 1, (1 + LEVEL) / 2) * sums.std(ddof=1) / np.sqrt(number))
    return ADay(mean, max(mean - reach, 0.0), mean + reach, number, float(np.median(sums)))
