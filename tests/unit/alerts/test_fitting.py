"""Baseline, dispersion, thresholds: what a fit finds in counts whose parameters are known."""

import numpy as np
import pytest
import statsmodels.api as sm

from revertrisk.alerts.baseline import HARMONICS, Baseline, kinds_of_bins
from revertrisk.alerts.dispersion import estimate
from revertrisk.alerts.fitting import FITTED_DAYS, Model, fit, provisional_tails, smallest_bin
from revertrisk.alerts.likelihood import Floats
from revertrisk.alerts.silence import least_expected_events
from revertrisk.alerts.simulate import correlated_counts
from revertrisk.alerts.threshold import Tail, fit_tail

BIN = 15
PER_DAY = 1440 // BIN
FIRST = 29_000_160 // BIN


def means_of(days: int, rate: float) -> Floats:
    slot, weekend = kinds_of_bins(FIRST, days * PER_DAY, BIN)
    return np.asarray(rate * np.exp(0.3 * np.sin(2 * np.pi * slot / PER_DAY) - 0.2 * weekend))


def counts_of(days: int, rate: float, alpha: float = 0.0, seed: int = 3) -> Floats:
    rng = np.random.default_rng(seed)
    return correlated_counts(rng, means_of(days, rate)[None, :], alpha, 0.95, BIN)[0]


def model_of(counts: Floats) -> Model:
    return fit(counts, np.ones(len(counts)), FIRST, BIN)


def test_the_baseline_is_the_poisson_regression_of_statsmodels() -> None:
    """Without surges, the coefficients are those of statsmodels' GLM on every single bin."""
    counts = np.minimum(counts_of(28, 40.0), means_of(28, 40.0) + 10)  # no bin is down-weighted
    ours = Baseline.fit(counts, FIRST, BIN)
    slot, weekend = kinds_of_bins(FIRST, len(counts), BIN)
    angle = 2 * np.pi * (slot + 0.5) / PER_DAY
    half = [np.ones(len(counts))]
    for harmonic in range(1, HARMONICS + 1):
        half += [np.sin(harmonic * angle), np.cos(harmonic * angle)]
    design = np.stack(half + [column * weekend for column in half], axis=1)
    theirs = sm.GLM(counts, design, family=sm.families.Poisson()).fit(tol=1e-12)
    assert np.abs(np.array(ours.coefficients) - theirs.params).max() < 1e-6


def test_the_baseline_finds_the_means() -> None:
    """The means of each time of day and kind of day are found to three percent, in spite of a surge of two days."""
    counts = counts_of(42, 40.0)
    counts[5 * PER_DAY : 7 * PER_DAY] *= 3
    ours = Baseline.fit(counts, FIRST, BIN).means(FIRST, len(counts))
    assert np.abs(ours / means_of(42, 40.0) - 1).mean() < 0.03


def test_an_hour_that_was_never_seen_is_refused() -> None:
    """A baseline cannot be fitted on half a day; weekends that were not seen are as weekdays."""
    counts = counts_of(28, 10.0)
    with pytest.raises(ValueError, match="every hour of the day"):
        Baseline.fit(counts[: PER_DAY // 2], FIRST, BIN)
    weekend = kinds_of_bins(FIRST, len(counts), BIN)[1]
    means = Baseline.fit(counts, FIRST, BIN, observed=1.0 - weekend).slot_means()
    assert np.allclose(means[0], means[1])


def test_the_dispersion_is_found() -> None:
    """α and ρ of correlated rates are found on means that were not fitted; Poisson counts have none."""
    means = np.full(20_000, 30.0)
    rng = np.random.default_rng(5)
    found = estimate(correlated_counts(rng, means[None, :], 0.05, 0.95)[0], means, np.ones(len(means)))
    assert found.alpha == pytest.approx(0.05, rel=0.25)
    assert found.rho == pytest.approx(0.95, abs=0.02)
    assert found.phi == pytest.approx(1 + 0.05 * 30, rel=0.25)
    flat = estimate(rng.poisson(means).astype(float), means, np.ones(len(means)))
    assert (flat.alpha, flat.rho) == (0.0, 0.0)
    assert abs(flat.score) < 2.33


def test_a_tail_gives_its_budget() -> None:
    """Maxima that are exponential above their median pass the threshold for B days about once in B days."""
    rng = np.random.default_rng(11)
    rates = []
    for budget in (14.0, 30.0, 300.0):
        passed = []
        for _ in range(400):
            threshold = fit_tail(5 + rng.exponential(2.0, 56)).threshold(budget)
            passed.append(np.exp(-(threshold - 5) / 2.0))
        rates.append(float(np.mean(passed)) * budget)
    assert all(0.7 < rate < 1.8 for rate in rates), rates


def test_a_budget_that_no_tail_has_is_refused() -> None:
    """Under seven days a series the formula does not hold."""
    with pytest.raises(ValueError, match="at least 7 days"):
        Tail(5.0, 2.0, 14).threshold(6.9)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_a_surge_in_the_training_moves_the_threshold_little(alpha: float) -> None:
    """Three times the usual for three hours, across a midnight of the training: the threshold moves by under 10 %."""
    moved = []
    for seed in range(3):
        counts = counts_of(42, 60.0, alpha, seed)
        surge = counts.copy()
        surge[20 * PER_DAY - 6 : 20 * PER_DAY + 6] = np.random.default_rng(seed).poisson(
            3 * counts[20 * PER_DAY - 6 : 20 * PER_DAY + 6]
        )
        for budget in (14.0, 30.0, 4788.0):
            before, after = (model_of(each).start.threshold(budget) for each in (counts, surge))
            moved.append(abs(after / before - 1))
    assert max(moved) < 0.1, moved


def test_four_weeks_make_a_fit() -> None:
    """Before, the model is provisional, with a dispersion and thresholds that were assumed."""
    short, long = (model_of(counts_of(days, 20.0)) for days in (FITTED_DAYS - 1, FITTED_DAYS))
    assert short.is_provisional
    assert not long.is_provisional
    assert short.start == provisional_tails(float(counts_of(FITTED_DAYS - 1, 20.0).mean()), BIN)[0]
    assert short.start.threshold(14) > long.start.threshold(14)


@pytest.mark.parametrize(("per_minute", "expected"), [(10.0, 1), (0.6, 1), (0.1, 5), (0.06, 5), (0.03, None)])
def test_the_bin_is_as_short_as_the_quietest_hour_allows(per_minute: float, expected: int | None) -> None:
    """Busy wikis have bins of a minute; those with under 3 edits in their quietest hour are watched together."""
    counts = np.full(2880, per_minute)
    assert smallest_bin(counts, np.ones(2880), 0) == expected


def test_silence_is_what_chance_does_not_make() -> None:
    """A run without events is silence when counts as dispersed as the wiki's make it once in the budget."""
    alpha, budget = 0.1, 342 * 14.0
    needed = least_expected_events(alpha, budget)
    assert (1 + alpha * needed) ** (-1 / alpha) == pytest.approx(1 / (1440 * budget))
    assert needed / 60 < 3  # a wiki with 60 edits a minute


def test_a_share_is_fitted_with_what_it_is_of() -> None:
    """Of a share that varies, the mean and the dispersion are found, whatever the number of predictions does."""
    rng = np.random.default_rng(17)
    predictions = rng.poisson(means_of(42, 200.0)).astype(float)
    share = rng.beta(0.1 * 200, 0.9 * 200, len(predictions))
    risky = rng.binomial(predictions.astype(int), share).astype(float)
    model = fit(risky, np.ones(len(risky)), FIRST, BIN, predictions)
    assert np.abs(model.baseline.slot_means() / 0.1 - 1).max() < 0.1
    assert not model.is_provisional
    twice = fit(np.minimum(2 * risky, predictions), np.ones(len(risky)), FIRST, BIN, predictions)
    assert np.abs(twice.baseline.slot_means() / 0.2 - 1).max() < 0.1
