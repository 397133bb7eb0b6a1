"""Thresholds for a budget of false starts, from the daily maxima of the statistic in weeks that were not fitted.

Above their median q50 the maxima are assumed to be exponential, with the mean excess θ:
P(max > h) = ½·exp(−(h − q50)/θ).
One false start in B days means P = 1/B, so ``h = q50 + θ·ln(B/2)``, for B > 2.

If B is longer than the history, the tail is extrapolated, and the uncertainty of θ matters: with m maxima above the
median, the average of exp(−c·θ̂/θ) is (1 + c/m)^−m, more than exp(−c). Then ln(B/2) is replaced by the number whose
average is 2/B: ``h = q50 + θ·m·((B/2)^(1/m) − 1)``.

Days of past surges must not raise the threshold. For a first estimate of θ the highest maxima are treated as censored
(the estimate of the type II censored exponential). A day with a maximum that this θ gives once in 10,000 days is a day
of a surge, and is left out.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.likelihood import Floats

CENSORED: Final = 0.15
"""The proportion of the maxima above the median that the first estimate treats as censored."""
SURGE_DAYS: Final = 10_000.0
"""A day with a maximum that is expected once in this number of days is treated as a day of a surge."""
LEAST_BUDGET_DAYS: Final = 7.0
MOST_BUDGET_DAYS: Final = 36_500.0
"""A hundred years: a longer budget, such as `inf`, leaves no surge that is found."""
LEAST_DAYS: Final = 6
_LEAST_EXCESS: Final = 1e-3

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Tail:
    """The tail of the daily maxima of a statistic: their median, the mean excess above it, and the number above it."""

    median: float
    excess: float
    number: int
    """The number of maxima above the median."""

    def threshold(self, budget_days: float) -> float:
        """Return the h that is exceeded by chance on one day in ``budget_days``.

        Raises:
            ValueError: the budget is under 7 days, for which the formula does not hold.

        """
        if budget_days < LEAST_BUDGET_DAYS:
            raise ValueError(
                f"a budget of {budget_days:g} days per series is too small: the threshold comes from the daily "
                f"maxima above their median, which needs at least {LEAST_BUDGET_DAYS:g} days per false start"
            )
        return self.median + self.excess * self._factor(budget_days)

    def _factor(self, budget_days: float) -> float:
        if not self.is_extrapolated(budget_days):
            return math.log(budget_days / 2)
        return self.number * math.expm1(math.log(budget_days / 2) / self.number)

    def is_extrapolated(self, budget_days: float) -> bool:
        """Return whether the budget is longer than the history."""
        return budget_days > 2 * self.number


def fit_tail(maxima: Floats) -> Tail:
    """Return the tail of the daily maxima of days without a surge.

    Raises:
        ValueError: fewer than 6 days.

    """
    if len(maxima) < LEAST_DAYS:
        raise ValueError(f"a threshold needs at least {LEAST_DAYS} days")
    median = float(np.median(maxima))
    above = maxima[maxima > median] - median
    excess = float(above.mean()) if len(above) else 0.0
    return Tail(median, max(excess, _LEAST_EXCESS), max(len(above), 1))


def are_surges(maxima: Floats) -> Flags:
    """Return which daily maxima are surges: above the value that is expected once in 10,000 days.

    The highest maxima are treated as censored: only a lower bound of them is used.
    """
    median = float(np.median(maxima))
    above = np.sort(maxima[maxima > median]) - median
    censored = math.ceil(CENSORED * len(above))
    known = above[: len(above) - censored]
    if not len(known):
        return np.zeros(len(maxima), bool)
    excess = max((float(known.sum()) + censored * float(known[-1])) / len(known), _LEAST_EXCESS)
    return np.asarray(maxima > median + excess * math.log(SURGE_DAYS / 2))
