from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring.features import Features
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.evaluate import area_under_curve, choose_thresholds, evaluate
from revertrisk.scoring.training.examples import Example


def example(*, label: bool, is_anonymous: bool | None = False, **values: float) -> Example:
    """Return a labelled edit of which nothing else matters here."""
    return Example(
        features=Features(values, 0),
        label=label,
        page="p",
        user="u",
        wiki_id="enwiki",
        is_anonymous=is_anonymous,
    )


def array(values: Sequence[float]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return numbers as an array."""
    return np.array(values, dtype=np.float64)


def of_sample(statistic: figures.Statistic, size: int) -> float:
    """Return a figure of the sample itself."""
    return float(statistic(np.ones((1, size)))[0])


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


@given(
    st.lists(
        st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.9]), st.booleans(), st.integers(0, 3)),
        min_size=2,
        max_size=30,
    )
)
def test_a_count_is_as_good_as_a_repetition(rows: list[tuple[float, bool, int]]) -> None:
    """A resample by counts has the figures of the sample with its edits repeated that often."""
    scores, labels = array([row[0] for row in rows]), np.array([row[1] for row in rows])
    counts = np.array([row[2] for row in rows])
    repeated_scores, repeated_labels = np.repeat(scores, counts), np.repeat(labels, counts)
    for figure in (figures.auc, figures.average_precision, figures.brier):
        found = figure(scores, labels)(counts[None, :].astype(np.float64))[0]
        if len(repeated_scores):
            expected = of_sample(figure(repeated_scores, repeated_labels), len(repeated_scores))
            assert found == pytest.approx(expected, nan_ok=True)


def test_average_precision_of_a_known_ranking() -> None:
    """Positives at ranks one and three have precisions 1 and 2/3."""
    labels = np.array([True, False, True, False])
    found = of_sample(figures.average_precision(array([0.9, 0.8, 0.7, 0.1]), labels), 4)
    assert found == pytest.approx((1 + 2 / 3) / 2)


def test_tied_scores_have_the_precision_of_their_whole_tie() -> None:
    """Equal scores give an average precision equal to the share of positives, in whatever order they come."""
    labels = np.array([True, False, False, False])
    assert of_sample(figures.average_precision(array([0.5] * 4), labels), 4) == 0.25


def test_a_perfect_model_beats_an_empty_flag() -> None:
    """Figures, baseline, difference and groups are reported with their sizes."""
    examples = [example(label=index % 4 == 0, is_anonymous=index % 2 == 0) for index in range(80)]
    report = evaluate(array([0.9 if each.label else 0.1 for each in examples]), examples)
    flag = report.baselines["anonymous_flag"]
    assert (report.n, report.positives) == (80, 20)
    assert (report.auc.value, report.auc.low, report.auc.high) == (1, 1, 1)
    assert flag.auc.value == pytest.approx(5 / 6, abs=1e-4)
    assert flag.auc_difference.value == pytest.approx(1 / 6, abs=1e-4)
    assert (report.groups["anonymous"].n, report.groups["anonymous"].positives) == (40, 20)
    assert (report.groups["registered"].n, report.groups["registered"].auc.value) == (40, None)
    assert report.to_json()["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_figures_at_a_threshold() -> None:
    """Precision, recall and false positive rate count the edits that score above it."""
    labels = [True, True, False, False, False, False]
    report = evaluate(
        array([0.9, 0.3, 0.8, 0.5, 0.1, 0.1]),
        [example(label=each) for each in labels],
        thresholds={"even": 0.5},
    )
    at = report.thresholds["even"]
    assert (at.precision.value, at.recall.value, at.fpr.value) == (0.5, 0.5, 0.25)


def test_authors_are_divided_by_what_is_known_of_them() -> None:
    """Temporary accounts, addresses, newcomers, experienced editors, bots and the unknown are groups."""
    examples = [
        example(label=True, is_anonymous=True),
        example(label=False, is_anonymous=True, user_is_temporary=1.0, user_edit_count=3),
        example(label=True, user_edit_count=99),
        example(label=False, user_edit_count=100),
        example(label=True, user_edit_count=500, user_is_bot=1.0),
        example(label=False, is_anonymous=None),
    ]
    report = evaluate(array([0.5] * 6), examples)
    assert {name: group.n for name, group in report.groups.items()} == {
        "anonymous": 2,
        "ip": 1,
        "temporary": 1,
        "registered": 3,
        "edits_0_99": 1,
        "edits_100_499": 1,
        "edits_500_or_more": 1,
        "bot": 1,
        "unknown": 1,
    }


def test_another_models_scores_are_compared_on_the_same_resamples() -> None:
    """A rival that gives the same scores differs by exactly nothing, in every resample."""
    examples = [example(label=index % 3 == 0) for index in range(60)]
    scores = array([index % 7 for index in range(60)])
    rival = evaluate(scores, examples, baselines={"twin": scores}).baselines["twin"]
    assert (rival.auc_difference.value, rival.auc_difference.low, rival.auc_difference.high) == (0, 0, 0)


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
    generator = np.random.default_rng(1)
    examples = [example(label=bool(generator.random() < 0.5)) for _ in range(4000)]
    weighed, plain = (evaluate(np.full(4000, 0.074), examples, base_rate=rate) for rate in (0.074, None))
    assert weighed.ece.value == pytest.approx(0, abs=0.02)
    assert plain.ece.value == pytest.approx(0.426, abs=0.02)


def test_a_threshold_keeps_its_promise() -> None:
    """At the threshold for 5 %, no more than 5 % of the negatives lie above it."""
    scores = np.linspace(0, 1, 2001)
    labels = np.arange(2001) % 7 == 0
    limit = choose_thresholds(scores, labels)["fpr_0.05"]
    assert (scores[~labels] > limit).mean() <= 0.05
