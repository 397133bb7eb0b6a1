"""Chooses thresholds: for a false positive rate or a number of flagged edits per day, or says why there is none.

`find_limits` does it for each wiki and kind of author, from a file of scores with labels. Such a file does not name
pages, so its intervals are bootstrap intervals over edits.
"""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.training import figures
from revertrisk.scoring.training.figures import Estimate, Scores
from revertrisk.scoring.training.scored_edits import ScoredEdit

MIN_NOT_REVERTED: Final = 200
"""A threshold for a false positive rate needs at least this many edits that were not reverted."""
MIN_FLAGGED: Final = 30
"""A threshold for a number per day needs at least this many flagged edits."""
_RESAMPLES: Final = 1_000
_ALL: Final = "all"

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Refusal:
    """The reason why no threshold is chosen."""

    reason: str
    missing: int | None = None
    """How many more edits are needed; None if more edits would not help."""


def threshold_for_rate(
    probability: Floats, is_reverted: Booleans, rate: float, least: int = MIN_NOT_REVERTED
) -> float | Refusal:
    """Return a threshold that flags at most a share ``rate`` of the edits that were not reverted.

    It is the quantile of their scores, rounded up to the next score that occurs. Without ties, at most one more of
    these edits could be flagged.
    """
    others = probability[~is_reverted]
    if len(others) < least:
        missing = least - len(others)
        return Refusal(f"{len(others)} edits were not reverted, {least} are needed: {missing} more", missing)
    # Not rounded: with fewer decimals, edits whose score is close to the threshold would be flagged.
    return float(np.quantile(others, 1 - rate, method="higher"))


def threshold_for_daily_number(probability: Floats, days: int, number: float) -> float | Refusal:
    """Return the lowest threshold that flags at most ``number`` edits per day, given the scores of ``days`` days."""
    wanted = math.floor(number * days)
    if wanted < MIN_FLAGGED:
        more = math.ceil(MIN_FLAGGED / number) - days
        return Refusal(
            f"{number:g} per day are {wanted} edits on {days} days, {MIN_FLAGGED} are needed: {more} more days",
            MIN_FLAGGED - wanted,
        )
    if len(probability) <= wanted:
        return 0.0
    # The highest score that must not be flagged: only scores above the threshold are.
    return float(np.partition(probability, len(probability) - wanted - 1)[len(probability) - wanted - 1])


@dataclass(frozen=True, slots=True)
class Limit:
    """The threshold for one wiki and kind of author. `all` stands for all wikis, or for all authors."""

    wiki_id: str
    group: str
    n: int
    positives: int
    threshold: Estimate
    """All None if fewer edits than the smallest allowed sample were not reverted."""
    fpr: Estimate
    recall: Estimate
    precision: Estimate


def find_limits(
    edits: Sequence[ScoredEdit], target_fpr: float, *, smallest: int = MIN_NOT_REVERTED, seed: int = 0
) -> list[Limit]:
    """Find, for each wiki and kind of author, the lowest threshold that keeps the false positive rate.

    An edit is flagged if its score is above the threshold. ``smallest`` is how many edits that were not reverted are
    needed for a threshold. ``seed`` starts the random numbers of the bootstrap.
    """
    parts: defaultdict[tuple[str, str], list[ScoredEdit]] = defaultdict(list)
    for edit in edits:
        for wiki_id in (_ALL, edit.wiki_id):
            for group in (_ALL, *edit.groups):
                parts[wiki_id, group].append(edit)
    # The rows for all wikis and all authors come first.
    order = sorted(parts, key=lambda key: (key[0] != _ALL, key[0], key[1] != _ALL, key[1]))
    return [_limit(*key, parts[key], target_fpr, smallest, seed) for key in order]


def limits_json(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """Return thresholds as JSON values."""
    return [asdict(each) for each in limits]


def limits_table(limits: Sequence[Limit], smallest: int = MIN_NOT_REVERTED) -> str:
    """Return thresholds as a Markdown table, with the number of rows that are left out because of too few edits."""
    rows = ["| wiki | authors | edits / positive | threshold | false positive rate | recall | precision |"]
    rows.append("| --- " * 7 + "|")
    found = [each for each in limits if each.threshold.value is not None]
    for each in found:
        cells = map(_cell, [each.threshold, each.fpr, each.recall, each.precision])
        rows.append(f"| {each.wiki_id} | {each.group} | {each.n} / {each.positives} | {' | '.join(cells)} |")
    if len(found) < len(limits):
        left_out = f"{len(limits) - len(found)} of {len(limits)} rows are left out"
        rows += ["", f"{left_out}: fewer than {smallest} edits that were not reverted (--json lists all)."]
    return "\n".join(rows) + "\n"


def _limit(  # noqa: PLR0913, PLR0917 - the key of a row, its edits and three settings
    wiki_id: str, group: str, edits: Sequence[ScoredEdit], target_fpr: float, smallest: int, seed: int
) -> Limit:
    scores = np.array([edit.probability for edit in edits], dtype=np.float64)
    labels = np.array([edit.label for edit in edits], dtype=np.bool_)
    positives, nothing = int(labels.sum()), Estimate(None, None, None)
    chosen = threshold_for_rate(scores, labels, target_fpr, smallest)
    if isinstance(chosen, Refusal):
        return Limit(wiki_id, group, len(edits), positives, nothing, nothing, nothing, nothing)
    threshold = Estimate(chosen, *_interval(scores[~labels], target_fpr, seed))
    found = figures.estimates(
        {
            "fpr": figures.false_positive_rate(scores, labels, chosen),
            "recall": figures.recall(scores, labels, chosen),
            "precision": figures.precision(scores, labels, chosen),
        },
        np.ones(len(edits)),
        seed,
    )
    return Limit(
        wiki_id, group, len(edits), positives, threshold, found["fpr"], found["recall"], found["precision"]
    )


def _interval(negatives: Scores, target_fpr: float, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the threshold, over the edits that were not reverted."""
    generator = np.random.default_rng(seed)
    resampled = [
        np.quantile(generator.choice(negatives, len(negatives)), 1 - target_fpr, method="higher")
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(low), float(high)


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
