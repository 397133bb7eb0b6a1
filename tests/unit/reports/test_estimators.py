import numpy as np
import pytest
from numpy.typing import NDArray
from statsmodels.duration.survfunc import CumIncidenceRight

from revertrisk.reports.estimators import COMPETING, OF_INTEREST, OPEN, cumulative_incidence

HORIZON = 5.0


def sample(number: int, seed: int = 3) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return times with ties, and states of all three kinds."""
    chance = np.random.default_rng(seed)
    return np.round(chance.exponential(8.0, number), 1), chance.integers(0, 3, number)


@pytest.mark.parametrize("number", [40, 5_000])
def test_value_and_error_are_those_of_statsmodels(number: int) -> None:
    """With each edit for itself, the value and the error are those of CumIncidenceRight."""
    seconds, states = sample(number)
    found = cumulative_incidence(seconds, states, HORIZON)
    with np.errstate(divide="ignore", invalid="ignore"):
        peer = CumIncidenceRight(seconds, states)
    at = np.searchsorted(peer.times, HORIZON, side="right") - 1
    assert found.value == pytest.approx(peer.cinc[0][at], abs=1e-12)
    assert np.sqrt((found.influence**2).sum()) == pytest.approx(peer.cinc_se[0][at], rel=1e-9)
    assert found.influence.sum() == pytest.approx(0, abs=1e-12)


def test_influence_is_the_derivative_by_an_edits_weight() -> None:
    """What an edit adds is the slope of the weighted estimate, here by plain loops and small steps."""
    seconds, states = sample(60)

    def estimate(weights: NDArray[np.float64]) -> float:
        surviving, gained = 1.0, 0.0
        for time in np.unique(seconds[(states != OPEN) & (seconds <= HORIZON)]):
            at_risk = weights[seconds >= time].sum()
            gained += surviving * weights[(seconds == time) & (states == OF_INTEREST)].sum() / at_risk
            surviving *= 1 - weights[(seconds == time) & (states != OPEN)].sum() / at_risk
        return gained

    step = 1e-6
    slopes = [
        (estimate(1 + step * unit) - estimate(1 - step * unit)) / (2 * step) for unit in np.eye(len(seconds))
    ]
    assert cumulative_incidence(seconds, states, HORIZON).influence == pytest.approx(slopes, abs=1e-8)


def test_without_an_end_of_the_record_it_is_the_plain_share() -> None:
    """Where each edit is watched to the horizon, it is the share with the event, one at the very horizon included."""
    seconds = np.array([1.0, 5.0, 5.1, 9.0, 9.0])
    states = np.array([COMPETING, OF_INTEREST, OF_INTEREST, OPEN, OPEN])
    found = cumulative_incidence(seconds, states, HORIZON)
    assert found.value == pytest.approx(1 / 5, abs=1e-15)
    assert found.influence == pytest.approx((np.array([0, 1, 0, 0, 0]) - 1 / 5) / 5)


def test_nothing_happened() -> None:
    """Without an event of interest the share is 0; where everybody has one at once it is 1."""
    assert cumulative_incidence(np.array([1.0, 2.0]), np.array([OPEN, COMPETING]), HORIZON).value == 0
    every = cumulative_incidence(np.array([1.0, 1.0]), np.array([OF_INTEREST, OF_INTEREST]), HORIZON)
    assert (every.value, every.influence.tolist()) == (1, [0, 0])
