"""Intervals of 95 % that allow for correlated edits of one page.

Standard errors are clustered by page: what each edit contributes is summed by page first, and the sums are treated as
independent. All arrays have one entry for each edit and must be ordered by page.
"""

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import special  # type: ignore[import-untyped]  # ships no types
from statsmodels.stats.proportion import proportion_confint  # type: ignore[import-untyped]  # likewise

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

CONFIDENCE: Final = 0.95
MIN_PAGES: Final = 20
"""A figure with fewer effective pages has no interval: too few of them contain the true value (make study)."""
MIN_EVENTS: Final = 30
"""With fewer events, the correlation of the edits of a page cannot be estimated from them."""
ASSUMED_CORRELATION: Final = 0.05
"""The correlation of two edits of a page that is assumed then, if it gives the wider interval."""

_ROUNDING: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Clustered:
    """The standard error of an estimate, clustered by page, and the amount of data that it is computed from."""

    error: float
    pages: float
    """The effective number of pages: the number of pages of equal size that would give the same information (Kish)."""
    edits: float

    @property
    def is_enough(self) -> bool:
        """Whether there are enough effective pages for an interval."""
        return self.pages >= MIN_PAGES - _ROUNDING


def count_pages(pages: NDArray[Any]) -> int:
    """Return the number of different pages."""
    return int(np.count_nonzero(np.diff(pages))) + 1 if len(pages) else 0


def clustered(influence: Floats, pages: NDArray[Any], *parts: Booleans) -> Clustered:
    """Return the standard error of an estimate from the influence of each edit, clustered by page.

    The error is that of the jackknife that leaves out one page at a time (CR3; MacKinnon, Nielsen and Webb 2023). For
    pages of equal size this is the factor n / (n - 1), with n pages. ``parts`` are the edits that the estimate divides
    by, such as the reverted edits for recall; by default all edits. If it divides by several groups, the one with the
    fewest effective pages counts.
    """
    if not len(pages):
        return Clustered(math.inf, 0.0, 0.0)
    starts = np.concatenate([[0], np.flatnonzero(np.diff(pages)) + 1])
    sums = np.add.reduceat(influence, starts)
    leverage, effective, edits = np.zeros(len(starts)), math.inf, 0.0
    for part in parts or (np.ones(len(pages), dtype=np.bool_),):
        sizes = np.add.reduceat(part.astype(np.float64), starts)
        number = float(sizes.sum())
        edits += number
        squares = float((sizes**2).sum())
        effective = min(effective, number**2 / squares if squares else 0.0)
        leverage = np.maximum(leverage, sizes / max(number, 1.0))
    if effective <= 1:
        return Clustered(math.inf, effective, edits)
    # The pages that have edits to divide by. A page without any has no leverage, but can have influence.
    number_of_pages = int(np.count_nonzero(leverage))
    error = np.sqrt(((sums / (1 - leverage)) ** 2).sum() * (number_of_pages - 1) / number_of_pages)
    return Clustered(float(error), effective, edits)


def t_quantile(pages: float) -> float:
    """Return the half-width of an interval in standard errors: Student's t with (pages - 1) degrees of freedom.

    ``pages`` is the effective number of pages.
    """
    return float(special.stdtrit(max(pages - 1, 1), (1 + CONFIDENCE) / 2))


def share_interval(value: float, spread: Clustered) -> tuple[float, float]:
    """Return Wilson's interval of a share, computed for the effective number of edits.

    This is the number of independent edits that would give the same standard error: v (1 - v) / error² (Korn and
    Graubard 1998). It is at most the number of edits, so the interval is never narrower than Wilson's for independent
    edits. With fewer than 30 events, or 30 edits without the event, it is also at most the number for a correlation of
    0.05 within a page.
    """
    independent = spread.edits
    if spread.error > 0 and 0 < value < 1:
        independent = min(independent, value * (1 - value) / spread.error**2)
    if min(value, 1 - value) * spread.edits < MIN_EVENTS:
        # The design effect of Kish; (edits / pages) is the mean number of edits of a page, over the edits.
        design_effect = 1 + max(spread.edits / spread.pages - 1, 0.0) * ASSUMED_CORRELATION
        independent = min(independent, spread.edits / design_effect)
    alpha = 2 * float(special.ndtr(-t_quantile(spread.pages)))
    low, high = proportion_confint(value * independent, independent, alpha=alpha, method="wilson")
    # Exactly 0 and 1 at the ends, where rounding leaves a difference of 1e-17.
    return float(low) if value > 0 else 0.0, float(high) if value < 1 else 1.0


def difference_interval(value: float, spread: Clustered) -> tuple[float, float]:
    """Return the interval of a difference; its ends may be negative."""
    half_width = t_quantile(spread.pages) * spread.error
    return value - half_width, value + half_width


def ratio_interval(ratio: float, of_log: Clustered) -> tuple[float, float]:
    """Return the interval of a ratio, from the standard error of its natural logarithm."""
    factor = float(np.exp(t_quantile(of_log.pages) * of_log.error))
    return ratio / factor, ratio * factor


def ratio_p_value(ratio: float, of_log: Clustered) -> float:
    """Return the two-sided p-value of the hypothesis that the ratio is 1 (Student's t on its logarithm)."""
    if of_log.error == 0:
        return 1.0
    return float(2 * special.stdtr(max(of_log.pages - 1, 1), -abs(np.log(ratio)) / of_log.error))
