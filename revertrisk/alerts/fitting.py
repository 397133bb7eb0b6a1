"""Fits the model of a series on a history of counts: bin length, baseline, dispersion and thresholds.

Each week is held out in turn, and compared with a baseline that was fitted on the other weeks. So the residuals and the
daily maxima are not of weeks that the baseline was fitted on. With less than four weeks, α and ρ are assumed at the
upper end of what wikis are expected to have, the thresholds are those of simulated counts, and the model is
*provisional*.
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
"""The least mean of a bin in the hour of the day with the fewest events. The likelihood holds for small counts as well,
and shorter bins find large surges sooner: at 0.5 edits a minute, a surge of ratio 3 is found after 16 minutes with bins
of one minute, and after 26 with bins of 15."""
LEAST_PER_HOUR: Final = 3.0
"""The least number of events in that hour; wikis with fewer are watched as one group."""
LEAST_RATIO: Final = 1.5
"""The smallest ratio of a surge to the usual that is tested for."""
END_RATIOS: Final = (1.5, 2.0, 3.0)
"""The ratios of a surge that the reverse CUSUM tests the usual against. For an open surge it is the greatest that does
not exceed the ratio with which the surge was found."""
FITTED_DAYS: Final = 28
LONGEST_DAYS: Final = 56
FOLD_DAYS: Final = 7
PROVISIONAL_ALPHA: Final = 0.05
PROVISIONAL_RHO: Final = 0.98
"""ρ from minute to minute. Both are at the upper end of what wikis are expected to have."""
_SIMULATED_SERIES: Final = 10
_SIMULATED_DAYS: Final = 12


@dataclass(frozen=True, slots=True)
class Model:
    """The fitted parameters of one series."""

    baseline: Baseline
    dispersion: Dispersion
    start: Tail
    """The tail of the daily maxima of the statistic."""
    end: tuple[float, ...]
    """The thresholds of the reverse CUSUM for each of END_RATIOS: during a surge it exceeds them once in two days."""
    days: int
    """The days of history that it was fitted on."""
    is_provisional: bool

    @property
    def bin_minutes(self) -> int:
        """The length of a bin in minutes."""
        return self.baseline.bin_minutes


def smallest_bin(per_minute: Floats, observed: Floats, first_minute: int) -> int | None:
    """Return the shortest bin of 1, 5, 15 or 60 minutes whose mean in the quietest hour of the day is at least 0.25.

    It is None for a series with fewer than 3 events in that hour. ``per_minute`` are the counts of consecutive minutes;
    ``observed`` is 0 for minutes to leave out.
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
    """Return the terms of the CUSUM for a surge of a ratio: of counts, or of shares if there is an ``exposure``.

    The counts of a share are parts of the exposure. The overdispersion of a share p with the relative variance α is
    α·p/(1 − p).
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

    With ``exposure``, the share of the counts in it is fitted.

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

    kept = observed
    if days >= FITTED_DAYS:
        means = means_without_surges(observed)
        alpha = estimate(counts, means, observed).alpha
        surges = are_surges(daily_maxima(statistic(counts, means, observed, exposure, alpha), per_day))
        if surges.any():
            kept = observed.copy()
            kept[: days * per_day].reshape(days, per_day)[surges] = 0.0
            means = means_without_surges(kept)
    baseline = Baseline.fit(counts, first_bin, bin_minutes, observed=kept, exposure=exposed)
    if days < FITTED_DAYS:
        start, end = provisional_tails(float(counts[observed > 0].mean()), bin_minutes)
        dispersion = Dispersion(float("nan"), PROVISIONAL_ALPHA, PROVISIONAL_RHO**bin_minutes, float("nan"))
        return Model(baseline, dispersion, start, end, days, is_provisional=True)
    dispersion = estimate(counts, means, kept)
    start, end = tails(counts, means, kept, exposure, dispersion.alpha, per_day)
    return Model(baseline, dispersion, start, end, days, is_provisional=False)


def statistic(
    counts: Floats, means: Floats, observed: Floats, exposure: Floats | None, alpha: float
) -> Floats:
    """Return the statistic that is compared with the threshold of the start, for whole paths; the last axis is time."""
    path = cusum(log_ratios(counts, means, exposure, alpha) * observed)
    return path if exposure is not None else sized(path, counts, means, observed, alpha, LEAST_RATIO)


def tails(  # noqa: PLR0913, PLR0917 - the parts of a path
    counts: Floats, means: Floats, observed: Floats, exposure: Floats | None, alpha: float, per_day: int
) -> tuple[Tail, tuple[float, ...]]:
    """Return the tail of the daily maxima of the statistic, and the thresholds of the reverse CUSUM within a surge.

    The last axis is time. The maxima of several series are pooled, without days that were not observed. A surge is
    simulated by multiplied counts. These vary more than those of a real surge, whose counting noise grows only with the
    square root. So the end of a surge comes late rather than too early.
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
        ValueError: an hour of the day was observed in one week only.

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
    step = 0.5  # in log2: series of similar means share a simulation
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
