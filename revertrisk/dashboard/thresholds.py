"""Thresholds: the page lists an edit if its risk is higher. There can be one for each wiki and model version."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from revertrisk.runtime.json_documents import JsonFileError, read_json_file

DEFAULT: Final = 0.5
"""About one of a hundred good edits scores higher, with either shipped model (`thresholds` in its metadata.json)."""
ALL: Final = "all"
"""In a thresholds file: every wiki."""


class ThresholdsError(ValueError):
    """A file of thresholds cannot be used; the message names the file and the field."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Thresholds from 0 to 1."""

    default: float = DEFAULT
    by_model: Mapping[tuple[str, str, str], float] = field(default_factory=dict)
    """By model name, model version and wiki_id, or ``all`` for every wiki."""

    def __post_init__(self) -> None:
        if not 0 <= self.default <= 1:
            raise ValueError(f"threshold: expected a number from 0 to 1, not {self.default}")

    def of(self, model_name: str, model_version: str, wiki_id: str) -> float:
        """Return the threshold for a model version and a wiki: the wiki's own, that of ``all``, or the default."""
        for wiki in (wiki_id, ALL):
            found = self.by_model.get((model_name, model_version, wiki))
            if found is not None:
                return found
        return self.default

    def differ(self, model_name: str, model_version: str) -> bool:
        """Return whether wikis have thresholds of their own for a model version."""
        return any(key[:2] == (model_name, model_version) and key[2] != ALL for key in self.by_model)


def read_thresholds(path: Path, default: float = DEFAULT) -> Thresholds:
    """Read the output of ``revertrisk thresholds --json``. Only the rows for all authors of a wiki are used.

    Raises:
        ThresholdsError: the file cannot be read, or has another format.

    """
    try:
        document, _ = read_json_file(path)
    except JsonFileError as exc:
        raise ThresholdsError(f"{path}: {exc}") from exc
    if not isinstance(document, list):
        raise ThresholdsError(f"{path}: expected a list, as `revertrisk thresholds --json` writes it")
    found: dict[tuple[str, str, str], float] = {}
    for place, model in enumerate(document):
        for row in _limits(path, place, model):
            match row:
                case {"wiki_id": str(wiki_id), "group": "all", "threshold": {"value": float(value)}} if (
                    0 <= value <= 1
                ):
                    found[model["model_name"], model["model_version"], wiki_id] = value
                case {"wiki_id": str(), "group": str(), "threshold": {"value": float() | None}}:
                    pass  # a threshold for one group of authors, or for too few edits
                case _:
                    raise ThresholdsError(
                        f"{path}: /{place}/limits: expected wiki_id, group and threshold.value from 0 to 1, "
                        f"not {json.dumps(row)[:120]}"
                    )
    return Thresholds(default, found)


def _limits(path: Path, place: int, model: Any) -> list[Any]:
    match model:
        case {"model_name": str(), "model_version": str(), "limits": list(limits)}:
            return limits
    raise ThresholdsError(f"{path}: /{place}: expected model_name, model_version and limits")
