"""Thresholds that keep a false positive rate, for each wiki and kind of author, from files of scores with labels.

Such a file has no pages, so intervals are bootstrapped over edits.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from revertrisk.reports.wishes import LEAST_NOT_REVERTED, Refusal, for_rate
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.figures import Estimate, Scores
from revertrisk.scoring.training.scored_edits import ScoredEdit

_RESAMPLES = 1_000
_ALL = "all"


@dataclass(frozen=True, slots=True)
class Limit:
    """The threshold for one wiki and kind of author; `all` stands for each of either."""

    wiki_id: str
    group: str
    n: int
    positives: int
    threshold: Estimate
    """All None where there are fewer than the smallest sample of edits that were not reverted."""
    fpr: Estimate
    recall: Estimate
    precision: Estimate


def find_limits(
    edits: Sequence[ScoredEdit], target_fpr: float, *, smallest: int = LEAST_NOT_REVERTED, seed: int = 0
) -> list[Limit]:
    """Find, for each wiki and kind of author, the lowest threshold that keeps the false positive rate.

    An edit is taken to be flagged if it scores above the threshold.
    """
    parts: defaultdict[tuple[str, str], list[ScoredEdit]] = defaultdict(list)
    for edit in edits:
        for wiki_id in (_ALL, edit.wiki_id):
            for group in (_ALL, *edit.groups):
                parts[wiki_id, group].append(edit)
    # All wikis and all authors first.
    order = sorted(parts, key=lambda key: (key[0] != _ALL, key[0], key[1] != _ALL, key[1]))
    return [_limit(*key, parts[key], target_fpr, smallest, seed) for key in order]


def limits_json(limits: Sequence[Limit]) -> list[dict[str, Any]]:
    """Return thresholds as JSON values."""
    return [asdict(each) for each in limits]


def limits_table(limits: Sequence[Limit], smallest: int = LEAST_NOT_REVERTED) -> str:
    """Return thresholds as a Markdown table, and how many wikis and kinds of authors have too few edits for one."""
    rows = ["| wiki | authors | edits / positive | threshold | false positive rate | recall | precision |"]
    rows.append("| --- " * 7 + "|")
    found = [each for each in limits if each.threshold.value is not None]
    for each in found:
        cells = map(_cell, [each.threshold, each.fpr, each.recall, each.precision])
        rows.append(f"| {each.wiki_id} | {each.group} | {each.n} / {each.positives} | {' | '.join(cells)} |")
    if len(found) < len(limits):
        left_out = f"{len(limits) - len(found)} of {len(limits)} rows are left out"
        rows += ["", f"{left_out}: fewer than {smallest} edits that were not reverted (all of them: --json)."]
    return "\n".join(rows) + "\n"


def _limit(  # noqa: PLR0913, PLR0917 - a row's key, its edits and three settings
    wiki_id: str, group: str, edits: Sequence[ScoredEdit], target_fpr: float, smallest: int, seed: int
) -> Limit:
    scores = np.array([edit.probability for edit in edits], dtype=np.float64)
    labels = np.array([edit.label for edit in edits], dtype=np.bool_)
    positives, nothing = int(labels.sum()), Estimate(None, None, None)
    chosen = for_rate(scores, labels, target_fpr, smallest)
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
