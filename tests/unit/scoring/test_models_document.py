import hashlib
from dataclasses import astuple
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from revertrisk.scoring.artifact import MODEL_CARD, load_metadata, shipped
from revertrisk.scoring.feature_table import FEATURE_SET, FEATURES
from revertrisk.scoring.training.evaluate import Evaluation
from revertrisk.scoring.training.labelled_edits import FORMATS
from revertrisk.scoring.training.model_card import model_card
from revertrisk.scoring.training.recipes import RECIPES
from revertrisk.scoring.training.sources import DESCRIPTIONS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "models.md"


def rows() -> list[str]:
    """Return the table rows of docs/models.md that begin with a name."""
    return [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]


PINNED = (2, "17ed77a28c393cad")
"""FEATURE_SET, and the beginning of the SHA-256 of the feature table of that version."""


def test_another_feature_table_has_another_version() -> None:
    """Labelled files state `feature_set`, and a file of another version is refused: its values mean something else."""
    table = "\n".join("|".join(map(str, astuple(each))) for each in FEATURES)
    assert (FEATURE_SET, hashlib.sha256(table.encode()).hexdigest()[:16]) == PINNED, (
        "the feature table has changed: raise FEATURE_SET, and pin both here; "
        "if a meaning was only worded differently, pin the new hash only"
    )


def test_every_feature_is_documented_as_the_code_has_it() -> None:
    """The table in docs/models.md lists all features in order, with group, unit and meaning."""
    expected = [f"| `{each.name}` | {each.group} | {each.unit} | {each.meaning} |" for each in FEATURES]
    assert [row for row in rows() if row.count("|") == 5] == expected


def test_every_format_is_documented_with_the_fields_that_tell_it() -> None:
    """Each format of labelled files has a row with its name and fields."""
    for name, known in FORMATS.items():
        (row,) = (each for each in rows() if each.startswith(f"| `{name}` |"))
        assert {f"`{field}`" for field in known.fields} == set(row.split("|")[2].strip().split(", "))


@pytest.mark.parametrize("name", RECIPES)
def test_the_documented_figures_are_those_of_the_shipped_models(name: str) -> None:
    """The AUC of every split stands in docs/models.md as it stands in the metadata."""
    values = list(load_metadata(shipped(name)).metrics["auc_by_split"].values())
    cells = [f"{value:.3f}" for value in (*values, sum(values) / len(values))]
    assert f"| `{name}` | {' | '.join(cells)} |" in rows()


@pytest.mark.parametrize("name", RECIPES)
def test_the_shipped_card_is_what_training_writes(name: str) -> None:
    """The card of a shipped model is the one that `model_card` returns for its metadata and the figures in it."""
    metadata = load_metadata(shipped(name))
    evaluations = TypeAdapter(dict[str, Evaluation]).validate_python(metadata.metrics["data_sets"])
    descriptions = {each: text for each, text in DESCRIPTIONS.items() if each in evaluations}
    expected = model_card(metadata, evaluations, descriptions)
    assert (shipped(name) / MODEL_CARD).read_text(encoding="utf-8") == expected, (
        "a new feature needs `make models`; after a change of words only, write the new card"
    )


@pytest.mark.parametrize("name", RECIPES)
def test_the_card_begins_with_its_most_important_limit(name: str) -> None:
    """The first sentence of a shipped card says that English figures say little elsewhere."""
    card = (shipped(name) / MODEL_CARD).read_text(encoding="utf-8")
    assert card.split("\n\n")[1].startswith(
        "**A model trained on English edits says little about other languages"
    )
