"""Intervals of 95 % that allow for correlated edits of one page.

Standard errors are cluster-robust ("sandwich"): what each edit contributes is summed by page first, and the sums are
treated as independent. All arrays have one entry for each edit and must be ordered by page.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # ships no types
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # likewise

Floats = NDArray[np.float64]

CONFIDENCE: Final = 0.95
MIN_PAGES: Final = 10
"""With fewer pages the variation between pages cannot be estimated, so a figure has no interval."""


def count_pages(pages: NDArray[Any]) -> int:
    """Return the number of different pages."""
    return int(np.count_nonzero(np.diff(pages))) + 1 if len(pages) else 0


def standard_error(influence: Floats, pages: NDArray[Any]) -> float:
    """Return the standard error of an estimate from the influence of each edit, clustered by page.

    The factor n / (n - 1), with n pages, corrects the downward bias for few pages.
    """
    if not len(pages):
        return 0.0
    starts = np.concatenate([[0], np.flatnonzero(np.diff(pages)) + 1])
    number = len(starts)
    sums = np.add.reduceat(influence, starts)
    return float(np.sqrt((sums**2).sum() * number / max(number - 1, 1)))


def t_quantile(pages: int) -> float:
    """Return the half-width of an interval in standard errors: Student's t with (pages - 1) degrees of freedom."""
    return float(special.stdtrit(max(pages - 1, 1), (1 + CONFIDENCE) / 2))


def share_interval(value: float, error: float, pages: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, computed for the effective number of edits.

    This is the number of independent edits that would give the same standard error: v (1 - v) / error² (Korn and
    Graubard 1998). With one edit per page it is the number of edits. If all edits have the same outcome, the error is
    0; then each page counts as one edit.
    """
    independent = value * (1 - value) / error**2 if error > 0 and 0 < value < 1 else float(pages)
    alpha = 2 * float(special.ndtr(-t_quantile(pages)))
    low, high = proportion_confint(value * independent, independent, alpha=alpha, method="wilson")
    return float(low), float(high)


def difference_interval(value: float, error: float, pages: int) -> tuple[float, float]:
    """Return the interval of a difference; its ends may be negative."""
    half_width = t_quantile(pages) * error
    return value - half_width, value + half_width


def ratio_interval(ratio: float, log_error: float, pages: int) -> tuple[float, float]:
    """Return the interval of a ratio, from the standard error of its natural logarithm."""
    factor = float(np.exp(t_quantile(pages) * log_error))
    return ratio / factor, ratio * factor


def ratio_p_value(ratio: float, log_error: float, pages: int) -> float:
    """Return the two-sided p-value of the hypothesis that the ratio is 1 (Student's t on its logarithm)."""
    if log_error == 0:
        return 1.0
    return float(2 * special.stdtr(max(pages - 1, 1), -abs(np.log(ratio)) / log_error))
