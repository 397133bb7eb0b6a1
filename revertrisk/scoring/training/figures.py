"""Figures of scores against labels, each with its bootstrap interval over edits.

A resample is a row with the number of times that it has each edit. So a figure of all resamples takes a few array
operations. The first row is the sample itself. The interval is the percentile interval of the bootstrap (Efron and
Tibshirani, An Introduction to the Bootstrap, chapter 13).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 1_000
_CELLS = 4_000_000
"""The largest number of counts that are in memory at a time."""
_COVERAGE = (0.025, 0.975)
BINS = 10

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]
Counts = NDArray[np.float64]
"""Shape (resamples, edits): how often each resample has each edit, times the edit's weight."""

Statistic = Callable[[Counts], NDArray[np.float64]]
"""Takes counts, returns one figure for each resample; NaN if it is not defined."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval over edits; all None if it is not defined."""

    value: float | None
    low: float | None
    high: float | None


def estimates(
    statistics: Mapping[str, Statistic], weights: NDArray[np.float64], seed: int
) -> dict[str, Estimate]:
    """Return each figure of a sample with its interval. All figures use the same resamples."""
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in statistics}
    for counts in _resamples(len(weights), seed):
        weighted = counts * weights
        for name, statistic in statistics.items():
            with np.errstate(divide="ignore", invalid="ignore"):
                found[name].append(statistic(weighted))
    return {name: _estimate(np.concatenate(values)) for name, values in found.items() if values} | {
        name: Estimate(None, None, None) for name, values in found.items() if not values
    }


def auc(scores: Scores, labels: Labels) -> Statistic:
    """Return the AUC: the probability that a positive scores above a negative, where a tie counts half.

    It is the Mann-Whitney statistic divided by the number of pairs. Edits with equal scores are one group.
    """
    order, starts = _ties(scores)
    positive = labels[order]

    def statistic(counts: Counts) -> NDArray[np.float64]:
        ordered = counts[:, order]
        hits = np.add.reduceat(ordered * positive, starts, axis=1)
        misses = np.add.reduceat(ordered * ~positive, starts, axis=1)
        below = np.cumsum(misses, axis=1) - misses / 2
        return _ratio((hits * below).sum(axis=1), hits.sum(axis=1) * misses.sum(axis=1))

    return statistic


def average_precision(scores: Scores, labels: Labels) -> Statistic:
    """Return the mean, over the positives, of the precision at their scores. Edits with equal scores are one group."""
    order, starts = _ties(-scores)
    positive = labels[order]

    def statistic(counts: Counts) -> NDArray[np.float64]:
        ordered = counts[:, order]
        hits = np.add.reduceat(ordered * positive, starts, axis=1)
        taken = np.cumsum(np.add.reduceat(ordered, starts, axis=1), axis=1)
        precision = np.divide(np.cumsum(hits, axis=1), taken, out=np.zeros_like(taken), where=taken > 0)
        return _ratio((hits * precision).sum(axis=1), hits.sum(axis=1))

    return statistic


def brier(scores: Scores, labels: Labels) -> Statistic:
    """Return the Brier score: the mean of (probability - label)²."""
    error = (scores - labels) ** 2
    return lambda counts: _ratio(counts @ error, counts.sum(axis=1))


def calibration_error(scores: Scores, labels: Labels) -> Statistic:
    """Return the expected calibration error, over ten bins with the same number of edits."""
    order, starts = bins(scores)
    ordered_scores, ordered_labels = scores[order], labels[order]

    def statistic(counts: Counts) -> NDArray[np.float64]:
        distance = counts[:, order] * (ordered_scores - ordered_labels)
        return _ratio(np.abs(np.add.reduceat(distance, starts, axis=1)).sum(axis=1), counts.sum(axis=1))

    return statistic


def precision(scores: Scores, labels: Labels, threshold: float) -> Statistic:
    """Return the share of positives among the edits that score above a threshold."""
    return _share(labels, scores > threshold)


def recall(scores: Scores, labels: Labels, threshold: float) -> Statistic:
    """Return the share of the positives that score above a threshold."""
    return _share(scores > threshold, labels)


def false_positive_rate(scores: Scores, labels: Labels, threshold: float) -> Statistic:
    """Return the share of the negatives that score above a threshold."""
    return _share(scores > threshold, ~labels)


def difference(first: Statistic, second: Statistic) -> Statistic:
    """Return the first figure minus the second, on the same resample."""
    return lambda counts: first(counts) - second(counts)


def bins(scores: Scores) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of the scores, and the indices in it at which ten bins of equal size begin."""
    order = np.argsort(scores, kind="stable")
    return order, np.unique(np.linspace(0, len(scores), BINS, endpoint=False).astype(np.intp))


def _resamples(size: int, seed: int) -> Iterator[Counts]:
    if not size:
        return
    generator = np.random.default_rng(seed)
    yield np.ones((1, size))
    step = max(1, _CELLS // size)
    for start in range(0, _RESAMPLES, step):
        number = min(step, _RESAMPLES - start)
        drawn = generator.integers(0, size, (number, size)) + np.arange(number)[:, None] * size
        yield np.bincount(drawn.ravel(), minlength=number * size).reshape(number, size).astype(np.float64)


def _estimate(values: NDArray[np.float64]) -> Estimate:
    # With few positives, some resamples have none, and the figure is not defined for them.
    resampled = values[1:][np.isfinite(values[1:])]
    if not np.isfinite(values[0]) or not len(resampled):
        return Estimate(None, None, None)
    low, high = np.quantile(resampled, _COVERAGE)
    return Estimate(round(float(values[0]), 4), round(float(low), 4), round(float(high), 4))


def _ties(scores: Scores) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the order of the scores, and the indices in it at which each group of equal scores begins."""
    order = np.argsort(scores, kind="stable")
    return order, np.concatenate([[0], np.flatnonzero(np.diff(scores[order])) + 1])


def _share(part: Labels, whole: Labels) -> Statistic:
    chosen, all_of_them = (part & whole).astype(np.float64), whole.astype(np.float64)
    return lambda counts: _ratio(counts @ chosen, counts @ all_of_them)


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)
