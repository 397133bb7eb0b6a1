"""How well scores tell reverted edits from others, with intervals and the baseline that anybody can beat us with.

The baseline is the anonymous flag by itself: a model that does not beat it has learnt who edits, not what.
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
"""Registered accounts by their age at the edit, in days, from and below; the second holds the first."""
EVEN_ODDS: Mapping[str, float] = {"even": 0.5}
"""The threshold at which a revert becomes the likelier outcome, by its name in reports."""


@dataclass(frozen=True, slots=True)
class AtThreshold:
    """What happens to edits that score above a threshold."""

    threshold: float
    precision: Estimate
    recall: Estimate
    fpr: Estimate
    """The share of edits that were not reverted and lie above it."""


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """Some of the edits by themselves."""

    n: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    fpr: Mapping[str, Estimate]
    """The false positive rate at each threshold, by its name: equal rates treat groups alike."""


@dataclass(frozen=True, slots=True)
class Bin:
    """The edits whose probability falls into one tenth of the sorted probabilities."""

    n: int
    mean_probability: float
    observed: float
    """The share of positives, weighed to the base rate where one is given."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """Another way to score the same edits, and how far the model is ahead of it."""

    auc: Estimate
    average_precision: Estimate
    auc_difference: Estimate
    """The model's AUC less the baseline's, on the same resamples: above 0 the model is better."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A model's scores on one set of labelled edits."""

    n: int
    positives: int
    auc: Estimate
    average_precision: Estimate
    brier: Estimate
    ece: Estimate
    """Expected calibration error: mean distance of probability and observed share over `calibration`."""
    thresholds: Mapping[str, AtThreshold]
    baselines: Mapping[str, Baseline]
    """``anonymous_flag`` always; others that were trained on the same edits, where there are."""
    groups: Mapping[str, GroupFigures]
    wikis: Mapping[str, GroupFigures]
    calibration: tuple[Bin, ...]
    base_rate: float | None
    """The share of positives that Brier score, ECE and precision are weighed to; None for the sample's own."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {**asdict(self), "calibration": [asdict(each) for each in self.calibration]}


def evaluate(  # noqa: PLR0913 - what is compared, and four ways to see it
    probabilities: Scores,
    examples: Sequence[Example],
    *,
    base_rate: float | None = None,
    limits: Mapping[str, float] = EVEN_ODDS,
    baselines: Mapping[str, Scores] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Compare probabilities with labels.

    `base_rate` weighs the classes for calibration and precision, for samples that were balanced by
    construction; AUC and rates do not depend on it, and average precision is the sample's own. `limits` are
    the thresholds to report, `baselines` the scores of others for the same edits.
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

    def at(limit: float) -> AtThreshold:
        found = figures.estimates(
            {
                "precision": figures.precision(probabilities, labels, limit),
                "recall": figures.recall(probabilities, labels, limit),
                "fpr": figures.false_positive_rate(probabilities, labels, limit),
            },
            weights,
            seed,
        )
        return AtThreshold(limit, found["precision"], found["recall"], found["fpr"])

    def part(members: NDArray[np.bool_]) -> GroupFigures:
        return _group(probabilities[members], labels[members], limits, seed)

    others = {"anonymous_flag": anonymous_flag(examples), **(baselines or {})}
    return Evaluation(
        n=len(labels),
        positives=int(labels.sum()),
        auc=ranking["auc"],
        average_precision=ranking["ap"],
        brier=calibrated["brier"],
        ece=calibrated["ece"],
        thresholds={name: at(limit) for name, limit in limits.items()},
        baselines={name: baseline(scores) for name, scores in others.items()},
        groups={name: part(members) for name, members in user_groups(examples).items()},
        wikis={name: part(members) for name, members in _wikis(examples).items()},
        calibration=_calibration(probabilities, labels, weights),
        base_rate=base_rate,
    )


def anonymous_flag(examples: Sequence[Example]) -> Scores:
    """Return 1 for anonymous authors and 0 for registered ones, as scores.

    Whoever is unknown is neither: half-way, so that the flag says nothing about them.
    """
    return np.array([0.5 if each.is_anonymous is None else float(each.is_anonymous) for each in examples])


def user_groups(examples: Sequence[Example]) -> dict[str, NDArray[np.bool_]]:
    """Return which edits were made by each group of authors; groups overlap, and empty ones are left out."""
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
    return {name: members for name, members in known.items() if members.any()}


def area_under_curve(scores: Scores, labels: Labels) -> float:
    """Return the probability that a positive scores above a negative, ties counting half."""
    return float(figures.auc(scores, labels)(np.ones((1, len(labels))))[0])


def thresholds(probabilities: Scores, labels: Labels) -> dict[str, float]:
    """Return, by false positive rate, the lowest probability above which no more negatives than that lie."""
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


def _group(scores: Scores, labels: Labels, limits: Mapping[str, float], seed: int) -> GroupFigures:
    statistics = {
        "auc": figures.auc(scores, labels),
        "ap": figures.average_precision(scores, labels),
        **{name: figures.false_positive_rate(scores, labels, limit) for name, limit in limits.items()},
    }
    found = figures.estimates(statistics, np.ones(len(labels)), seed)
    return GroupFigures(
        len(labels), int(labels.sum()), found["auc"], found["ap"], {name: found[name] for name in limits}
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
