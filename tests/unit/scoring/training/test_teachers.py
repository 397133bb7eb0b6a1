"""Teachers: trees from arrays, walked as scikit-learn walks them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.teachers import digests, load_teachers

# Two trees: the first asks for the first feature and then for the second, the other is a leaf.
ARRAYS: dict[str, Any] = {
    "offsets": [0, 5, 6],
    "left": [1, -1, 3, -1, -1, -1],
    "right": [2, -1, 4, -1, -1, -1],
    "feature": [0, -2, 1, -2, -2, -2],
    "threshold": [0.5, -2, 0.1, -2, -2, -2],
    "value": [0, -1, 0, 2, 4, 0.5],
    "center": [10, 1],
    "scale": [4, 1],
}
ROW = {
    "key": "aawiki_goodfaith",
    "wiki": "aawiki",
    "damage_sign": -1.0,
    "prior": 0.25,
    "learning_rate": 0.1,
    "features": ["length", "revision.user.is_anon"],
}


def write(folder: Path, row: dict[str, Any] = ROW, **arrays: Any) -> Path:
    """Write a folder with one model."""
    named: dict[str, Any] = {
        f"{row['key']}/{name}": np.array(value) for name, value in (ARRAYS | arrays).items()
    }
    np.savez(folder / "trees.npz", **named)
    (folder / "models.json").write_text(json.dumps([row]), encoding="utf-8")
    return folder


def test_a_logit_is_the_sum_of_the_leaves(tmp_path: Path) -> None:
    """Scaled values at a threshold go left, an unknown one is at its centre, and good faith speaks of the opposite."""
    (teacher,) = load_teachers(write(tmp_path))
    known = [
        {"length": 12.0},
        {"length": 13.0, "revision.user.is_anon": 1.0},
        {"length": 13.0, "revision.user.is_anon": 2.0},
        {},
    ]
    leaves = np.array([-1, 2, 4, -1]) + 0.5
    assert teacher.logits(known) == pytest.approx(-(0.25 + 0.1 * leaves))
    assert teacher.logits([]).shape == (0,)


def test_values_are_compared_in_single_precision(tmp_path: Path) -> None:
    """What is above a threshold by less than float32 can tell is at it, as where the trees were grown."""
    (teacher,) = load_teachers(write(tmp_path))
    assert teacher.logits([{"length": 12.0 + 1e-9}]) == teacher.logits([{"length": 12.0}])


def test_a_name_that_stands_twice_is_the_change_of_markups(tmp_path: Path) -> None:
    """Some lists of features call two columns the change of words."""
    row = ROW | {"features": ["revision.diff.words_change", "revision.diff.words_change"]}
    (teacher,) = load_teachers(write(tmp_path, row))
    assert teacher.features == ("revision.diff.words_change", "revision.diff.markups_change")


@pytest.mark.parametrize(
    "wrong",
    [
        {"left": [0, -1, 3, -1, -1, -1]},
        {"right": [2, -1, 9, -1, -1, -1]},
        {"right": [2, -1, -1, -1, -1, -1]},
        {"value": [0.0]},
        {"center": [1.0]},
        {"threshold": [object()] * 6},
    ],
    ids=[
        "a walk without end",
        "a child outside",
        "half a node",
        "too few values",
        "too few columns",
        "a pickle",
    ],
)
def test_arrays_that_are_no_trees_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    """Nothing in the folder is unpickled, and a walk through the trees ends."""
    with pytest.raises(TrainingError, match=r"models\.json and trees\.npz do not belong together"):
        load_teachers(write(tmp_path, **wrong))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The message says what the folder should hold."""
    with pytest.raises(TrainingError, match=r"expected models\.json and trees\.npz"):
        load_teachers(tmp_path)


def test_digests_are_of_both_files(tmp_path: Path) -> None:
    """An artefact names what it learnt from."""
    assert list(digests(write(tmp_path))) == [f"{tmp_path.name}/models.json", f"{tmp_path.name}/trees.npz"]
