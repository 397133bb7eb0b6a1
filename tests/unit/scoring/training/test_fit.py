import numpy as np
import pytest

from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.fit import balanced_weights, calibrate


def test_both_classes_weigh_the_same() -> None:
    """Weights balance the classes and sum to what was asked for."""
    labels = np.array([True, False, False, False])
    weights = balanced_weights(labels, total=0.5)
    assert weights[labels].sum() == pytest.approx(0.25)
    assert weights[~labels].sum() == pytest.approx(0.25)


def test_one_class_has_no_balance() -> None:
    """Weights for edits of a single class are refused."""
    with pytest.raises(TrainingError, match="both classes"):
        balanced_weights(np.array([True, True]), total=1)


def test_calibration_finds_the_scale_and_the_base_rate() -> None:
    """Logits that are too large by two, from a balanced sample, become probabilities for 7.4 %."""
    generator = np.random.default_rng(0)
    labels = generator.random(20_000) < 0.5
    evidence = np.where(labels, 1.0, -1.0) + generator.normal(size=20_000)  # the true log odds are twice this
    calibration = calibrate(evidence * 4, labels, base_rate=0.074)
    assert calibration.slope == pytest.approx(0.5, rel=0.05)
    assert calibration.offset == pytest.approx(np.log(0.074 / 0.926), rel=0.05)
