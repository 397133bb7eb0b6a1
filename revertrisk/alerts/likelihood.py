"""Log-likelihood ratios of counts, the terms of the CUSUM, and the estimated size of a surge.

A count x usually has the mean m; in a surge of ratio r it has the mean r·m.

Negative binomial with Var(x) = m + α·m² (Höhle & Paul 2008, "Count data regression charts for the monitoring of
surveillance time series", CSDA 52, section 2)::

    ln f(x; r·m, α) / f(x; m, α) = x·ln r + (x + 1/α)·ln((1 + α·m) / (1 + α·r·m))

and for α = 0, Poisson, ``x·ln r − (r − 1)·m``.

Beta-binomial: x of n with mean p and overdispersion w = 1/(a + b + 1), a = p·(1/w − 1), b = (1 − p)·(1/w − 1)
(Salmon, Schumacher & Höhle 2016, "Monitoring count time series in R", JSS 70(10), section 3.3, has categorical CUSUMs).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SMALLEST_ALPHA: Final = 1e-10
"""Replaces 0 if only some series of an array are Poisson; the result differs by less than α·m²."""
_LARGEST_SHARE: Final = 0.999
_NEWTON_STEPS: Final = 100
_NEWTON_PRECISION: Final = 1e-13


def negative_binomial_ratio(
    counts: npt.ArrayLike, means: npt.ArrayLike, alpha: npt.ArrayLike, ratio: npt.ArrayLike
) -> Floats:
    """Return ln f(x; ratio·mean, α) − ln f(x; mean, α), elementwise; all arguments broadcast.

    ``alpha`` is the dispersion (Var = m + α·m²), 0 for Poisson; ``ratio`` is above 0.
    """
    x, m, r = np.asarray(counts, float), np.asarray(means, float), np.asarray(ratio, float)
    a = np.asarray(alpha, float)
    if not np.any(a):
        return np.asarray(x * np.log(r) - m * (r - 1))
    a = np.maximum(a, _SMALLEST_ALPHA)
    return np.asarray(x * np.log(r) + (x + 1 / a) * (np.log1p(a * m) - np.log1p(a * r * m)))


def beta_binomial_ratio(
    counts: npt.ArrayLike,
    trials: npt.ArrayLike,
    share: npt.ArrayLike,
    overdispersion: npt.ArrayLike,
    ratio: npt.ArrayLike,
) -> Floats:
    """Return ln f(x | n; ratio·share) − ln f(x | n; share) with equal overdispersion, elementwise.

    ``overdispersion`` is w from 0 (binomial) to below 1; shares are kept between 1e-9 and 0.999.
    """
    # scipy is imported only if a share is watched.
    from scipy.special import gammaln  # noqa: PLC0415

    x, n = np.asarray(counts, float), np.asarray(trials, float)
    p = np.clip(np.asarray(share, float), 1e-9, _LARGEST_SHARE)
    q = np.clip(p * np.asarray(ratio, float), 1e-9, _LARGEST_SHARE)
    w = np.maximum(np.asarray(overdispersion, float), 1e-9)
    size = 1 / w - 1

    def log_likelihood(mean: Floats) -> Floats:
        a, b = mean * size, (1 - mean) * size
        return np.asarray(gammaln(x + a) - gammaln(a) + gammaln(n - x + b) - gammaln(b))

    return log_likelihood(q) - log_likelihood(p)


def estimated_ratio(counts: Sequence[float], means: Sequence[float], alpha: float) -> float:
    """Return the maximum-likelihood estimate of r ≥ 1 for a span of bins whose means are r times the given ones.

    It solves Σ (x − r·m) / (1 + α·r·m) = 0 by Newton's method on ln r: the estimate of the size in the generalised
    likelihood ratio of Höhle & Paul 2008, section 2.2.
    """
    x, m = np.asarray(counts, float), np.asarray(means, float)
    start = float(x.sum() / m.sum()) if x.sum() > m.sum() > 0 else 1.0
    if alpha == 0:
        return start
    log_ratio = float(np.log(start))
    for _ in range(_NEWTON_STEPS):
        rm = m * np.exp(log_ratio)
        score = float(np.sum((x - rm) / (1 + alpha * rm)))
        slope = float(np.sum(rm * (1 + alpha * x) / (1 + alpha * rm) ** 2))
        step = score / slope if slope > 0 else 0.0
        log_ratio += step
        if abs(step) < _NEWTON_PRECISION:
            break
    return float(max(1.0, np.exp(log_ratio)))
