"""Medians of times, with intervals that are clustered by page."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.figures import LEAST, Figure
from revertrisk.reports.intervals import LEAST_PAGES, count_pages, quantile, standard_error


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
