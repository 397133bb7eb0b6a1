import math

import pytest

from revertrisk.scoring.prediction import NoProbabilityError, Prediction


def predicted(probability: float) -> Prediction:
    """Return a prediction of a model that is named for the test."""
    return Prediction.of(probability, model_name="a-model", model_version="1")


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf, -1e-9, 1.0000001])
def test_what_is_no_probability_is_refused(score: float) -> None:
    """A score that is not finite or not between 0 and 1 never becomes a prediction."""
    with pytest.raises(NoProbabilityError, match="a-model 1"):
        predicted(score)


def test_a_probability_is_rounded_before_anything_uses_it() -> None:
    """Six decimals are kept, and both outcomes sum to 1 in them."""
    prediction = predicted(0.12345678)
    assert prediction.probability == 0.123457
    assert prediction.probabilities == {"true": 0.123457, "false": 0.876543}


@pytest.mark.parametrize(
    ("score", "outcome"), [(0.0, False), (0.5, False), (0.5000004, False), (0.500001, True), (1.0, True)]
)
def test_the_likelier_outcome_is_predicted(score: float, outcome: bool) -> None:
    """A revert is predicted when its rounded probability is the larger one."""
    assert predicted(score).is_revert_predicted is outcome
