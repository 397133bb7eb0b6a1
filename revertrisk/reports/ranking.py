"""The area under the curve where some edits are watched for less than the horizon, with what each edit adds to it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from revertrisk.reports.incidence import OF_INTEREST, OPEN

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Ranked:
    """The area, and its derivative by each edit's weight."""

    value: float
    influence: Floats


def ranking(
    probability: Floats, seconds: Floats, states: NDArray[Any], age: Floats, horizon: float
) -> Ranked:
    """Return the chance that an edit reverted by the horizon scores above one that was not; ties count half.

    An edit whose fate at the horizon is known weighs as one over the share of edits that are watched long enough to
    know it (Uno et al. 2007; with competing events among the others, Blanche et al. 2013).
    """
    ended = (states != OPEN) & (seconds <= horizon)
    positive = ended & (states == OF_INTEREST)
    negative = (ended & ~positive) | (seconds >= horizon) & ~ended
    watched = np.sort(age)
    needed = np.minimum(seconds, horizon)
    share_watched = 1 - np.searchsorted(watched, needed, side="left") / len(age)
    weight = np.divide(1.0, share_watched, out=np.zeros(len(age)), where=(positive | negative))
    hits, misses = weight * positive, weight * negative
    _, place = np.unique(probability, return_inverse=True)
    hits_at, misses_at = np.bincount(place, weights=hits), np.bincount(place, weights=misses)
    misses_below = (np.cumsum(misses_at) - misses_at / 2)[place]
    hits_above = (hits.sum() - np.cumsum(hits_at) + hits_at / 2)[place]
    pairs = hits.sum() * misses.sum()
    value = float((hits * misses_below).sum() / pairs)
    influence = hits * (misses_below - value * misses.sum()) + misses * (hits_above - value * hits.sum())
    return Ranked(value, influence / pairs)
