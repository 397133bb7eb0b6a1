"""Cumulative incidence of a revert with competing events, and how much each edit weighs in it.

An edit is watched from its saving to its revert, to an event after which nobody else can revert it (its author took it
back, its page was deleted), or to the end of the record. The estimator is Aalen and Johansen's, by statsmodels. What
each edit adds to its error is the derivative by that edit's weight (infinitesimal jackknife; Efron 1982, chapter 6).
Summed by page it gives intervals that hold where edits of a page are alike.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from statsmodels.duration.survfunc import CumIncidenceRight  # type: ignore[import-untyped]  # ships no types

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

OPEN: Final = 0
OF_INTEREST: Final = 1
COMPETING: Final = 2


@dataclass(frozen=True, slots=True)
class Incidence:
    """The share of edits that had the event of interest by a horizon."""

    value: float
    influence: Floats
    """Shape (edits,): the derivative of the value by each edit's weight; sums to 0."""


def cumulative_incidence(seconds: Floats, states: NDArray[Any], horizon: float) -> Incidence:
    """Estimate the share with the event of interest by ``horizon`` seconds.

    ``seconds`` has the time to each edit's event or to the end of its watch, ``states`` says which: ``OPEN``,
    ``OF_INTEREST`` or ``COMPETING``. An event at the very horizon counts.
    """
    number = len(seconds)
    happened = (states != OPEN) & (seconds <= horizon)
    wanted = happened & (states == OF_INTEREST)
    if not wanted.any():
        return Incidence(0.0, np.zeros(number))
    times, place = np.unique(seconds[happened], return_inverse=True)
    at_risk = number - np.searchsorted(np.sort(seconds), times, side="left").astype(np.float64)
    hazard = np.bincount(place, minlength=len(times)) / at_risk
    hazard_wanted = np.bincount(place, weights=wanted[happened], minlength=len(times)) / at_risk
    before = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    gained = np.cumsum(before * hazard_wanted)
    still_to_gain = gained[-1] - gained
    # Where everybody who is left has an event, nothing is gained afterwards.
    staying = np.divide(1.0, at_risk * (1 - hazard), out=np.zeros_like(hazard), where=hazard < 1)
    # How many event times each edit was at risk at.
    reached = np.searchsorted(times, seconds, side="right")
    influence = (
        _cumulative(hazard * staying * still_to_gain)[reached]
        - _cumulative(before * hazard_wanted / at_risk)[reached]
    )
    own = wanted[happened] * (before / at_risk)[place] - (staying * still_to_gain)[place]
    influence[happened] += own
    return Incidence(_by_statsmodels(seconds, states, horizon), influence)


def _by_statsmodels(seconds: Floats, states: NDArray[Any], horizon: float) -> float:
    late = seconds > horizon
    status = np.where(late, OPEN, states)
    with np.errstate(divide="ignore", invalid="ignore"):  # in the variance, which is not used
        found = CumIncidenceRight(np.where(late, np.nextafter(horizon, np.inf), seconds), status)
    return float(found.cinc[0][-1])


def _cumulative(values: Floats) -> Floats:
    return np.concatenate([[0.0], np.cumsum(values)])
