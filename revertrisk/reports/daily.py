"""Numbers per day, and averages of them. Several averages are in use, and they differ, so each one has a name."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # ships no types

from revertrisk.reports.intervals import CONFIDENCE

Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]

MIN_DAYS: Final = 7
"""With fewer days there is no interval, because the number of edits depends on the day of the week."""
MIN_CELL_DAYS: Final = 50
"""In the 2023 notebook a cell needs at least this many days to count in a mean over cells."""

AVERAGES: Final = {
    "ratio_of_sums": "sum of the part over all days, divided by the sum of the whole over all days",
    "mean": "mean number per day over all days; a day without any counts as 0",
    "median": "median number per day over all days; a day without any counts as 0",
    "mode": "most frequent number per day over all days; the smallest one if several are equally frequent",
    "mean_of_daily_shares": "unweighted mean of the share of each day; days without a bot revert are left out. This is "
    "the rule of the 2023 notebook (T341857)",
    "mean_over_cells": "unweighted mean of the ratios of sums of cells (wiki, kind of editor, edit count) that have at "
    "least 50 days with a bot revert that was itself reverted. This is the rule of the 2023 notebook for the share of "
    "these reverts that the author of the reverted edit made",
}
"""The definition of each average."""


@dataclass(frozen=True, slots=True)
class DailyMean:
    """A mean number per day. The 95 % interval is Student's over the days; None with fewer than 7 days."""

    value: float
    low: float | None
    high: float | None
    days: int
    median: float


@dataclass(frozen=True, slots=True)
class DailyNumber:
    """A number per day, by its mean and its mode."""

    mean: DailyMean
    mode: int | None
    """The most frequent number."""


def whole_days(day: NDArray[Any]) -> tuple[int, int]:
    """Return the first and the last whole day of a record, as days since 1970.

    The first and the last day that have edits are covered in part only, so they are left out. If nothing else is left,
    they are included.
    """
    first, last = int(day.min()), int(day.max())
    return (first + 1, last - 1) if last - first > 1 else (first, last)


def daily_mean_of(day: NDArray[Any], amounts: Floats | None, days: tuple[int, int]) -> DailyMean:
    """Return the mean per day of summed amounts, or of the number of edits if ``amounts`` is None.

    ``day`` and ``amounts`` have one entry for each edit. ``days`` is the first and the last day of the period. A day
    without edits counts as 0.
    """
    first, last = days
    inside = (day >= first) & (day <= last)
    weights = None if amounts is None else amounts[inside]
    sums = np.bincount(day[inside] - first, weights=weights, minlength=last - first + 1)
    return daily_mean(sums)


def daily_mean(sums: NDArray[Any]) -> DailyMean:
    """Return the mean of one number for each day."""
    number, mean = len(sums), float(sums.mean())
    if number < MIN_DAYS:
        return DailyMean(mean, None, None, number, float(np.median(sums)))
    half_width = float(special.stdtrit(number - 1, (1 + CONFIDENCE) / 2) * sums.std(ddof=1) / np.sqrt(number))
    return DailyMean(mean, max(mean - half_width, 0.0), mean + half_width, number, float(np.median(sums)))


def daily_number(numbers: Numbers) -> DailyNumber:
    """Return the mean and the mode of one number for each day."""
    return DailyNumber(daily_mean(numbers), mode(numbers))


def count_by_day(day: NDArray[Any], days: tuple[int, int]) -> Numbers:
    """Return how many rows each day of a period has; ``days`` is its first and its last day."""
    first, last = days
    counts: Numbers = np.bincount(day - first, minlength=last - first + 1)
    return counts


def day_name(day: int) -> str:
    """Return a day as text; ``day`` is in days since 1970."""
    return str(np.datetime64(day, "D"))


def mode(numbers: Numbers) -> int | None:
    """Return the most frequent number, the smallest one of several; None if there are no numbers."""
    return int(np.bincount(numbers).argmax()) if len(numbers) else None


def ratio_of_sums(part: Numbers, whole: Numbers) -> float | None:
    """Return the sum of the part divided by the sum of the whole; None if the whole is 0."""
    return float(part.sum() / whole.sum()) if whole.sum() else None


def mean_of_daily_shares(part: Numbers, whole: Numbers, bot: Numbers) -> float | None:
    """Return the unweighted mean of the daily shares, over the days with a bot revert; None if there are none."""
    days = (bot > 0) & (whole > 0)
    return float((part[days] / whole[days]).mean()) if days.any() else None


def mean_over_cells(cells: Sequence[tuple[int, int, int]]) -> float | None:
    """Return the unweighted mean of part / whole over cells (days, part, whole) that have at least 50 days.

    None if there are no such cells.
    """
    shares = [part / whole for days, part, whole in cells if days >= MIN_CELL_DAYS and whole]
    return float(np.mean(shares)) if shares else None
