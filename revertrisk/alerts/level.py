"""The slow level: the ratio of the counts of the last day or two to the baseline, which follows holidays and growth.

level(t) = Σ λ^(t−s)·min(x(s), 3·b(s) + 6) / Σ λ^(t−s)·b(s) over the bins s before t, where b is the baseline
and λ halves a weight in a day. It begins as if the counts of the day before had been equal
to the baseline.
"""

from typing import Final

import numpy as np

from revertrisk.alerts.likelihood import Floats

HALF_LIFE_DAYS: Final = 1.0
MINUTES_PER_DAY: Final = 1440
_HIGHEST_RATIO: Final = 3.0
_HIGHEST_EXTRA: Final = 6.0


def decay(bin_minutes: int) -> float:
    """Return λ for a bin length."""
    return float(0.5 ** (bin_minutes / (MINUTES_PER_DAY * HALF_LIFE_DAYS)))


def first_weight(mean_per_bin: float, bin_minutes: int) -> float:
    """Return the weight that the level begins with: that of a day at the mean of the baseline."""
    # All weights sum to bins per day / log 2, and those of one day to half of it.
    return float(mean_per_bin * MINUTES_PER_DAY * HALF_LIFE_DAYS / bin_minutes / np.log(2) / 2)


def capped(counts: Floats, baseline: Floats) -> Floats:
    """Return the counts that the level uses: at most 3·b + 6, so that one spike does not hide the next surge."""
    return np.asarray(np.minimum(counts, _HIGHEST_RATIO * baseline + _HIGHEST_EXTRA))


def levels(counts: Floats, baseline: Floats, observed: Floats, bin_minutes: int) -> Floats:
    """Return the level at each bin from the bins before it; all arrays have one shape, and the last axis is time.

    ``observed`` is 0 for a bin of an outage, otherwise 1.
    """
    from scipy.signal import lfilter  # noqa: PLC0415 - slow to import, and needed for fits only

    keep = decay(bin_minutes)
    first = first_weight(float(baseline.mean()), bin_minutes)
    start = np.full((*counts.shape[:-1], 1), first * keep)
    above, _ = lfilter([1.0], [1.0, -keep], capped(counts, baseline) * observed, axis=-1, zi=start)
    below, _ = lfilter([1.0], [1.0, -keep], baseline * observed, axis=-1, zi=start)
    path = np.ones_like(counts)
    path[..., 1:] = above[..., :-1] / below[..., :-1]
    return path
