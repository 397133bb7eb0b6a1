from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revert_risk.features import Features
from revert_risk.training.evaluate import area_under_curve, average_precision, evaluate, thresholds
from revert_risk.training.examples import Example


def example(*, label: bool, is_anonymous: bool | None = False) -> Example:
    """Return a labelled edit of which nothing else matters here."""
    return Example(
        features=Features({}, 0), label=label, page="p", user="u", wiki_id="enwiki", is_anonymous=is_anonymous
    )


def array(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return numbers as an array."""
    return np.array(values, dtype=np.float64)


@given(st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans()), min_size=2, max_size=40))
def test_the_area_is_the_share_of_pairs_in_order(rows: list[tuple[float, bool]]) -> None:
    """The AUC counts the pairs of a positive and a negative in which the positive scores higher, ties half."""
    positives = [score for score, label in rows if label]
    negatives = [score for score, label in rows if not label]
    if not positives or not negatives:
        return
    pairs = [(p > n) + 0.5 * (p == n) for p in positives for n in negatives]
    found = area_under_curve(array([score for score, _ in rows]), np.array([label for _, label in rows]))
    assert found == pytest.approx(sum(pairs) / len(pairs))


def test_average_precision_of_a_known_ranking() -> None:
    """Positives at ranks one and three have precisions 1 and 2/3."""
    labels = np.array([True, False, True, False])
    assert average_precision(array([0.9, 0.8, 0.7, 0.1]), labels) == pytest.approx((1 + 2 / 3) / 2)


def test_tied_scores_have_the_precision_of_their_whole_tie() -> None:
    """Equal scores give an average precision equal to the share of positives, in whatever order they come."""
    assert average_precision(array([0.5, 0.5, 0.5, 0.5]), np.array([True, False, False, False])) == 0.25


def test_a_perfect_model_beats_an_empty_flag() -> None:
    """Figures, baseline, difference and groups are reported with their sizes."""
    examples = [example(label=index % 4 == 0, is_anonymous=index % 2 == 0) for index in range(80)]
    report = evaluate(array([0.9 if each.label else 0.1 for each in examples]), examples)
    assert (report.n, report.positives) == (80, 20)
    assert (report.auc.value, report.auc.low, report.auc.high) == (1, 1, 1)
    assert report.anonymous_flag_auc.value == pytest.approx(5 / 6, abs=1e-4)
    assert report.auc_over_anonymous_flag.value == pytest.approx(1 / 6, abs=1e-4)
    assert (report.anonymous.n, report.anonymous.positives) == (40, 20)
    assert (report.registered.n, report.registered.auc.value) == (40, None)
    assert report.to_json()["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_an_interval_narrows_with_more_edits() -> None:
    """The interval holds the figure and shrinks as the sample grows."""
    generator = np.random.default_rng(0)
    widths = []
    for size in (60, 2_000):
        examples = [example(label=bool(generator.random() < 0.3)) for _ in range(size)]
        auc = evaluate(
            array([0.3 * each.label + 0.7 * generator.random() for each in examples]), examples
        ).auc
        assert auc.low is not None
        assert auc.high is not None
        assert auc.value is not None
        assert auc.low < auc.value < auc.high
        widths.append(auc.high - auc.low)
    assert widths[1] < widths[0] / 3


def test_calibration_is_weighed_to_the_stated_share() -> None:
    """On a balanced sample, a constant 7.4 % is perfectly calibrated to a base rate of 7.4 %."""
    examples = [example(label=index % 2 == 0) for index in range(1000)]
    report = evaluate(np.full(1000, 0.074), examples, base_rate=0.074)
    assert report.calibration_error == pytest.approx(0, abs=0.01)
    assert evaluate(np.full(1000, 0.074), examples).calibration_error == pytest.approx(0.426, abs=0.01)


def test_a_threshold_keeps_its_promise() -> None:
    """At the threshold for 5 %, no more than 5 % of the negatives lie above it."""
    scores = np.linspace(0, 1, 2001)
    labels = np.arange(2001) % 7 == 0
    limit = thresholds(scores, labels)["fpr_0.05"]
    assert (scores[~labels] > limit).mean() <= 0.05
