"""Reads and writes files of scores with labels, from which thresholds are chosen."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from revertrisk.runtime.unpacking import PackedFileError, text_lines
from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.training.evaluate import user_groups
from revertrisk.scoring.training.examples import Example, TrainingError

PRODUCTION_VERSION = "production"
"""The version that is given to the scores of production's models, which have none in the file."""

_SCORE_COLUMNS = {"rrla_score": "revertrisk-language-agnostic", "rrml_score": "revertrisk-multilingual"}


@dataclass(frozen=True, slots=True)
class ScoredEdit:
    """The score of an edit and its label."""

    model_name: str
    model_version: str
    wiki_id: str
    groups: tuple[str, ...]
    """The groups of `evaluate.user_groups` that the author belongs to."""
    label: bool
    probability: float


def read_scores(
    path: Path, *, model_name: str | None = None, model_version: str | None = None
) -> dict[tuple[str, str], list[ScoredEdit]]:
    """Return scores by model name and version, from JSON lines of `write_scores` or from production's scores as CSV.

    Raises:
        TrainingError: the file has another format, no scores, or scores of another model or version than requested.

    """
    try:
        lines = text_lines(path)
        first = next(lines, "")
        lines = chain([first], lines)
        edits = list(
            _from_json_lines(lines) if first.startswith("{") else _from_production(lines, model_name)
        )
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


def _from_json_lines(lines: Iterable[str]) -> Iterator[ScoredEdit]:
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


def _from_production(lines: Iterable[str], model_name: str | None) -> Iterator[ScoredEdit]:
    """Yield the scores of production's models: of the named one, otherwise of both."""
    for row in csv.DictReader(lines):
        for column, name in _SCORE_COLUMNS.items():
            if model_name not in {None, name} or not row[column]:
                continue  # another model than requested, or an edit without a score
            yield ScoredEdit(
                model_name=name,
                model_version=PRODUCTION_VERSION,
                wiki_id=row["wiki_db"],
                groups=("anonymous" if row["user_is_anonymous"] == "1" else "registered",),
                label=row["label_identity_reverted"] == "1",
                probability=float(row[column]),
            )
