"""How well scores tell reverted edits from others, with intervals and the baseline that anybody can beat us with.

The baseline is the anonymous flag by itself: a model that does not beat it has learnt who edits, not what.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from revert_risk.prediction import DECIMALS
from revert_risk.training.examples import Example

_RESAMPLES = 1_000
_BINS = 10
_FALSE_POSITIVE_RATES = (0.01, 0.05, 0.15)

Scores = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % bootstrap interval over edits; all None where a class is empty."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Group:
    """One group of edits by itself."""

    n: int
    positives: int
    auc: Estimate


@dataclass(frozen=True, slots=True)
class Bin:
    """The edits whose probability falls into one tenth of the sorted probabilities."""

    n: int
    mean_probability: float
    observed: float
    """The share of positives, weighed to the base rate where one is given."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's scores on one set of labelled edits."""

    n: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    anonymous_flag_auc: Estimate
    """Of the anonymous flag alone, on the same edits."""
    auc_over_anonymous_flag: Estimate
    """The difference of the two, on the same resamples."""
    anonymous: Group
    registered: Group
    brier: float
    calibration_error: float
    """Mean distance of probability and observed share over `calibration`, weighed by the bins' sizes."""
    calibration: tuple[Bin, ...]
    base_rate: float | None
    """The share of positives that `brier` and the calibration are weighed to; None for the sample's own."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "calibration": [asdict(each) for each in self.calibration]}


def evaluate(
    probabilities: Scores, examples: Sequence[Example], *, base_rate: float | None = None, seed: int = 0
) -> Evaluation:
    """Compare probabilities with labels.

    `base_rate` weighs the classes for the calibration figures, for samples that were balanced by
    construction; the others do not depend on it, except average precision, which is the sample's own.
    """
    labels = np.array([example.label for example in examples], dtype=np.bool_)
    # Whoever is unknown is neither anonymous nor not: half-way, so that the flag says nothing about them.
    flag = np.array([0.5 if each.is_anonymous is None else float(each.is_anonymous) for each in examples])
    weights = np.ones(len(labels))
    if base_rate is not None:
        positive = labels.mean()
        weights = np.where(labels, base_rate / positive, (1 - base_rate) / (1 - positive))
    bins, error = _calibration(probabilities, labels, weights)
    resamples = _resamples(len(labels), seed)

    def group(members: NDArray[np.bool_]) -> Group:
        own_scores, own_labels = probabilities[members], labels[members]
        estimate = _estimate(_auc_of(own_scores, own_labels), own_labels, _resamples(len(own_labels), seed))
        return Group(int(members.sum()), int(own_labels.sum()), estimate)

    score_auc, flag_auc = _auc_of(probabilities, labels), _auc_of(flag, labels)
    return Evaluation(
        n=len(labels),
        positives=int(labels.sum()),
        auc=_estimate(score_auc, labels, resamples),
        average_precision=_estimate(
            lambda rows: average_precision(probabilities[rows], labels[rows]), labels, resamples
        ),
        anonymous_flag_auc=_estimate(flag_auc, labels, resamples),
        auc_over_anonymous_flag=_estimate(lambda rows: score_auc(rows) - flag_auc(rows), labels, resamples),
        anonymous=group(flag == 1.0),
        registered=group(flag == 0.0),
        brier=float(np.average((probabilities - labels) ** 2, weights=weights)),
        calibration_error=error,
        calibration=bins,
        base_rate=base_rate,
    )


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """Return the probability that a positive scores above a negative, ties counting half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positives = int(labels.sum())
    above = ranks[labels].sum() - positives * (positives + 1) / 2
    return float(above / (positives * (len(labels) - positives)))


def average_precision(scores: Scores, labels: Labels) -> float:
    """Return the mean precision over the positives, tied scores taken together."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    hits = np.cumsum(labels[order])[ends]
    precision = hits / (ends + 1)
    return float((np.diff(hits, prepend=0) * precision).sum() / labels.sum())


def thresholds(probabilities: Scores, labels: Labels) -> dict[str, float]:
    """Return, by false positive rate, the lowest probability above which no more negatives than that lie."""
    negatives = np.round(probabilities[~labels], DECIMALS)
    return {
        f"fpr_{rate:g}": float(np.quantile(negatives, 1 - rate, method="higher"))
        for rate in _FALSE_POSITIVE_RATES
    }


def _auc_of(scores: Scores, labels: Labels) -> Callable[[NDArray[np.intp]], float]:
    return lambda rows: area_under_curve(scores[rows], labels[rows])


def _resamples(size: int, seed: int) -> list[NDArray[np.intp]]:
    generator = np.random.default_rng(seed)
    return [generator.integers(0, size, size) for _ in range(_RESAMPLES)] if size else []


def _estimate(
    statistic: Callable[[NDArray[np.intp]], float], labels: Labels, resamples: Sequence[NDArray[np.intp]]
) -> Estimate:
    if labels.all() or not labels.any():
        return Estimate(None, None, None)
    # A resample without one of the classes has no such figure; with few positives that does happen.
    values = [statistic(rows) for rows in resamples if 0 < labels[rows].sum() < len(labels)]
    low, high = np.quantile(values, [0.025, 0.975])
    value = statistic(np.arange(len(labels)))
    return Estimate(round(value, 4), round(float(low), 4), round(float(high), 4))


def _calibration(
    probabilities: Scores, labels: Labels, weights: NDArray[np.float64]
) -> tuple[tuple[Bin, ...], float]:
    bins = []
    error = 0.0
    for rows in np.array_split(np.argsort(probabilities, kind="stable"), _BINS):
        if not len(rows):
            continue
        expected = float(np.average(probabilities[rows], weights=weights[rows]))
        observed = float(np.average(labels[rows], weights=weights[rows]))
        bins.append(Bin(len(rows), round(expected, 4), round(observed, 4)))
        error += abs(expected - observed) * float(weights[rows].sum() / weights.sum())
    return tuple(bins), round(error, 4)
