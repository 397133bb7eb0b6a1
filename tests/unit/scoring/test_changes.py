import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring import changes

any_text = st.text(alphabet=st.characters(), max_size=400)  # lone surrogates and NUL included


@pytest.mark.parametrize(
    ("old", "new", "removed", "inserted"),
    [
        ("first\nold line\nlast", "first\nnew line\nlast", "old line", "new line"),
        ("a\nshared\nb", "x\nshared\ny", "a\nb", "x\ny"),
        ("one", "one\ntwo", "", "two"),
        ("one\ntwo\nthree", "two\nthree\none", "", ""),
    ],
    ids=["one line of many", "a shared line between two changes", "an appended line", "a moved line"],
)
def test_only_the_lines_that_differ_are_kept(old: str, new: str, removed: str, inserted: str) -> None:
    """A line that both sides have is no part of the change, wherever it stands."""
    change = changes.between(old, new)
    assert (change.old_lines, change.new_lines) == (removed, inserted)


def test_what_is_read_is_bounded_and_what_is_measured_is_not() -> None:
    """A huge change is cut off for reading, and its full size is still reported."""
    change = changes.between("", "é" * 1_000_000)
    assert len(change.new_lines) == changes.CHANGED_CHARACTERS_READ
    assert change.changed_bytes == 2_000_000


def test_words_are_compared_without_markup() -> None:
    """Tags, links and addresses are no words; what stands between them is."""
    change = changes.of_lines(
        "", "plain <ref name=x>cited</ref> [[a link|shown]] http://example.org/p {{box}} '''bold'''"
    )
    assert changes.words(change).inserted == ("plain", "cited", "box", "bold")


def test_scripts_without_spaces_are_compared_character_by_character() -> None:
    """One changed character of a Chinese sentence is one changed word, not the whole sentence."""
    difference = changes.words(changes.of_lines("我喜欢红茶", "我喜欢绿茶"))
    assert (difference.removed, difference.inserted) == (("红",), ("绿",))


def test_combining_vowel_signs_do_not_cut_words() -> None:
    """A Hindi word stays one word."""
    assert changes.words(changes.of_lines("", "हिन्दी भाषा")).inserted == ("हिन्दी", "भाषा")


@given(any_text, any_text)
def test_no_change_is_found_between_equal_texts_and_some_otherwise(old: str, new: str) -> None:
    """Lines are reported exactly when the two texts do not hold the same lines."""
    change = changes.between(old, new)
    unlike = sorted(old.split("\n")) != sorted(new.split("\n"))
    assert bool(change.old_lines or change.new_lines) <= unlike
    assert (change.old_length, change.new_length) == (len(old), len(new))


@given(any_text, any_text)
def test_undoing_an_edit_swaps_what_was_inserted_and_removed(old: str, new: str) -> None:
    """The change from new to old is the mirror of that from old to new."""
    there, back = changes.between(old, new), changes.between(new, old)
    assert (there.old_lines, there.new_lines) == (back.new_lines, back.old_lines)
    assert there.changed_bytes == back.changed_bytes


def test_the_marks_of_a_tables_header_are_no_exclamations() -> None:
    """`!` and `!!` separate the cells of a header row; elsewhere they are marks."""
    assert changes.words(changes.of_lines("", "! Year !! Place\nWell done!!")).inserted == (
        "Year",
        "Place",
        "Well",
        "done",
        "!!",
    )
