"""Intervals of 95 % that hold where edits of a page are alike: errors are summed by page first (a sandwich).

Edits must be in the order of their pages.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # ships no types
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # likewise

Floats = NDArray[np.float64]

LEVEL: Final = 0.95
LEAST_PAGES: Final = 10
"""Between fewer pages the variation cannot be seen: a figure then has no interval."""


def count_pages(pages: NDArray[Any]) -> int:
    """Return how many different pages there are, given in order."""
    return int(np.count_nonzero(np.diff(pages))) + 1 if len(pages) else 0


def standard_error(influence: Floats, pages: NDArray[Any]) -> float:
    """Return the standard error of a figure from what each edit adds to it, clustered by page."""
    if not len(pages):
        return 0.0
    starts = np.concatenate([[0], np.flatnonzero(np.diff(pages)) + 1])
    number = len(starts)
    sums = np.add.reduceat(influence, starts)
    return float(np.sqrt((sums**2).sum() * number / max(number - 1, 1)))


def quantile(pages: int) -> float:
    """Return how many standard errors lie on each side: Student's t, one degree of freedom less than pages."""
    return float(special.stdtrit(max(pages - 1, 1), (1 + LEVEL) / 2))


def share_interval(value: float, error: float, pages: int) -> tuple[float, float]:
    """Return Wilson's interval for the number of independent edits that would have this error.

    That number is v (1 - v) / error² (Korn and Graubard 1998); at one edit a page it is the number of edits. Where all
    edits are equal there is no error: then each page counts for one edit.
    """
    independent = value * (1 - value) / error**2 if error > 0 and 0 < value < 1 else float(pages)
    alpha = 2 * float(special.ndtr(-quantile(pages)))
    low, high = proportion_confint(value * independent, independent, alpha=alpha, method="wilson")
    return float(low), float(high)


def difference_interval(value: float, error: float, pages: int) -> tuple[float, float]:
    """Return the interval of a difference, which may be below 0."""
    reach = quantile(pages) * error
    return value - reach, value + reach


def ratio_interval(ratio: float, log_error: float, pages: int) -> tuple[float, float]:
    """Return the interval of a ratio from the standard error of its logarithm."""
    reach = float(np.exp(quantile(pages) * log_error))
    return ratio / reach, ratio * reach


def ratio_p_value(ratio: float, log_error: float, pages: int) -> float:
    """Return the two-sided p-value of a ratio of 1."""
    if log_error == 0:
        return 1.0
    return float(2 * special.stdtr(max(pages - 1, 1), -abs(np.log(ratio)) / log_error))
