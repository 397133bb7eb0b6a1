"""Shares, numbers a day, and medians of what was counted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports import figures
from revertrisk.reports.averages import mode
from revertrisk.reports.days import ADay, mean_a_day
from revertrisk.reports.figures import LEAST, Basis, Figure
from revertrisk.reports.intervals import LEAST_PAGES, count_pages, quantile, standard_error

Booleans = NDArray[np.bool_]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Daily:
    """A number a day."""

    mean: ADay
    mode: int | None
    """The most frequent number."""


def daily(numbers: Numbers) -> Daily:
    """Return the mean and the mode of the numbers of each day."""
    return Daily(mean_a_day(numbers), mode(numbers))


def share_of(measure: str, part: Booleans, whole: Booleans, pages: Numbers, word: str) -> Figure:
    """Return the share of some rows that are also others, with its interval clustered by page."""
    number, found = int(whole.sum()), int((part & whole).sum())
    basis = Basis(number, found, count_pages(pages[whole]), word)
    value = found / number if number else 0.0
    influence = (part[whole] - value) / max(number, 1)
    return figures.share(measure, value, standard_error(influence, pages[whole]), basis)


def median_seconds(measure: str, seconds: NDArray[np.float64], pages: NDArray[Any]) -> Figure:
    """Return the median of edits' times, in the order of their pages; not of fewer than 30.

    The interval are the times at both ends of the interval of a half (Woodruff 1952); the error of the share that lies
    below the median is clustered by page.
    """
    number, clusters = len(seconds), count_pages(pages)
    value, low, high, note = None, None, None, None
    if number < LEAST:
        note = f"too few (n = {number})"
    else:
        value = float(np.median(seconds))
        if clusters < LEAST_PAGES:
            note = f"no interval: {clusters} page{'s' * (clusters != 1)}, {LEAST_PAGES} are needed"
        else:
            reach = quantile(clusters) * standard_error(((seconds <= value) - 0.5) / number, pages)
            low, high = map(float, np.quantile(seconds, [max(0.5 - reach, 0), min(0.5 + reach, 1)]))
    return Figure(
        measure=measure, value=value, low=low, high=high, n=number, reverted=number, pages=clusters, note=note
    )
