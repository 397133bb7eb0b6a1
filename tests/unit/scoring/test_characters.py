from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring import characters


def test_capitals_are_counted_among_cased_letters_only() -> None:
    """Digits and uncased letters do not dilute the share of capitals."""
    assert characters.describe("AB cd 12 漢字").upper_share == 0.5


def test_a_text_without_cased_letters_has_no_share_of_capitals() -> None:
    """In Chinese the share of capitals is unknown, not zero."""
    assert characters.describe("漢字").upper_share is None


def test_an_empty_text_has_no_shares_at_all() -> None:
    """Nothing is known about the characters of no text."""
    described = characters.describe("")
    assert described.digit_share is None
    assert described.diversity is None
    assert described.main_script is None
    assert characters.compressibility("") is None


@pytest.mark.parametrize(
    ("text", "length"), [("abc", 1), ("yesss", 3), ("no!!!! way", 4), ("a    b", 1), ("  ", 0)]
)
def test_the_longest_run_ignores_spaces(text: str, length: int) -> None:
    """A repetition is one of a character that can be seen."""
    assert characters.longest_run(text) == length


def test_letters_of_another_script_stand_out() -> None:
    """Four Latin letters among twelve are a third of them outside the main script."""
    assert characters.describe("привет весь lolx").minority_script_share == pytest.approx(4 / 14)


def test_repetition_compresses_and_prose_does_not() -> None:
    """Mashed keys compress far better than a sentence of the same length."""
    mashed = characters.compressibility("asdf" * 30)
    prose = characters.compressibility(
        "The river rises in the hills and flows through two lakes before it meets the sea in a wide, "
        "muddy bay full of birds."
    )
    assert mashed is not None
    assert prose is not None
    assert mashed < prose / 2


def test_a_corrected_spelling_overlaps_and_a_replacement_does_not() -> None:
    """Character pairs tell a typo from another statement."""
    corrected, replaced = (
        characters.overlap("recieved", "received"),
        characters.overlap("cafeteria", "poop lol"),
    )
    assert corrected is not None
    assert replaced is not None
    assert corrected > 0.5 > replaced
    assert characters.overlap("", "word") is None


@given(st.text(alphabet="abcé 🙂", max_size=150), st.text(alphabet="abcé 🙂x", max_size=3_000))
def test_containment_is_the_share_of_pairs_whichever_way_they_are_looked_for(text: str, context: str) -> None:
    """Few pairs or many, each counts once, and only the beginning of a long context is read."""
    pairs, known = set(pairwise(text)), set(pairwise(context[:2_048]))
    expected = len(pairs & known) / len(pairs) if pairs and known else None
    assert characters.containment(text, context) == expected
