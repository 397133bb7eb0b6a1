"""Averages of numbers a day, each by its name: they differ, and the published figures use several."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]

LEAST_CELL_DAYS: Final = 50
"""The 2023 notebook's least number of days for a cell to count in a mean over cells."""

AVERAGES: Final = {
    "ratio_of_sums": "all of the part over all of the whole, every day",
    "mean": "a day: over every day, days without any as 0",
    "median": "a day: over every day, days without any as 0",
    "mode": "a day: the most frequent number over every day, the smallest of several",
    "mean_of_daily_shares": "the unweighted mean of each day's share, days without a bot revert left out: the rule "
    "of the 2023 notebook",
    "mean_over_cells": "the unweighted mean over cells (wiki, kind, edits) of at least 50 days with a bot revert that "
    "was itself reverted, of each cell's ratio of sums: the 2023 notebook's rule for who reverts the bot",
}
"""What each average is."""


def ratio_of_sums(part: Numbers, whole: Numbers) -> float | None:
    """Return the part's sum over the whole's; None where the whole is 0."""
    return float(part.sum() / whole.sum()) if whole.sum() else None


def mode(numbers: Numbers) -> int | None:
    """Return the most frequent number, the smallest of several; None of none."""
    return int(np.bincount(numbers).argmax()) if len(numbers) else None


def mean_of_daily_shares(part: Numbers, whole: Numbers, bot: Numbers) -> float | None:
    """Return the unweighted mean of each day's share over the days with a bot revert; None where there is none."""
    days = (bot > 0) & (whole > 0)
    return float((part[days] / whole[days]).mean()) if days.any() else None


def mean_over_cells(cells: Sequence[tuple[int, int, int]]) -> float | None:
    """Return the unweighted mean of (days, part, whole) over cells of at least 50 days; None where there is none."""
    shares = [part / whole for days, part, whole in cells if days >= LEAST_CELL_DAYS and whole]
    return float(np.mean(shares)) if shares else None


def by_day(day: NDArray[Any], days: tuple[int, int]) -> Numbers:
    """Return how many there are on each day of a period, days without any included."""
    first, last = days
    counts: Numbers = np.bincount(day - first, minlength=last - first + 1)
    return counts
