"""The dispersion of counts about their means: φ, α and ρ, from residuals of weeks that the means were not fitted on.

With Var(x) = m + α·m² and a rate whose relative fluctuation has the autocorrelation ρ from one bin to the next, the
residuals e = x − m have, for a lag j ≥ 1, the autocovariance α·ρʲ·m(t)·m(t+j): the counting noise of different bins is
independent and does not contribute. So α·ρʲ is estimated by Σ e(t)·e(t+j) / Σ m(t)·m(t+j). Residuals of the fitted
weeks would make it 12 to 25 % too small (measured in simulations).
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from revertrisk.alerts.likelihood import Floats

FAR_LAG: Final = 5
"""ρ is estimated from the autocovariances at lag 1 and at this lag."""
HIGHEST_ALPHA: Final = 2.0
POISSON_SCORE: Final = 2.33
"""The 0.99 quantile of the normal distribution: a lower score does not reject α = 0, so 0 is used."""


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The dispersion of a series about its means; α is its relative variance beyond Poisson."""

    phi: float
    """The mean of (x − m)²/m: 1 for Poisson."""
    alpha: float
    rho: float
    """The autocorrelation of the rate from one bin to the next; 0 if α is 0."""
    score: float
    """The statistic of the score test of α = 0; standard normal if the counts are Poisson (Dean & Lawless 1989)."""


def autocovariance(counts: Floats, means: Floats, observed: Floats, lag: int) -> float:
    """Return Σ e(t)·e(t+lag) / Σ m(t)·m(t+lag) over pairs of observed bins, where e = x − m."""
    residual = (counts - means) * observed
    weight = means * observed
    products = float(np.sum(weight[:-lag] * weight[lag:]))
    return float(np.sum(residual[:-lag] * residual[lag:])) / products if products > 0 else 0.0


def estimate(counts: Floats, means: Floats, observed: Floats) -> Dispersion:
    """Return the dispersion of counts about means that were not fitted on them; all arrays have one value per bin.

    ``observed`` is 0 for bins to leave out.
    """
    seen = observed > 0
    x, m = counts[seen], np.maximum(means[seen], 1e-9)
    phi = float(np.mean((x - m) ** 2 / m))
    score = float(np.sum((x - m) ** 2 - x) / math.sqrt(2 * float(np.sum(m**2))))
    near, far = (autocovariance(counts, means, observed, lag) for lag in (1, FAR_LAG))
    if near <= 0 or score < POISSON_SCORE:
        return Dispersion(phi, 0.0, 0.0, score)
    rho = (far / near) ** (1 / (FAR_LAG - 1)) if far > 0 else 0.0
    rho = min(rho, 1.0)
    alpha = near / rho if rho > 0.5 else near  # noqa: PLR2004 - a smaller ρ is too uncertain to divide by
    return Dispersion(phi, min(alpha, HIGHEST_ALPHA), rho, score)
