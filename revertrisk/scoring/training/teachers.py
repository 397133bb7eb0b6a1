"""ORES's edit-quality models as teachers: gradient-boosted trees read from plain arrays, never from a pickle.

A folder holds `models.json` (a row a model) and `trees.npz` (for each model its trees, node after node, and the
robust scaler). The models are wikimedia/editquality's, under the MIT licence; nothing of them is shipped here.
"""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring.training.examples import TrainingError, sha256_of

MODELS: Final = "models.json"
TREES: Final = "trees.npz"
_LEAF: Final = -1
_ROWS: Final = 4_096
"""Edits that are walked through the trees together: what is held stays small."""

Numbers = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Teacher:
    """One model: trees whose leaves add up to the logit that an edit of its wiki is damaging or reverted."""

    key: str
    wiki_id: str
    features: tuple[str, ...]
    """revscoring's names, in the order of the columns."""
    sign: float
    """-1 for a model of good faith: then its logit speaks of the opposite."""
    prior: float
    learning_rate: float
    roots: Nodes = field(repr=False)
    left: Nodes = field(repr=False)
    right: Nodes = field(repr=False)
    feature: Nodes = field(repr=False)
    threshold: NDArray[np.float32] = field(repr=False)
    value: Numbers = field(repr=False)
    center: Numbers = field(repr=False)
    scale: Numbers = field(repr=False)

    def logits(self, known: Sequence[Mapping[str, float]]) -> Numbers:
        """Return the logit of each edit, whose features are given by name; one that is missing takes its centre."""
        found = [self._logits(known[start : start + _ROWS]) for start in range(0, len(known), _ROWS)]
        return np.concatenate([*found, np.empty(0)])

    def _logits(self, known: Sequence[Mapping[str, float]]) -> Numbers:
        columns = zip(self.features, self.center, strict=True)
        raw = np.array([[row.get(name, center) for row in known] for name, center in columns]).T
        # scikit-learn compares in float32, and a value at a threshold goes left.
        scaled = ((raw - self.center) / self.scale).astype(np.float32)
        rows = np.arange(len(known))[:, None]
        node = np.broadcast_to(self.roots, (len(known), len(self.roots))).copy()
        while (inner := self.left[node] != _LEAF).any():
            goes_left = scaled[rows, self.feature[node]] <= self.threshold[node]
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)
        found: Numbers = self.sign * (self.prior + self.learning_rate * self.value[node].sum(axis=1))
        return found


def load_teachers(folder: Path) -> tuple[Teacher, ...]:
    """Read the models of a folder.

    Raises:
        TrainingError: naming the file that is missing, or of another form.

    """
    try:
        rows = json.loads((folder / MODELS).read_text(encoding="utf-8"))
        with np.load(folder / TREES, allow_pickle=False) as arrays:
            return tuple(_teacher(row, arrays) for row in rows)
    except OSError as exc:
        raise TrainingError(f"{folder}: expected {MODELS} and {TREES} ({exc.strerror})") from exc
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as exc:
        raise TrainingError(
            f"{folder}: {MODELS} and {TREES} do not fit each other or are of another form"
        ) from exc


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of both files by name."""
    return {f"{folder.name}/{name}": sha256_of(folder / name) for name in (MODELS, TREES)}


def _teacher(row: Mapping[str, object], arrays: Mapping[str, NDArray[np.float64]]) -> Teacher:
    key = str(row["key"])
    offsets = arrays[f"{key}/offsets"].astype(np.int64)
    sizes = np.diff(offsets)
    nodes = int(offsets[-1])

    def absolute(name: str) -> Nodes:
        """Return children by their place among all nodes of the model, which the file gives within each tree."""
        within = arrays[f"{key}/{name}"].astype(np.int64)
        return np.where(within == _LEAF, _LEAF, within + np.repeat(offsets[:-1], sizes))

    teacher = Teacher(
        key=key,
        wiki_id=str(row["wiki"]),
        features=_named(row["features"]),
        sign=_number(row["damage_sign"]),
        prior=_number(row["prior"]),
        learning_rate=_number(row["learning_rate"]),
        roots=offsets[:-1],
        left=absolute("left"),
        right=absolute("right"),
        feature=arrays[f"{key}/feature"].astype(np.int64),
        threshold=arrays[f"{key}/threshold"].astype(np.float32),
        value=arrays[f"{key}/value"].astype(np.float64),
        center=arrays[f"{key}/center"].astype(np.float64),
        scale=arrays[f"{key}/scale"].astype(np.float64),
    )
    # A child comes after its parent, so that a walk ends.
    places = np.arange(nodes)
    for children in (teacher.left, teacher.right):
        inner = children != _LEAF
        if not (inner == (teacher.left != _LEAF)).all() or (children[inner] <= places[inner]).any():
            raise ValueError(key)
        if (children >= nodes).any():
            raise ValueError(key)
    columns = len(teacher.features)
    if not (len(teacher.center) == len(teacher.scale) == columns) or not (
        len(teacher.value) == len(teacher.threshold) == len(teacher.feature) == nodes
    ):
        raise ValueError(key)
    return teacher


def _named(names: object) -> tuple[str, ...]:
    """Return the features' names; the second of two equal ones is the change of markups, which some lists misname."""
    if not isinstance(names, list):
        raise TypeError
    found: list[str] = []
    for name in map(str, names):
        found.append("revision.diff.markups_change" if name in found else name)
    return tuple(found)


def _number(value: object) -> float:
    if not isinstance(value, int | float):
        raise TypeError
    return float(value)
