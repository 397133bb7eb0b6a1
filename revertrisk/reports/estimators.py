"""Estimators for edits that are watched for different times, and the influence of each edit on an estimate.

An edit is watched from the time it is saved. This ends with a revert by somebody else, with an event after which nobody
else can revert the edit (its author reverts it, its page is deleted), or with the end of the record. The last case is
called censored in statistics.

The influence of an edit is the derivative of the estimate by the weight of that edit (infinitesimal jackknife; Efron
1982, chapter 6). `revertrisk.reports.intervals` sums influences by page, because edits of one page are correlated.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from statsmodels.duration.survfunc import CumIncidenceRight  # type: ignore[import-untyped]  # ships no types

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

OPEN: Final = 0
"""Nothing has happened to the edit before the record ends (censored)."""
OF_INTEREST: Final = 1
"""The event that is counted: a revert."""
COMPETING: Final = 2
"""Another event, after which the event of interest can no longer happen."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """An estimate, and how much each edit contributes to its error."""

    value: float
    influence: Floats
    """Shape (edits,): the derivative of the value by the weight of each edit. The sum is 0."""


def cumulative_incidence(seconds: Floats, states: NDArray[Any], horizon: float) -> Estimate:
    """Estimate the share of edits that have the event of interest within ``horizon`` seconds.

    ``seconds`` has, for each edit, the time to its event or to the end of the record. ``states`` says which of these it
    is: ``OPEN``, ``OF_INTEREST`` or ``COMPETING``. An event exactly at the horizon counts.

    The value is the estimate of Aalen and Johansen, computed by statsmodels. The influence is computed here, because
    statsmodels gives only the variance for independent edits.
    """
    number = len(seconds)
    happened = (states != OPEN) & (seconds <= horizon)
    wanted = happened & (states == OF_INTEREST)
    if not wanted.any():
        return Estimate(0.0, np.zeros(number))
    times, place = np.unique(seconds[happened], return_inverse=True)
    at_risk = number - np.searchsorted(np.sort(seconds), times, side="left").astype(np.float64)
    hazard = np.bincount(place, minlength=len(times)) / at_risk
    hazard_wanted = np.bincount(place, weights=wanted[happened], minlength=len(times)) / at_risk
    # The share of edits without any event just before each event time, and the estimate just after it.
    before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    gained = np.cumsum(before * hazard_wanted)
    still_to_gain = gained[-1] - gained
    # If all remaining edits have an event at a time, the estimate cannot increase after it: no division by 0.
    staying = np.divide(1.0, at_risk * (1 - hazard), out=np.zeros_like(hazard), where=hazard < 1)
    # At how many event times each edit was at risk.
    reached = np.searchsorted(times, seconds, side="right")
    # An edit at risk lowers the hazard at a time: fewer events of interest there, but more edits left for later times.
    influence = (
        _cumulative(hazard * staying * still_to_gain)[reached]
        - _cumulative(before * hazard_wanted / at_risk)[reached]
    )
    # The edit's own event does the opposite at its time.
    own = wanted[happened] * (before / at_risk)[place] - (staying * still_to_gain)[place]
    influence[happened] += own
    return Estimate(_by_statsmodels(seconds, states, horizon), influence)


def _by_statsmodels(seconds: Floats, states: NDArray[Any], horizon: float) -> float:
    # What happens after the horizon does not matter. Without these events there are fewer times to compute.
    late = seconds > horizon
    status = np.where(late, OPEN, states)
    with np.errstate(divide="ignore", invalid="ignore"):  # in the variance, which is not used
        found = CumIncidenceRight(np.where(late, np.nextafter(horizon, np.inf), seconds), status)
    return float(found.cinc[0][-1])


def _cumulative(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])


def area_under_curve(
    probability: Floats, seconds: Floats, states: NDArray[Any], age: Floats, horizon: float
) -> Estimate:
    """Return the probability that an edit reverted by the horizon scores higher than one that was not; ties count half.

    ``age`` has the seconds from each edit to the end of the record. For a young edit the state at the horizon is not
    known. It is left out, and edits with a known state represent it: their weight is 1 over the share of edits that are
    watched long enough (Uno et al. 2007; competing events are among the edits that were not reverted, as in Blanche et
    al. 2013).
    """
    ended = (states != OPEN) & (seconds <= horizon)
    positive = ended & (states == OF_INTEREST)
    negative = (ended & ~positive) | (seconds >= horizon) & ~ended
    watched = np.sort(age)
    needed = np.minimum(seconds, horizon)
    share_watched = 1 - np.searchsorted(watched, needed, side="left") / len(age)
    weight = np.divide(1.0, share_watched, out=np.zeros(len(age)), where=(positive | negative))
    hits, misses = weight * positive, weight * negative
    # For each edit, the weight of the other class below and above its score: AUC is a share of pairs (Mann-Whitney).
    _, place = np.unique(probability, return_inverse=True)
    hits_at, misses_at = np.bincount(place, weights=hits), np.bincount(place, weights=misses)
    misses_below = (np.cumsum(misses_at) - misses_at / 2)[place]
    hits_above = (hits.sum() - np.cumsum(hits_at) + hits_at / 2)[place]
    pairs = hits.sum() * misses.sum()
    value = float((hits * misses_below).sum() / pairs)
    influence = hits * (misses_below - value * misses.sum()) + misses * (hits_above - value * hits.sum())
    return Estimate(value, influence / pairs)
