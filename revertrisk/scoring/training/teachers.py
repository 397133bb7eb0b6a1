"""The teachers: ORES's edit-quality models, which are gradient-boosted trees. They are read from arrays, not pickles.

A folder has `models.json` (one row for each model) and `trees.npz` (for each model the nodes of all its trees, and the
robust scaler). The models are from wikimedia/editquality, under the MIT licence. They are not shipped with this
package.
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
"""The number of edits that are scored together. It limits the memory."""

Numbers = NDArray[np.float64]
Nodes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Teacher:
    """One model: trees whose leaves sum to the logit that an edit of its wiki is damaging or reverted."""

    key: str
    wiki_id: str
    features: tuple[str, ...]
    """revscoring's names of the features, in the order of the columns."""
    sign: float
    """-1 for a model of good faith, whose logit has the opposite meaning; otherwise 1."""
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
        """Return the logit of each edit, shape (edits,), from its features by name.

        A missing feature gets the centre of the scaler.
        """
        found = [self._logits(known[start : start + _ROWS]) for start in range(0, len(known), _ROWS)]
        return np.concatenate([*found, np.empty(0)])

    def _logits(self, known: Sequence[Mapping[str, float]]) -> Numbers:
        columns = zip(self.features, self.center, strict=True)
        raw = np.array([[row.get(name, center) for row in known] for name, center in columns]).T
        # As in scikit-learn, values are compared in float32, and a value that equals the threshold goes left. All trees
        # of all edits go down one level in each round, until every one of them is at a leaf.
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
        TrainingError: a file is missing or does not have the expected form; the message has its name.

    """
    try:
        rows = json.loads((folder / MODELS).read_text(encoding="utf-8"))
        with np.load(folder / TREES, allow_pickle=False) as arrays:
            return tuple(_teacher(row, arrays) for row in rows)
    except OSError as exc:
        raise TrainingError(f"{folder}: expected {MODELS} and {TREES} ({exc.strerror})") from exc
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as exc:
        raise TrainingError(
            f"{folder}: {MODELS} and {TREES} do not belong together or do not have the expected form"
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
        """Return children as indices into all nodes of the model; the file has indices within each tree."""
        within = arrays[f"{key}/{name}"].astype(np.int64)
        return np.where(within == _LEAF, _LEAF, within + np.repeat(offsets[:-1], sizes))

    teacher = Teacher(
        key=key,
        wiki_id=str(row["wiki"]),
        features=_feature_names(row["features"]),
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
    # A child must come after its parent, so that the way down a tree ends. A node has two children or none.
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


def _feature_names(names: object) -> tuple[str, ...]:
    """Return the names of the features. Some lists have a name twice: the second one is the change of markups."""
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
