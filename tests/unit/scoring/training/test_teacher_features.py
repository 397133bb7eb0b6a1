"""What teachers read of an edit: revscoring's counts, by lines and so in little time."""

import math
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring.revision import ParentRevision, Revision
from revertrisk.scoring.training import teacher_features
from revertrisk.scoring.training.teacher_features import Rights, author_features, text_features
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.edits import SAVED, edit

DIFF = "wikitext.revision.diff."


def read(revision: Revision) -> dict[str, float]:
    """Return the features of one edit."""
    ((_, features),) = text_features([revision])
    return features


def test_the_counts_of_an_edit() -> None:
    """Tokens by kind, over the page before and in what changed; a link is two markups, a heading's marks one each."""
    features = read(
        edit("== Mill ==\nBuilt in 1790.", "== Mill ==\nBUILT in 1790 and 1812, see [[Lake]].\nNEW NEW")
    )
    expected = {
        "log((wikitext.revision.parent.chars + 1))": math.log1p(len("== Mill ==\nBuilt in 1790.") + 1),
        "log((len(<datasource.wikitext.revision.parent.words>) + 1))": math.log1p(3),
        "log((wikitext.revision.parent.headings + 1))": math.log1p(1),
        f"{DIFF}markup_delta_sum": 2,
        f"{DIFF}markup_delta_decrease": 0,
        f"{DIFF}number_delta_increase": 2,
        f"{DIFF}number_delta_decrease": -1,
        f"{DIFF}uppercase_word_delta_sum": 3,
        f"{DIFF}uppercase_word_prop_delta_sum": 3,
        "revision.diff.wikilinks_change": 1,
        "revision.diff.words_change": 5,
        "revision.diff.markups_change": 2,
        "revision.diff.longest_new_token": 1,
        "revision.diff.longest_new_repeated_char": 1,
    }  # fmt: skip
    assert {name: features[name] for name in expected} == pytest.approx(expected)


def test_a_change_counts_in_proportion_to_what_was_there() -> None:
    """Half of four equal tokens taken out is a half, whatever the page's length; a new token counts as it is."""
    features = read(edit("[[ [[ [[ [[", "[[ [[ {{ {{ {{"))
    assert features[f"{DIFF}markup_prop_delta_decrease"] == -0.5
    assert features[f"{DIFF}markup_prop_delta_increase"] == 3


def test_only_what_is_longer_than_before_is_new() -> None:
    """A long word that the page had already says nothing."""
    assert (
        read(edit("an extraordinary mill", "an extraordinary millhouse"))["revision.diff.longest_new_token"]
        == 1
    )
    assert read(edit("a mill", "a millhouse"))["revision.diff.longest_new_token"] == 9
    assert read(edit("a mill", "a millllll"))["revision.diff.longest_new_repeated_char"] == 6


@pytest.mark.parametrize(
    ("comment", "section", "link"),
    [("/* Mill */ see [[Lake]]", 1.0, 1.0), ("typo", 0.0, 0.0), ("", 0.0, 0.0)],
)
def test_the_comment(comment: str, section: float, link: float) -> None:
    """Whether it names a section, and whether it links."""
    features = read(edit("a", "b", comment=comment))
    assert features["revision.comment.suggests_section_edit"] == section
    assert features["revision.comment.has_link"] == link


def test_a_hidden_comment_and_unknown_rights_are_left_to_their_centre() -> None:
    """What is not known has no value at all; an address has no rights, and an account of no age."""
    assert "revision.comment.has_link" not in read(edit("a", "b", comment=None))
    assert author_features(UserKind.REGISTERED, None) == {"revision.user.is_anon": 0.0}
    assert author_features(UserKind.UNKNOWN, None) == {}
    address = author_features(UserKind.IP, None)
    assert (address["revision.user.is_anon"], sum(address.values())) == (1.0, 1.0)
    assert author_features(UserKind.REGISTERED, Rights(is_admin=1))["revision.user.is_admin"] == 1.0


lines = st.lists(st.sampled_from(["", "a B", "[[CC]] 12", "== H ==", "{{t}} AAA", "x  y"]), max_size=6)


@given(st.lists(lines.map("\n".join), min_size=2, max_size=6))
def test_a_chain_of_edits_has_the_features_of_each_by_itself(texts: list[str]) -> None:
    """Counts that are carried from edit to edit are those of whole texts."""
    chain = [
        edit(old, new, rev_id=number, parent=ParentRevision(rev_id=number - 1, timestamp=SAVED, text=old))
        for number, (old, new) in enumerate(pairwise(texts), start=2)
    ]
    together = [features for _, features in text_features(chain)]
    assert together == [pytest.approx(read(revision)) for revision in chain]


@given(st.text("= a\t[]", max_size=12))
def test_headings_and_links_are_those_of_the_patterns(text: str) -> None:
    """Both are found in linear time, and where the patterns of their definition, which take longer, find them."""
    assert teacher_features._is_heading(text) == bool(re.match(r"={1,6}[^=].*?=+\s*$", text))  # noqa: SLF001
    assert teacher_features._has_link(text) == bool(re.search(r"\[\[[^\]]+\]\]", text))  # noqa: SLF001
