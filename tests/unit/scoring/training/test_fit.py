import numpy as np
import pytest
import torch

from revertrisk.scoring.encoding import Encoder, FeatureScale
from revertrisk.scoring.features import ChangedText
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.fit import (
    InputSelection,
    TrainingRows,
    balanced_weights,
    calibrate,
    fit_member,
    join_members,
    logits_of,
)
from revertrisk.scoring.training.logistic import logistic
from revertrisk.scoring.vocabulary import learn_vocabulary

ENCODER = Encoder(
    tuple(
        FeatureScale(name=name, transform=transform, mean=0.0, deviation=1.0)
        for name, transform in (("is_minor", "identity"), ("is_mobile", "identity"), ("old_length", "log1p"))
    ),
    (),
)


def rows(number: int, seed: int) -> TrainingRows:
    """Return encoded edits whose labels follow the first and the third feature."""
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(number, 3))
    labels = (values[:, 0] + values[:, 2] + generator.normal(size=number) > 0).astype(np.float64)
    inputs = np.concatenate([values, np.ones((number, 3))], axis=1)
    return TrainingRows(inputs, labels, np.ones(number), None)


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


def test_an_offset_is_taken_as_it_is() -> None:
    """What is known of the log odds beforehand is not learnt again."""
    generator = np.random.default_rng(1)
    known, new = generator.normal(size=(2, 30_000))
    labels = generator.random(30_000) < 1 / (1 + np.exp(-(known + 0.5 * new)))
    (found,) = logistic(new[:, None], labels, np.ones(30_000), known)
    assert found == pytest.approx(0.5, rel=0.1)


def test_a_member_reads_what_it_may_and_no_more() -> None:
    """A feature that only adds is combined with nothing, and one in neither set changes no logit."""
    selection = InputSelection(
        ENCODER, None, combined=frozenset({"is_minor"}), added=frozenset({"old_length"})
    )
    network = fit_member(selection, rows(400, 0), rows(100, 1), seed=2)
    inputs = np.zeros((6, 6))
    inputs[:, 3:] = 1.0
    inputs[1, 1] = 2.0  # the feature that is not read
    inputs[2, 4:] = 0.0  # whether the others are known
    inputs[3, 2] = 1.0
    inputs[4, 0] = 3.0
    inputs[5, [0, 2]] = 3.0, 1.0
    base, unread, unknown, added, combined, both = logits_of(network, inputs, None)
    assert unread == unknown == base
    assert added > base
    assert combined > base
    assert both - combined == pytest.approx(added - base, abs=1e-12)


def test_joined_members_say_their_weighted_sum() -> None:
    """A member that reads no words joins those that do, and adds nothing for them."""
    texts = [ChangedText(inserted="old mill"), ChangedText(inserted="new lake"), ChangedText()]
    vocabulary = learn_vocabulary(texts, min_edits=1)
    data = rows(60, 3)
    with_words = TrainingRows(
        data.inputs,
        data.labels,
        data.weights,
        tuple(vocabulary.find(texts[place % 3]) for place in range(60)),
    )
    everything = frozenset({"is_minor", "is_mobile", "old_length"})
    first = fit_member(InputSelection(ENCODER, vocabulary, everything), with_words, with_words, seed=1)
    second = fit_member(InputSelection(ENCODER, None, everything), data, data, seed=2)
    joined = join_members([first, second], [0.7, 0.3], ENCODER, vocabulary)
    expected = 0.7 * logits_of(first, data.inputs, with_words.texts) + 0.3 * logits_of(
        second, data.inputs, None
    )
    assert logits_of(joined, data.inputs, with_words.texts) == pytest.approx(expected, abs=1e-12)
    assert torch.count_nonzero(joined.state_dict()["words.weight"][:, 1]) == 0


def test_parts_of_a_set_are_balanced_together() -> None:
    """Two folds weigh what their set weighs, half of it in each class, wherever the classes are."""
    first, second = rows(30, 4), rows(50, 5)
    together = TrainingRows.concatenate([first, second], 0.4)
    assert together.labels.tolist() == [*first.labels, *second.labels]
    assert together.weights[together.labels > 0].sum() == pytest.approx(0.2)
    assert together.weights.sum() == pytest.approx(0.4)
