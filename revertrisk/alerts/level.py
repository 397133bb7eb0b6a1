"""The slow level: how the last day or two stand to the baseline, for holidays and for growth.

level(t) = Σ λ^(t−s)·min(x(s), 3·b(s) + 6) / Σ λ^(t−s)·b(s) over the bins s before t, with b the baseline and λ such
that a weight halves in a day. It begins as if a day at the baseline had gone before.
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
    """Return the weight that the level begins with: what a day at the mean of the baseline has."""
    return float(mean_per_bin * MINUTES_PER_DAY * HALF_LIFE_DAYS / bin_minutes / np.log(2) / 2)


def capped(counts: Floats, baseline: Floats) -> Floats:
    """Return what a bin counts for the level: at most 3·b + 6, so that one spike does not hide the next surge."""
    return np.asarray(np.minimum(counts, _HIGHEST_RATIO * baseline + _HIGHEST_EXTRA))


def levels(counts: Floats, baseline: Floats, observed: Floats, bin_minutes: int) -> Floats:
    """Return the level at each bin, along the last axis, from the bins before it; shapes are equal.

    ``observed`` is 1 for a bin that counts and 0 for one of an outage.
    """
    from scipy.signal import lfilter  # noqa: PLC0415 - slow to import, and only fits need it

    keep = decay(bin_minutes)
    first = first_weight(float(baseline.mean()), bin_minutes)
    start = np.full((*counts.shape[:-1], 1), first * keep)
    above, _ = lfilter([1.0], [1.0, -keep], capped(counts, baseline) * observed, axis=-1, zi=start)
    below, _ = lfilter([1.0], [1.0, -keep], baseline * observed, axis=-1, zi=start)
    path = np.ones_like(counts)
    path[..., 1:] = above[..., :-1] / below[..., :-1]
    return path
