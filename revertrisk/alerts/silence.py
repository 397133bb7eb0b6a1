"""Silence: when no event at all is too unlikely to be chance.

A run of bins without an event, whose means sum to M, has the probability ``(1 + α·M)^(−1/α)`` if the rate fluctuates
with variance α about the mean and keeps its value through the run: the negative binomial's probability of 0 for the
run as a whole. Rates that change within the run make it smaller, so this errs towards no alarm. A run may begin in any
minute: one false alarm in B days is ``1440·B`` runs.
"""

import math
from typing import Final

from revertrisk.alerts.level import MINUTES_PER_DAY

LONGEST_WAIT_MINUTES: Final = 120
"""A wiki for which it takes longer at this time of the day is watched for silence together with the small ones."""
LEAST_ALPHA: Final = 0.05
"""Where a smaller dispersion was estimated: an interruption of a second is not what is looked for."""


def needed_mean(alpha: float, budget_days: float) -> float:
    """Return the least M for which a run without an event is silence: (1 + α·M)^(−1/α) = 1/(1440·B)."""
    alpha = max(alpha, LEAST_ALPHA)
    return float(math.expm1(alpha * math.log(MINUTES_PER_DAY * budget_days)) / alpha)
