"""The statistic, beside R's package surveillance and beside sums that are written out."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import betabinom, nbinom, poisson

from revertrisk.alerts.cusum import cusum, daily_maxima, sized, span_ratio
from revertrisk.alerts.detector import Detector, DetectorState
from revertrisk.alerts.fitting import LEAST_RATIO
from revertrisk.alerts.level import first_weight, levels
from revertrisk.alerts.likelihood import beta_binomial_ratio, estimated_ratio, negative_binomial_ratio

ORACLE = json.loads(Path(__file__).with_name("glrnb.json").read_text())
FIXED = [case for case in ORACLE["cases"] if case["theta"] is not None]
ESTIMATED = [case for case in ORACLE["cases"] if case["theta"] is None]
RNG = np.random.default_rng(7)


@pytest.mark.parametrize("case", FIXED, ids=lambda case: case["name"])
def test_the_cusum_is_that_of_surveillance(case: dict[str, Any]) -> None:
    """The CUSUM for a given ratio equals algo.glrnb with theta = ln(ratio) to 1e-9 on 1,000 points."""
    counts, means = np.array(case["counts"]), np.array(ORACLE["mu"])
    ours = cusum(negative_binomial_ratio(counts, means, case["alpha"], np.exp(case["theta"])))
    assert len(ours) == 1000
    assert np.abs(ours - case["value"]).max() < 1e-9


@pytest.mark.parametrize("case", ESTIMATED, ids=lambda case: case["name"])
def test_the_size_is_that_of_surveillance(case: dict[str, Any]) -> None:
    """With the ratio estimated, the greatest likelihood ratio of all beginnings is algo.glrnb's with theta = NULL."""
    counts, means, alpha = np.array(case["counts"], float), np.array(ORACLE["mu"]), case["alpha"]
    for end in range(40, 1001, 240):
        values = []
        for begin in range(end):
            x, m = counts[begin:end], means[begin:end]
            values.append(float(negative_binomial_ratio(x, m, alpha, estimated_ratio(x, m, alpha)).sum()))
        assert max(*values, 0.0) == pytest.approx(case["value"][end - 1], abs=1e-9)


def test_the_ratios_are_those_of_the_distributions() -> None:
    """The log-likelihood ratios are those of SciPy's Poisson, negative binomial and beta-binomial distributions."""
    x, m, r = np.arange(40.0), np.linspace(1, 30, 40), 1.7
    assert np.allclose(
        negative_binomial_ratio(x, m, 0.0, r), poisson.logpmf(x, r * m) - poisson.logpmf(x, m), atol=1e-10
    )
    alpha = 0.2
    expected = nbinom.logpmf(x, 1 / alpha, 1 / (1 + alpha * r * m)) - nbinom.logpmf(
        x, 1 / alpha, 1 / (1 + alpha * m)
    )
    assert np.allclose(negative_binomial_ratio(x, m, alpha, r), expected, atol=1e-10)
    n, p, w = np.full(40, 60.0), 0.2, 0.03
    size = 1 / w - 1
    expected = betabinom.logpmf(x, n, r * p * size, (1 - r * p) * size) - betabinom.logpmf(
        x, n, p * size, (1 - p) * size
    )
    assert np.allclose(beta_binomial_ratio(x, n, p, w, r), expected, atol=1e-9)


def test_the_sums_of_a_span_are_enough() -> None:
    """Of a span with equal means, the statistic from its sums is the likelihood ratio at the estimated size."""
    counts, means, alpha = RNG.poisson(20, 30).astype(float), np.full(30, 9.0), 0.05
    ratio = estimated_ratio(counts, means, alpha)
    bins = np.array([30.0])
    ours = span_ratio(counts.sum(keepdims=True), means.sum(keepdims=True), bins, alpha, LEAST_RATIO)
    # Equal counts have the same sum: the ratio depends on the counts' sum alone.
    assert ours[0] == pytest.approx(negative_binomial_ratio(counts, means, alpha, ratio).sum(), rel=1e-9)


def test_a_path_is_at_most_the_best_of_all_spans() -> None:
    """The statistic with the estimated size lies between the CUSUM and the best of all beginnings."""
    counts, means = RNG.poisson(6, 300).astype(float), np.full(300, 5.0)
    path = cusum(negative_binomial_ratio(counts, means, 0.0, LEAST_RATIO))
    statistic = sized(path, counts, means, np.ones(300), 0.0, LEAST_RATIO)
    assert np.all(statistic >= path - 1e-9)
    for end in (100, 200, 300):
        best = max(
            negative_binomial_ratio(
                x := counts[begin:end], m := means[begin:end], 0.0, estimated_ratio(x, m, 0.0)
            ).sum()
            for begin in range(end)
        )
        assert statistic[end - 1] <= max(best, 0.0) + 1e-9


def test_one_bin_at_a_time_gives_the_same() -> None:
    """A detector that takes one bin at a time has the values of the path that thresholds are made from."""
    bins, alpha = 3000, 0.03
    counts = RNG.negative_binomial(1 / alpha, 1 / (1 + alpha * 8), (2, bins)).astype(float)
    baseline = 8 + 2 * np.sin(np.arange(bins) / 200) * np.ones((2, 1))
    observed = np.ones((2, bins))
    observed[1, 700:800] = 0
    means = baseline * levels(counts, baseline, observed, 5)
    path = cusum(negative_binomial_ratio(counts, means, alpha, LEAST_RATIO) * observed)
    expected = sized(path, counts, means, observed, alpha, LEAST_RATIO)
    never = np.full(2, np.inf)
    state = DetectorState.new(np.full(2, first_weight(float(baseline.mean()), 5)), 0)
    detector = Detector(5, state, np.full(2, alpha), never, np.full((2, 3), np.inf))
    for number in range(bins):
        detector.step(number, counts[:, number], baseline[:, number], observed[:, number] > 0)
        seen = observed[:, number] > 0
        assert np.allclose(detector.statistic()[seen], expected[seen, number], atol=1e-8)


def test_daily_maxima_leave_out_what_is_no_whole_day() -> None:
    """Each whole day has the greatest value of its bins."""
    path = np.arange(50.0)
    assert daily_maxima(path, 24).tolist() == [23.0, 47.0]
