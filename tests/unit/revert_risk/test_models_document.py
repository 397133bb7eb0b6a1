from pathlib import Path

from revert_risk.artifact import MODEL_CARD, shipped
from revert_risk.feature_table import FEATURES

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "models.md"


def test_every_feature_is_documented_as_the_code_has_it() -> None:
    """The table in docs/models.md lists all features in order, with group, unit and meaning."""
    expected = [f"| `{each.name}` | {each.group} | {each.unit} | {each.meaning} |" for each in FEATURES]
    rows = [line for line in DOCUMENT.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert [row for row in rows if row.count("|") == 5] == expected


def test_the_card_begins_with_its_most_important_limit() -> None:
    """The first sentence of the shipped card says that English figures say little elsewhere."""
    card = (shipped("revertrisk-language-agnostic") / MODEL_CARD).read_text(encoding="utf-8")
    assert card.split("\n\n")[1].startswith(
        "**A model trained on English edits says little about other languages"
    )
