"""Simulates the counts of wikis, for thresholds before there is a history, and for tests."""

import numpy as np

from revertrisk.alerts.likelihood import Floats


def correlated_rates(
    rng: np.random.Generator, shape: tuple[int, int], alpha: float, rho: float, bin_minutes: int = 1
) -> Floats:
    """Return rates with mean 1, variance α and autocorrelation ρ per minute: the exponential of a normal AR(1) process.

    ``shape`` is (series, bins); a bin has the mean rate of its minutes. α = 0 gives ones.
    """
    series, bins = shape
    if alpha == 0:
        return np.ones(shape)
    from scipy.signal import lfilter  # noqa: PLC0415 - slow to import

    variance = np.log1p(alpha)
    # One array of all minutes: 26 million values, 200 MB, for 200 wikis in 90 days.
    noise = rng.standard_normal((series, bins * bin_minutes)) * np.sqrt(variance * (1 - rho**2))
    noise[:, 0] = rng.standard_normal(series) * np.sqrt(variance)
    # The exponential of a normal variable with mean 0 has the mean exp(variance / 2): minus that makes it 1.
    rates = np.exp(lfilter([1.0], [1.0, -rho], noise, axis=1) - variance / 2)
    return np.asarray(rates.reshape(series, bins, bin_minutes).mean(axis=2))


def correlated_counts(
    rng: np.random.Generator, means: Floats, alpha: float, rho: float, bin_minutes: int = 1
) -> Floats:
    """Return counts whose variance is m + α·m² and whose rate has the autocorrelation ρ per minute.

    ``means`` has the shape (series, bins).
    """
    rates = correlated_rates(rng, (means.shape[0], means.shape[1]), alpha, rho, bin_minutes)
    return np.asarray(rng.poisson(means * rates), dtype=np.float64)
