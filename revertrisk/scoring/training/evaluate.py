"""Evaluation: how well scores separate reverted edits from others, with intervals and baselines.

The anonymous flag is always a baseline: a model that is not better has learnt who edits, and nothing about the edit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.prediction import DECIMALS
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.examples import Example
from revertrisk.scoring.training.figures import Estimate, Labels, Scores

_FALSE_POSITIVE_RATES = (0.01, 0.05, 0.15)
_NEWCOMER_EDITS = 100
_EXPERIENCED_EDITS = 500
_AGES = {
    "age_under_1_day": (0.0, 1.0),
    "age_under_30_days": (0.0, 30.0),
    "age_30_days_to_1_year": (30.0, 365.0),
    "age_1_year_or_more": (365.0, np.inf),
}
"""Groups of registered accounts by their age at the edit, in days: (least, below). The second contains the first."""
EVEN_ODDS: Mapping[str, float] = {"even": 0.5}
"""The threshold above which a revert is more probable than no revert, by its name in reports."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """Figures of the edits that score above a threshold."""

    threshold: float
    precision: Estimate
    recall: Estimate
    fpr: Estimate
    """The false positive rate: of the edits that were not reverted, the share that scores above the threshold."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Figures of a group of the edits."""

    n: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    fpr: Mapping[str, Estimate]
    """The false positive rate at each threshold, by its name. It shows whether groups are treated alike."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One tenth of the edits, in the order of their probabilities."""

    n: int
    mean_probability: float
    observed: float
    """The share of positives, weighted to the base rate if one is given."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Other scores for the same edits, and how much better the model is."""

    auc: Estimate
    average_precision: Estimate
    auc_difference: Estimate
    """The AUC of the model minus that of the baseline, on the same resamples: above 0 the model is better."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's scores on one set of labelled edits."""

    n: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    brier: Estimate
    ece: Estimate
    """Expected calibration error: the mean of abs(probability - observed share) over the bins of `calibration`."""
    thresholds: Mapping[str, AtThreshold]
    baselines: Mapping[str, Baseline]
    """Always ``anonymous_flag``, and the baselines that were trained on the same edits, if there are any."""
    groups: Mapping[str, GroupFigures]
    wikis: Mapping[str, GroupFigures]
    calibration: tuple[Bin, ...]
    base_rate: float | None
    """The share of positives that Brier score, ECE and precision are weighted to; None for that of the sample."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "calibration": [asdict(each) for each in self.calibration]}


def evaluate(  # noqa: PLR0913 - the two inputs, and four options
    probabilities: Scores,
    examples: Sequence[Example],
    *,
    base_rate: float | None = None,
    thresholds: Mapping[str, float] = EVEN_ODDS,
    baselines: Mapping[str, Scores] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compare probabilities with labels.

    `base_rate` is for samples that are balanced by construction: calibration and precision are weighted to it. AUC,
    recall and false positive rate do not depend on it; average precision is that of the sample. `thresholds` are
    reported by their names. `baselines` are other scores for the same edits, by name.
    """
    labels = np.array([example.label for example in examples], dtype=np.bool_)
    plain, weights = np.ones(len(labels)), _weights(labels, base_rate)
    score_auc = figures.auc(probabilities, labels)
    ranking = figures.estimates(
        {"auc": score_auc, "ap": figures.average_precision(probabilities, labels)}, plain, seed
    )
    calibrated = figures.estimates(
        {
            "brier": figures.brier(probabilities, labels),
            "ece": figures.calibration_error(probabilities, labels),
        },
        weights,
        seed,
    )

    def baseline(scores: Scores) -> Baseline:
        own = figures.auc(scores, labels)
        found = figures.estimates(
            {
                "auc": own,
                "ap": figures.average_precision(scores, labels),
                "difference": figures.difference(score_auc, own),
            },
            plain,
            seed,
        )
        return Baseline(found["auc"], found["ap"], found["difference"])

    def at(threshold: float) -> AtThreshold:
        found = figures.estimates(
            {
                "precision": figures.precision(probabilities, labels, threshold),
                "recall": figures.recall(probabilities, labels, threshold),
                "fpr": figures.false_positive_rate(probabilities, labels, threshold),
            },
            weights,
            seed,
        )
        return AtThreshold(threshold, found["precision"], found["recall"], found["fpr"])

    def group(chosen: NDArray[np.bool_]) -> GroupFigures:
        return _group(probabilities[chosen], labels[chosen], thresholds, seed)

    others = {"anonymous_flag": anonymous_flag(examples), **(baselines or {})}
    return Evaluation(
        n=len(labels),
        positives=int(labels.sum()),
        auc=ranking["auc"],
        average_precision=ranking["ap"],
        brier=calibrated["brier"],
        ece=calibrated["ece"],
        thresholds={name: at(threshold) for name, threshold in thresholds.items()},
        baselines={name: baseline(scores) for name, scores in others.items()},
        groups={name: group(chosen) for name, chosen in user_groups(examples).items()},
        wikis={name: group(chosen) for name, chosen in _wikis(examples).items()},
        calibration=_calibration(probabilities, labels, weights),
        base_rate=base_rate,
    )


def anonymous_flag(examples: Sequence[Example]) -> Scores:
    """Return the anonymous flag as scores: 1 for anonymous authors, 0 for registered ones, 0.5 for unknown ones."""
    return np.array([0.5 if each.is_anonymous is None else float(each.is_anonymous) for each in examples])


def user_groups(examples: Sequence[Example]) -> dict[str, NDArray[np.bool_]]:
    """Return a mask of the edits for each group of authors. Groups overlap; empty groups are left out."""
    values = [example.features.values for example in examples]
    flag = anonymous_flag(examples)
    temporary = np.array([each.get("user_is_temporary") == 1.0 for each in values], dtype=np.bool_)
    bot = np.array([each.get("user_is_bot") == 1.0 for each in values], dtype=np.bool_)
    counts = [each.get("user_edit_count") for each in values]
    edits = np.array([np.nan if count is None else count for count in counts], dtype=np.float64)
    account = (flag == 0.0) & np.isfinite(edits)
    days = np.array([each.get("user_age") for each in values], dtype=np.float64)
    known = {
        "anonymous": flag == 1.0,
        "ip": (flag == 1.0) & ~temporary,
        "temporary": temporary,
        "registered": flag == 0.0,
        "edits_0_99": account & (edits < _NEWCOMER_EDITS),
        "edits_100_499": account & (edits >= _NEWCOMER_EDITS) & (edits < _EXPERIENCED_EDITS),
        "edits_500_or_more": account & (edits >= _EXPERIENCED_EDITS),
        **{name: (flag == 0.0) & (days >= least) & (days < below) for name, (least, below) in _AGES.items()},
        "bot": bot,
        "unknown": flag == 0.5,  # noqa: PLR2004 - see anonymous_flag
    }
    return {name: mask for name, mask in known.items() if mask.any()}


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """Return the AUC: the probability that a positive scores above a negative, where a tie counts half."""
    return float(figures.auc(scores, labels)(np.ones((1, len(labels))))[0])


def choose_thresholds(probabilities: Scores, labels: Labels) -> dict[str, float]:
    """Return, for each false positive rate, the lowest probability that at most this share of the negatives exceeds."""
    negatives = np.round(probabilities[~labels], DECIMALS)
    return {
        f"fpr_{rate:g}": float(np.quantile(negatives, 1 - rate, method="higher"))
        for rate in _FALSE_POSITIVE_RATES
    }


def _weights(labels: Labels, base_rate: float | None) -> NDArray[np.float64]:
    if base_rate is None or labels.all() or not labels.any():
        return np.ones(len(labels))
    positive = labels.mean()
    weights: NDArray[np.float64] = np.where(labels, base_rate / positive, (1 - base_rate) / (1 - positive))
    return weights


def _group(scores: Scores, labels: Labels, thresholds: Mapping[str, float], seed: int) -> GroupFigures:
    statistics = {
        "auc": figures.auc(scores, labels),
        "ap": figures.average_precision(scores, labels),
        **{
            name: figures.false_positive_rate(scores, labels, threshold)
            for name, threshold in thresholds.items()
        },
    }
    found = figures.estimates(statistics, np.ones(len(labels)), seed)
    return GroupFigures(
        len(labels), int(labels.sum()), found["auc"], found["ap"], {name: found[name] for name in thresholds}
    )


def _wikis(examples: Sequence[Example]) -> dict[str, NDArray[np.bool_]]:
    names = np.array([example.wiki_id for example in examples])
    found = sorted(set(names.tolist()))
    return {name: names == name for name in found} if len(found) > 1 else {}


def _calibration(probabilities: Scores, labels: Labels, weights: NDArray[np.float64]) -> tuple[Bin, ...]:
    if not len(labels):
        return ()
    order, starts = figures.bins(probabilities)
    return tuple(
        Bin(
            len(rows),
            round(float(np.average(probabilities[rows], weights=weights[rows])), 4),
            round(float(np.average(labels[rows], weights=weights[rows])), 4),
        )
        for rows in np.split(order, starts[1:])
    )
