"""Thresholds that keep a false positive rate, for each wiki and kind of author, from scores with labels."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from revertrisk.runtime.unpacking import PackedFileError, text_lines
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.evaluate import user_groups
from revertrisk.scoring.training.examples import Example, TrainingError
from revertrisk.scoring.training.figures import Estimate, Labels, Scores

SMALLEST_SAMPLE = 200
"""A threshold needs at least this many edits that were not reverted."""
PRODUCTION_VERSION = "production"
"""The version under which scores of production's own models are read."""

_RESAMPLES = 1_000
_SCORE_COLUMNS = {"rrla_score": "revertrisk-language-agnostic", "rrml_score": "revertrisk-multilingual"}
_ALL = "all"


@dataclass(frozen=True, slots=True)
class ScoredEdit:
    """A score that a model gave, and what became of the edit."""

    model_name: str
    model_version: str
    wiki_id: str
    groups: tuple[str, ...]
    """The kinds of authors that this one belongs to."""
    label: bool
    probability: float


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


def read_scores(
    path: Path, *, model_name: str | None = None, model_version: str | None = None
) -> dict[tuple[str, str], list[ScoredEdit]]:
    """Read scores by model name and version: JSON lines as `write_scores` makes them, or production's as CSV.

    Raises:
        TrainingError: for another file, and for scores of another model or version than asked.

    """
    try:
        lines = text_lines(path)
        first = next(lines, "")
        lines = chain([first], lines)
        edits = list(_own(lines) if first.startswith("{") else _production(lines, model_name))
    except KeyError as exc:
        raise TrainingError(f"{path.name}: field {exc} is missing") from None
    except PackedFileError as exc:
        raise TrainingError(
            f"{path.name}: {exc}: expected scores with labels, as JSON lines or CSV"
        ) from None
    except (ValueError, TypeError, RecursionError, csv.Error):
        raise TrainingError(f"{path.name}: expected scores with labels, as JSON lines or CSV") from None
    models: defaultdict[tuple[str, str], list[ScoredEdit]] = defaultdict(list)
    for edit in edits:
        models[edit.model_name, edit.model_version].append(edit)
    if not models:
        raise TrainingError(f"{path.name}: no scores" + ("" if model_name is None else f" of {model_name}"))
    for name, version in models:
        if model_name not in {None, name} or model_version not in {None, version}:
            asked = " ".join(part for part in (model_name, model_version) if part is not None)
            raise TrainingError(
                f"{path.name}: expected scores of {asked} only, found those of {name} {version}"
            )
    return dict(models)


def write_scores(path: Path, predictions: Sequence[Prediction], examples: Sequence[Example]) -> None:
    """Write scores with labels as JSON lines, for `read_scores`."""
    members = user_groups(examples)
    with path.open("w", encoding="utf-8") as out:
        for place, (prediction, example) in enumerate(zip(predictions, examples, strict=True)):
            row = {
                "model_name": prediction.model_name,
                "model_version": prediction.model_version,
                "wiki_id": example.wiki_id,
                "groups": [name for name, chosen in members.items() if chosen[place]],
                "label": example.label,
                "probability": prediction.probability,
            }
            out.write(json.dumps(row) + "\n")


def find_limits(
    edits: Sequence[ScoredEdit], target_fpr: float, *, smallest: int = SMALLEST_SAMPLE, seed: int = 0
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


def limits_table(limits: Sequence[Limit], smallest: int = SMALLEST_SAMPLE) -> str:
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
    if len(edits) - positives < smallest:
        return Limit(wiki_id, group, len(edits), positives, nothing, nothing, nothing, nothing)
    threshold = _threshold(scores, labels, target_fpr, seed)
    assert threshold.value is not None  # noqa: S101 - the sample is not empty
    found = figures.estimates(
        {
            "fpr": figures.false_positive_rate(scores, labels, threshold.value),
            "recall": figures.recall(scores, labels, threshold.value),
            "precision": figures.precision(scores, labels, threshold.value),
        },
        np.ones(len(edits)),
        seed,
    )
    return Limit(
        wiki_id, group, len(edits), positives, threshold, found["fpr"], found["recall"], found["precision"]
    )


def _threshold(scores: Scores, labels: Labels, target_fpr: float, seed: int) -> Estimate:
    negatives, generator = scores[~labels], np.random.default_rng(seed)
    resampled = [
        np.quantile(generator.choice(negatives, len(negatives)), 1 - target_fpr, method="higher")
        for _ in range(_RESAMPLES)
    ]
    low, high = np.quantile(resampled, [0.025, 0.975])
    # Not rounded: one decimal less would let edits at the border pass.
    value = float(np.quantile(negatives, 1 - target_fpr, method="higher"))
    return Estimate(value, float(low), float(high))


def _own(lines: Iterable[str]) -> Iterator[ScoredEdit]:
    for line in lines:
        row: Mapping[str, Any] = json.loads(line)
        yield ScoredEdit(
            model_name=row["model_name"],
            model_version=row["model_version"],
            wiki_id=row["wiki_id"],
            groups=tuple(row["groups"]),
            label=bool(row["label"]),
            probability=float(row["probability"]),
        )


def _production(lines: Iterable[str], model_name: str | None) -> Iterator[ScoredEdit]:
    """Yield what production's models said; of one of them if it is named, else of both."""
    for row in csv.DictReader(lines):
        for column, name in _SCORE_COLUMNS.items():
            if model_name not in {None, name} or not row[column]:
                continue  # not asked for, or an edit to which the model gave no score
            yield ScoredEdit(
                model_name=name,
                model_version=PRODUCTION_VERSION,
                wiki_id=row["wiki_db"],
                groups=("anonymous" if row["user_is_anonymous"] == "1" else "registered",),
                label=row["label_identity_reverted"] == "1",
                probability=float(row[column]),
            )


def _cell(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not defined"
    return f"{estimate.value:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"
