"""From a history of counts to what a detector needs: bin, baseline, dispersion and thresholds.

Weeks are held out in turn: each is compared with a baseline of the others, so residuals and daily maxima are those of
weeks that the baseline has not seen. Before there are four weeks, or where nothing at all can be held out, dispersion
and thresholds are those of simulated counts at the upper end of what was measured, and the model is *provisional*.
"""

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Final

import numpy as np

from revertrisk.alerts.baseline import Baseline
from revertrisk.alerts.cusum import cusum, daily_maxima, sized
from revertrisk.alerts.dispersion import Dispersion, estimate
from revertrisk.alerts.level import MINUTES_PER_DAY, levels
from revertrisk.alerts.likelihood import Floats, beta_binomial_ratio, negative_binomial_ratio
from revertrisk.alerts.simulate import correlated_counts
from revertrisk.alerts.threshold import Tail, are_surges, fit_tail

BINS: Final = (1, 5, 15, 60)
LEAST_QUIET_MEAN: Final = 0.25
"""A bin's mean in the quietest hour of the day. The likelihood is that of small counts too, and shorter bins find large
surges sooner: at 0.5 edits a minute, three times the usual takes 16 minutes with bins of one, 26 with bins of 15."""
LEAST_PER_HOUR: Final = 3.0
"""Of the quietest hour; smaller wikis are watched together."""
LEAST_RATIO: Final = 1.5
"""The least surge that is looked for: times the usual."""
END_RATIOS: Final = (1.5, 2.0, 3.0)
"""The sizes of surge that the reverse CUSUM tests the usual against: of an open surge, the greatest that is not above
the ratio with which it was found."""
FITTED_DAYS: Final = 28
LONGEST_DAYS: Final = 56
FOLD_DAYS: Final = 7
PROVISIONAL_ALPHA: Final = 0.05
PROVISIONAL_RHO: Final = 0.98
"""The upper end of what wikis are expected to have; ρ is for a minute."""
_SIMULATED_SERIES: Final = 10
_SIMULATED_DAYS: Final = 12


@dataclass(frozen=True, slots=True)
class Model:
    """All that a detector of one series needs."""

    baseline: Baseline
    dispersion: Dispersion
    start: Tail
    """Daily maxima of the CUSUM."""
    end: tuple[float, ...]
    """Thresholds of the reverse CUSUM in a surge of each of END_RATIOS: it passes them once in two days of a surge."""
    days: int
    """Of history."""
    is_provisional: bool

    @property
    def bin_minutes(self) -> int:
        """The length of a bin."""
        return self.baseline.bin_minutes


def smallest_bin(per_minute: Floats, observed: Floats, first_minute: int) -> int | None:
    """Return the smallest bin of 1, 5, 15 or 60 minutes whose mean in the quietest hour of the day is at least 0.25.

    It is None for series with under 3 events in that hour.

    ``per_minute`` has the counts of consecutive minutes, ``observed`` 0 for those to leave out.
    """
    hours = (np.arange(first_minute, first_minute + len(per_minute)) // 60) % 24
    seen = np.bincount(hours, observed, minlength=24)
    total = np.bincount(hours, per_minute * observed, minlength=24)
    if not np.all(seen > 0):
        return None
    quietest = float((total / seen).min())
    if quietest * 60 < LEAST_PER_HOUR:
        return None
    return next((minutes for minutes in BINS if quietest * minutes >= LEAST_QUIET_MEAN), None)


def log_ratios(
    counts: Floats,
    means: Floats,
    exposure: Floats | None,
    alpha: Floats | float,
    ratio: Floats | float = LEAST_RATIO,
) -> Floats:
    """Return the terms of the CUSUM for a surge of a ratio.

    They are those of counts, or of a share where ``exposure`` has what the counts are a part of.

    Of a share p whose relative variance is α, the overdispersion is α·p/(1 − p).
    """
    if exposure is None:
        return negative_binomial_ratio(counts, means, alpha, ratio)
    share = np.clip(means / np.maximum(exposure, 1.0), 1e-9, 0.9)
    overdispersion = np.minimum(np.asarray(alpha) * share / (1 - share), 0.9)
    terms = beta_binomial_ratio(counts, exposure, share, overdispersion, ratio)
    return np.asarray(np.where(exposure > 0, terms, 0.0))


def fit(
    counts: Floats, observed: Floats, first_bin: int, bin_minutes: int, exposure: Floats | None = None
) -> Model:
    """Fit the counts of consecutive bins; ``observed`` is 0 for bins of outages.

    With ``exposure``, what is fitted is the share that the counts are of it.

    Raises:
        ValueError: an hour of the day was never observed.

    """
    per_day = MINUTES_PER_DAY // bin_minutes
    days = len(counts) // per_day
    longest = LONGEST_DAYS * per_day
    if len(counts) > longest:
        first_bin += len(counts) - longest
        counts, observed = counts[-longest:], observed[-longest:]
        exposure = None if exposure is None else exposure[-longest:]
    exposed = np.ones(len(counts)) if exposure is None else exposure

    def means_without_surges(observed: Floats) -> Floats:
        held_out = exposed * held_out_means(counts, observed, first_bin, bin_minutes, exposed)
        return held_out * levels(counts, held_out, observed, bin_minutes)

    quiet = observed
    if days >= FITTED_DAYS:
        means = means_without_surges(observed)
        alpha = estimate(counts, means, observed).alpha
        surges = are_surges(daily_maxima(statistic(counts, means, observed, exposure, alpha), per_day))
        if surges.any():
            quiet = observed.copy()
            quiet[: days * per_day].reshape(days, per_day)[surges] = 0.0
            means = means_without_surges(quiet)
    baseline = Baseline.fit(counts, first_bin, bin_minutes, observed=quiet, exposure=exposed)
    if days < FITTED_DAYS:
        start, end = provisional_tails(float(counts[observed > 0].mean()), bin_minutes)
        dispersion = Dispersion(float("nan"), PROVISIONAL_ALPHA, PROVISIONAL_RHO**bin_minutes, float("nan"))
        return Model(baseline, dispersion, start, end, days, is_provisional=True)
    dispersion = estimate(counts, means, quiet)
    start, end = tails(counts, means, quiet, exposure, dispersion.alpha, per_day)
    return Model(baseline, dispersion, start, end, days, is_provisional=False)


def statistic(
    counts: Floats, means: Floats, observed: Floats, exposure: Floats | None, alpha: float
) -> Floats:
    """Return what is compared with the threshold of the start, for whole paths; the last axis is time."""
    path = cusum(log_ratios(counts, means, exposure, alpha) * observed)
    return path if exposure is not None else sized(path, counts, means, observed, alpha, LEAST_RATIO)


def tails(  # noqa: PLR0913, PLR0917 - what a path is made of
    counts: Floats, means: Floats, observed: Floats, exposure: Floats | None, alpha: float, per_day: int
) -> tuple[Tail, tuple[float, ...]]:
    """Return the tail of the daily maxima of the statistic, and the thresholds of the reverse CUSUM within a surge.

    The last axis is time; the maxima of several series are taken together, but those of days that were not observed.
    For a surge the counts are multiplied: they then vary more than a surge's, whose counting noise grows with the root
    only. The end is rather late than false.
    """
    seen = daily_maxima(observed, per_day) > 0
    path = statistic(counts, means, observed, exposure, alpha)
    ends = []
    for ratio in END_RATIOS:
        risen = counts * ratio if exposure is None else np.minimum(counts * ratio, exposure)
        reverse = cusum(-log_ratios(risen, means, exposure, alpha, ratio) * observed)
        ends.append(float(np.median(daily_maxima(reverse, per_day)[seen])))
    return fit_tail(daily_maxima(path, per_day)[seen]), tuple(ends)


def held_out_means(
    counts: Floats, observed: Floats, first_bin: int, bin_minutes: int, exposure: Floats
) -> Floats:
    """Return the mean of each bin, per unit of exposure, by a baseline that was fitted without its week.

    Raises:
        ValueError: without a week, an hour of the day was never observed.

    """
    size = FOLD_DAYS * MINUTES_PER_DAY // bin_minutes
    means = np.empty(len(counts))
    folds = max(2, round(len(counts) / size))
    edges = [round(fold * len(counts) / folds) for fold in range(folds + 1)]
    for begin, end in pairwise(edges):
        others = observed.copy()
        others[begin:end] = 0
        baseline = Baseline.fit(counts, first_bin, bin_minutes, observed=others, exposure=exposure)
        means[begin:end] = baseline.means(first_bin + begin, end - begin)
    return means


def provisional_tails(mean_per_bin: float, bin_minutes: int) -> tuple[Tail, tuple[float, ...]]:
    """Return the tails for a series of which only the mean is known, from simulated counts."""
    step = 0.5  # of log2: series of about one size share a simulation
    return _simulated_tails(round(np.log2(max(mean_per_bin, 0.5)) / step) * step, bin_minutes)


@lru_cache(maxsize=256)
def _simulated_tails(log2_mean: float, bin_minutes: int) -> tuple[Tail, tuple[float, ...]]:
    per_day = MINUTES_PER_DAY // bin_minutes
    rng = np.random.default_rng(20160)
    shape = (_SIMULATED_SERIES, _SIMULATED_DAYS * per_day)
    baseline = np.full(shape, 2.0**log2_mean)
    counts = correlated_counts(rng, baseline, PROVISIONAL_ALPHA, PROVISIONAL_RHO, bin_minutes)
    observed = np.ones(shape)
    means = baseline * levels(counts, baseline, observed, bin_minutes)
    return tails(counts, means, observed, None, PROVISIONAL_ALPHA, per_day)
