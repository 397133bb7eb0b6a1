"""Artefact folders: a trained model as three files, which are checked when they are read.

A folder has `model.safetensors` (the weights), `metadata.json` (everything else that a server needs) and
`MODEL_CARD.md` (what a user of the scores needs to know). Reading the metadata does not import torch.
"""

import hashlib
import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    PositiveInt,
    ValidationError,
    field_serializer,
)

from revertrisk.runtime.json_documents import JsonFileError, read_json_file
from revertrisk.runtime.validation import explain
from revertrisk.scoring.encoding import Encoder
from revertrisk.scoring.ngrams import CHARACTERS_READ, SIZES
from revertrisk.scoring.prediction import name_problem

WEIGHTS = "model.safetensors"
METADATA = "metadata.json"
MODEL_CARD = "MODEL_CARD.md"
FORMAT = 1
"""The version of the format of `metadata.json`. Every other version is refused."""

MAX_WEIGHTS_BYTES = 2**30
"""The largest weights file that is read. The whole file is read into memory; the shipped ones have a few megabytes."""
MAX_SIZE = 2**20
"""The largest size of one dimension of the network."""

Text = Annotated[str, Field(min_length=1)]
_Value = TypeVar("_Value")


def _must_be(expected: _Value, why: str = "") -> AfterValidator:
    """Return a validator that refuses every value but `expected`."""

    def check(value: _Value) -> _Value:
        if value != expected:
            raise ValueError(f"expected {list(expected) if isinstance(expected, tuple) else expected}{why}")
        return value

    return AfterValidator(check)


def _check_name(value: str) -> str:
    problem = name_problem(value)
    if problem is not None:
        raise ValueError(problem)
    return value


Name = Annotated[Text, AfterValidator(_check_name)]
Size = Annotated[PositiveInt, Field(le=MAX_SIZE)]
Share = Annotated[float, Field(ge=0, le=1)]


class ArtifactError(Exception):
    """An artefact cannot be used; the message names the file, the field and what is wrong with it."""

    def __init__(self, path: Path, field: str, problem: str) -> None:
        super().__init__(f"{path}: {field}: {problem}")
        self.path = path
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Calibration:
    """How a logit becomes a probability: sigmoid(`slope` * logit + `offset`)."""

    slope: FiniteFloat
    offset: FiniteFloat
    base_rate: Share
    """The share of reverted edits in the population that the probabilities are calibrated for."""


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The sizes of the network that the weights belong to."""

    hidden: Size
    members: Size


@dataclass(frozen=True, slots=True)
class NgramTable:
    """How n-grams are extracted, which must be the same as in training, and how many the model knows."""

    ngram_sizes: Annotated[tuple[int, ...], _must_be(SIZES)]
    characters_read: Annotated[int, _must_be(CHARACTERS_READ)]
    known_ngrams: Annotated[PositiveInt, Field(le=256 * MAX_SIZE)]
    """The number of rows in the table of n-gram weights."""


class Metadata(BaseModel):
    """The fields of `metadata.json`, in the order of the file."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)

    format: Annotated[int, _must_be(FORMAT, ": made by another version of this package")]
    name: Name
    version: Name
    supported_wikis: frozenset[str] | None
    """The ids of the wikis that the model supports; None for all wikis."""
    preprocessing: Encoder
    text: NgramTable | None
    """None for a model that reads no words."""
    network: NetworkShape
    calibration: Calibration
    thresholds: dict[str, Share]
    """Thresholds by name. ``fpr_0.05`` has a false positive rate of at most 5 % on held-out edits."""
    training_data: dict[str, Text]
    """The SHA-256 of each training file, by file name."""
    made_with: dict[str, Text]
    """The versions of the code and of torch that trained the model, and ``code_sha256``.

    That digest is a record: it names the state of this package at the time of training. No program compares it.
    """
    metrics: dict[str, Any]
    """``data_sets``: the report of `training.evaluate` for each data set, and ``auc_by_split``.

    For people and dashboards. No code of this package reads it.
    """
    weights_sha256: Text

    @field_serializer("supported_wikis")
    def _sorted(self, wikis: frozenset[str] | None) -> list[str] | None:
        return None if wikis is None else sorted(wikis)

    @property
    def known_ngrams(self) -> int | None:
        """The number of n-grams that the model knows; None for a model that reads no words."""
        return None if self.text is None else self.text.known_ngrams


def shipped(model_name: str) -> Path:
    """Return the artefact folder of a model that is shipped with this package.

    Raises:
        ArtifactError: no artefact of that name is shipped.

    """
    folder = Path(str(files("revertrisk.scoring"))) / "artifacts"
    names = sorted(each.name for each in folder.iterdir() if (each / METADATA).is_file())
    if model_name not in names:
        known = ", ".join(names)
        raise ArtifactError(
            folder, "model name", f"no artefact of that name comes with this package: expected one of {known}"
        )
    return folder / model_name


def load_metadata(path: Path) -> Metadata:
    """Read and check the metadata of an artefact folder, and compare the weights with their SHA-256 in it.

    Raises:
        ArtifactError: with the file and the field that are wrong.

    """
    file = path / METADATA
    try:
        _, content = read_json_file(file)
        metadata = Metadata.model_validate_json(content)
    except JsonFileError as exc:
        raise ArtifactError(file, "file", str(exc)) from exc
    except ValidationError as exc:
        field, _, problem = explain(exc)[0].rpartition(": ")
        raise ArtifactError(file, field or "file", problem) from exc
    _check_weights(path / WEIGHTS, metadata.weights_sha256)
    return metadata


def save(path: Path, metadata: Metadata, weights: bytes, model_card: str) -> None:
    """Write an artefact folder; create it if it is missing. `metadata.weights_sha256` must be that of `weights`."""
    path.mkdir(parents=True, exist_ok=True)
    (path / WEIGHTS).write_bytes(weights)
    (path / MODEL_CARD).write_text(model_card, encoding="utf-8")
    content = json.dumps(metadata.model_dump(mode="json"), indent=1)
    (path / METADATA).write_text(content + "\n", encoding="utf-8")


def _check_weights(file: Path, expected: str) -> None:
    try:
        if file.stat().st_size > MAX_WEIGHTS_BYTES:
            raise ArtifactError(file, "file", f"is larger than {MAX_WEIGHTS_BYTES} bytes")
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as exc:
        raise ArtifactError(file, "file", f"cannot be read ({exc.strerror})") from exc
    if found != expected:
        raise ArtifactError(file, "sha256", "differs from weights_sha256 of metadata.json")
