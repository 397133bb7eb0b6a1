"""The CUSUM of log-likelihood ratios, and the statistic with the estimated size of the surge.

S(t) = max(0, S(t−1) + l(t)) with the terms l for a surge of a fixed ratio k (Page 1954; Höhle & Paul 2008). The span
since S was last 0 is the most likely surge so far. Over it the ratio is estimated, as in Höhle & Paul 2008, section
2.2: r = max(k, Σx / Σm). The statistic is the span's log-likelihood ratio with r: it finds a large surge sooner
than with k, and a small one as soon. For n bins with sums X and M, and the mean M/n for each bin, it is::

    X·ln r + (X + n/α)·ln((1 + α·M/n) / (1 + α·r·M/n)),   for α = 0: X·ln r − M·(r − 1)

:func:`cusum` and :func:`sized` compute whole paths, for fitting. The detector computes the same values bin by bin.
"""

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.likelihood import Floats, negative_binomial_ratio


def cusum(log_ratios: Floats) -> Floats:
    """Return the CUSUM along the last axis; it starts at 0.

    With C the cumulative sum of l, S(t) = C(t) − min(0, C(1), …, C(t)).
    """
    total = np.cumsum(log_ratios, axis=-1)
    lowest = np.minimum(np.minimum.accumulate(total, axis=-1), 0.0)
    return np.asarray(total - lowest)


def span_ratio(
    counts: Floats, means: Floats, bins: Floats, alpha: npt.ArrayLike, least: npt.ArrayLike
) -> Floats:
    """Return the log-likelihood ratio of spans from their sums, with the estimated ratio, at least ``least``."""
    bins, means = np.maximum(bins, 1.0), np.maximum(means, 1e-12)
    ratio = np.maximum(least, counts / means)
    # The span counts as n bins of the mean M/n: n times the term of one bin with the count X/n.
    return bins * negative_binomial_ratio(counts / bins, means / bins, alpha, ratio)


def sized(  # noqa: PLR0913, PLR0917 - the parts of a path
    path: Floats, counts: Floats, means: Floats, observed: Floats, alpha: float, least: float
) -> Floats:
    """Return the statistic with the estimated size for a CUSUM path; the last axis of all arrays is time."""
    places = np.arange(1, path.shape[-1] + 1) * np.ones(path.shape, int)
    last_zero = np.maximum.accumulate(np.where(path <= 0, places, 0), axis=-1)

    def over_span(values: Floats) -> Floats:
        total = np.concatenate([np.zeros((*path.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
        return np.asarray(total[..., 1:] - np.take_along_axis(total, last_zero, axis=-1))

    bins = over_span(observed * np.ones(path.shape))
    value = span_ratio(over_span(counts * observed), over_span(means * observed), bins, alpha, least)
    return np.asarray(np.where(path > 0, value, 0.0))


def daily_maxima(path: Floats, bins_per_day: int) -> Floats:
    """Return the greatest value of each whole day along the last axis; bins after the last whole day are left out."""
    days = path.shape[-1] // bins_per_day
    shaped = path[..., : days * bins_per_day].reshape(*path.shape[:-1], days, bins_per_day)
    return np.asarray(shaped.max(axis=-1))
