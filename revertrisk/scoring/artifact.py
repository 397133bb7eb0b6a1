"""Artefact folders: a trained model as files, checked when they are read.

A folder holds `model.safetensors` (the weights), `metadata.json` (everything else a server must know) and
`MODEL_CARD.md` (what a person must know). torch is not needed to read the metadata.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from revertrisk.scoring.encoding import Encoder, FeatureScale
from revertrisk.scoring.feature_table import FEATURES, Transform
from revertrisk.scoring.ngrams import CHARACTERS_READ, SIZES

WEIGHTS = "model.safetensors"
METADATA = "metadata.json"
MODEL_CARD = "MODEL_CARD.md"
FORMAT = 1
"""The version of this layout; a reader refuses any other."""

_TRANSFORMS = {feature.name: feature.transform for feature in FEATURES}


class ArtifactError(Exception):
    """An artefact cannot be used; the message names the file, the field and what is wrong with it."""

    def __init__(self, path: Path, field: str, problem: str) -> None:
        super().__init__(f"{path}: {field}: {problem}")
        self.path = path
        self.field = field
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Calibration:
    """How logits become probabilities: sigmoid(`slope` * logit + `offset`)."""

    slope: float
    offset: float
    base_rate: float
    """The share of reverted edits for which the probabilities hold."""


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """The sizes of the network that the weights belong to."""

    hidden: int
    members: int
    known_ngrams: int | None = None
    """Rows of the table of n-gram weights; None for a model that reads no words."""


@dataclass(frozen=True, slots=True)
class Metadata:
    """What an artefact says about itself."""

    name: str
    version: str
    encoder: Encoder
    network: NetworkShape
    calibration: Calibration
    supported_wikis: frozenset[str] | None
    """The wiki ids that the model was made for; None for all."""
    thresholds: Mapping[str, float]
    """Probabilities to act from, by the goal that each meets on held-out edits (``fpr_0.05``)."""
    training_data: Mapping[str, str]
    """The SHA-256 of each file that the model was trained on, by file name."""
    made_with: Mapping[str, str]
    """The versions and digests of the code that trained it."""
    metrics: Mapping[str, Any]
    """``data_sets``: the report of `training.evaluate` by data set, and ``auc_by_split``.

    For people and dashboards; nothing reads it here.
    """
    weights_sha256: str


def shipped(model_name: str) -> Path:
    """Return the folder of the artefact that comes with this package; raises ArtifactError if none does."""
    folder = Path(str(files("revertrisk.scoring"))) / "artifacts"
    names = sorted(each.name for each in folder.iterdir() if (each / METADATA).is_file())
    if model_name not in names:
        known = ", ".join(names)
        raise ArtifactError(
            folder, "model name", f"no artefact of that name comes with this package: expected one of {known}"
        )
    return folder / model_name


def load_metadata(path: Path) -> Metadata:
    """Read and check the metadata of an artefact folder, and that the weights are the ones it describes.

    Raises:
        ArtifactError: naming the file and the field.

    """
    file = path / METADATA
    try:
        content = json.loads(file.read_bytes())
    except OSError as exc:
        raise ArtifactError(file, "file", f"cannot be read ({exc.strerror})") from exc
    except ValueError as exc:
        raise ArtifactError(file, "file", "is not JSON") from exc
    if not isinstance(content, dict):
        raise ArtifactError(file, "file", "expected a JSON object")
    metadata = _metadata(_Fields(file, content))
    _check_weights(path / WEIGHTS, metadata.weights_sha256)
    return metadata


def save(path: Path, metadata: Metadata, weights: bytes, model_card: str) -> None:
    """Write an artefact folder, made if it is missing; `metadata.weights_sha256` must be that of `weights`."""
    path.mkdir(parents=True, exist_ok=True)
    (path / WEIGHTS).write_bytes(weights)
    (path / MODEL_CARD).write_text(model_card, encoding="utf-8")
    (path / METADATA).write_text(json.dumps(_content(metadata), indent=1) + "\n", encoding="utf-8")


class _Fields:
    """The fields of one JSON object, each taken with its expected type or refused by its path."""

    def __init__(self, file: Path, content: Mapping[str, Any], prefix: str = "") -> None:
        self._file = file
        self._content = content
        self._prefix = prefix

    def error(self, field: str, problem: str) -> ArtifactError:
        return ArtifactError(self._file, f"{self._prefix}{field}", problem)

    def _value(self, field: str, expected: type, description: str) -> Any:
        value = self._content.get(field)
        if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
            raise self.error(field, f"expected {description}")
        return value

    def text(self, field: str) -> str:
        value: str = self._value(field, str, "a string that is not empty")
        if not value:
            raise self.error(field, "expected a string that is not empty")
        return value

    def count(self, field: str) -> int:
        value: int = self._value(field, int, "a positive integer")
        if value <= 0:
            raise self.error(field, "expected a positive integer")
        return value

    def number(self, field: str) -> float:
        value = self._content.get(field)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise self.error(field, "expected a finite number")
        return float(value)

    def mapping(self, field: str) -> Mapping[str, Any]:
        value: Mapping[str, Any] = self._value(field, dict, "an object")
        return value

    def child(self, field: str) -> "_Fields":
        return _Fields(self._file, self.mapping(field), f"{self._prefix}{field}.")

    def children(self, field: str) -> list["_Fields"]:
        values = self._value(field, list, "an array of objects")
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                raise self.error(f"{field}[{index}]", "expected an object")
        return [
            _Fields(self._file, value, f"{self._prefix}{field}[{index}].")
            for index, value in enumerate(values)
        ]

    def is_null(self, field: str) -> bool:
        return field in self._content and self._content[field] is None

    def integers(self, field: str) -> tuple[int, ...]:
        values = self._value(field, list, "an array of integers")
        if not all(isinstance(value, int) for value in values):
            raise self.error(field, "expected an array of integers")
        return tuple(values)

    def texts_or_none(self, field: str) -> frozenset[str] | None:
        if self.is_null(field):
            return None
        values = self._value(field, list, "an array of strings, or null for all")
        if not all(isinstance(value, str) for value in values):
            raise self.error(field, "expected an array of strings, or null for all")
        return frozenset(values)


def _metadata(fields: _Fields) -> Metadata:
    if fields.count("format") != FORMAT:
        raise fields.error("format", f"expected {FORMAT}: made by another version of this package")
    preprocessing, calibration, network = (
        fields.child("preprocessing"),
        fields.child("calibration"),
        fields.child("network"),
    )
    thresholds = fields.child("thresholds")
    hashes, made_with = fields.child("training_data"), fields.child("made_with")
    return Metadata(
        name=fields.text("name"),
        version=fields.text("version"),
        encoder=Encoder(
            core=tuple(_scale(each) for each in preprocessing.children("core")),
            additive=tuple(_scale(each) for each in preprocessing.children("additive")),
        ),
        network=NetworkShape(
            hidden=network.count("hidden"),
            members=network.count("members"),
            known_ngrams=_known_ngrams(fields),
        ),
        calibration=Calibration(
            slope=calibration.number("slope"),
            offset=calibration.number("offset"),
            base_rate=calibration.number("base_rate"),
        ),
        supported_wikis=fields.texts_or_none("supported_wikis"),
        thresholds={goal: thresholds.number(goal) for goal in fields.mapping("thresholds")},
        training_data={file: hashes.text(file) for file in fields.mapping("training_data")},
        made_with={part: made_with.text(part) for part in fields.mapping("made_with")},
        metrics=fields.mapping("metrics"),
        weights_sha256=fields.text("weights_sha256"),
    )


def _known_ngrams(fields: _Fields) -> int | None:
    """Read the number of known n-grams, and make sure that they are taken as they were in training."""
    if fields.is_null("text"):
        return None
    text = fields.child("text")
    if text.integers("ngram_sizes") != SIZES:
        raise text.error("ngram_sizes", f"expected {list(SIZES)}")
    if text.count("characters_read") != CHARACTERS_READ:
        raise text.error("characters_read", f"expected {CHARACTERS_READ}")
    return text.count("known_ngrams")


def _scale(fields: _Fields) -> FeatureScale:
    name, transform = fields.text("name"), fields.text("transform")
    if name not in _TRANSFORMS:
        raise fields.error("name", "not a feature that this package can take")
    if transform != _TRANSFORMS[name]:
        raise fields.error("transform", f"expected {_TRANSFORMS[name]!s} for this feature")
    deviation = fields.number("deviation")
    if deviation <= 0:
        raise fields.error("deviation", "expected a number above 0")
    return FeatureScale(name, Transform(transform), fields.number("mean"), deviation)


def _check_weights(file: Path, expected: str) -> None:
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as exc:
        raise ArtifactError(file, "file", f"cannot be read ({exc.strerror})") from exc
    if found != expected:
        raise ArtifactError(file, "sha256", "differs from weights_sha256 of metadata.json")


def _content(metadata: Metadata) -> dict[str, Any]:
    def scales(scaled: tuple[FeatureScale, ...]) -> list[dict[str, Any]]:
        return [
            {
                "name": each.name,
                "transform": str(each.transform),
                "mean": each.mean,
                "deviation": each.deviation,
            }
            for each in scaled
        ]

    wikis, known_ngrams = metadata.supported_wikis, metadata.network.known_ngrams
    text = {"ngram_sizes": list(SIZES), "characters_read": CHARACTERS_READ, "known_ngrams": known_ngrams}
    return {
        "format": FORMAT,
        "name": metadata.name,
        "version": metadata.version,
        "supported_wikis": None if wikis is None else sorted(wikis),
        "preprocessing": {
            "core": scales(metadata.encoder.core),
            "additive": scales(metadata.encoder.additive),
        },
        "text": None if known_ngrams is None else text,
        "network": {"hidden": metadata.network.hidden, "members": metadata.network.members},
        "calibration": {
            "slope": metadata.calibration.slope,
            "offset": metadata.calibration.offset,
            "base_rate": metadata.calibration.base_rate,
        },
        "thresholds": dict(metadata.thresholds),
        "training_data": dict(metadata.training_data),
        "made_with": dict(metadata.made_with),
        "metrics": dict(metadata.metrics),
        "weights_sha256": metadata.weights_sha256,
    }
