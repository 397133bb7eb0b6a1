"""Which earlier edits an edit reverts."""

import pytest

from revertrisk.wiki.history import sha1_base36
from revertrisk.wiki.reverts import reverted_edits

BLANK = sha1_base36("")


@pytest.mark.parametrize(
    ("sha1", "earlier", "count"),
    [
        ("good", ["bad", "worse", "good", "older", "good"], 2),
        ("good", ["bad", "worse"], 0),
        ("good", ["good", "bad", "good"], 0),
        ("good", [], 0),
        (None, ["bad", None], 0),
        ("", ["bad", ""], 0),
        ("good", ["bad", None, "good"], 2),
        pytest.param(BLANK, ["bad", BLANK], 1, id="L11: a blank page is a text like others"),
        pytest.param("good", [*map(str, range(15)), "good"], 15, id="L10: 15 edits are reverted at once"),
        pytest.param("good", [*map(str, range(16)), "good"], 0, id="L10: 16 edits are not"),
    ],
)
def test_an_edit_reverts_what_lies_between_equal_texts(
    sha1: str | None, earlier: list[str | None], count: int
) -> None:
    """The newest equal text counts, within MediaWiki's radius; unknown texts equal nothing."""
    assert reverted_edits(sha1, earlier) == count
