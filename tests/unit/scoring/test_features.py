import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import FEATURES, Group
from revertrisk.scoring.features import EditFacts, describe, extract
from revertrisk.scoring.probe import PROBE
from revertrisk.scoring.revision import Revision, User
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.edits import SAVED, edit


def feature(revision: Revision, name: str) -> float | None:
    """Return one feature of a revision."""
    return extract(revision).values[name]


def test_every_feature_of_the_table_is_taken_and_no_other() -> None:
    """The table of features and what is extracted name the same things in the same order."""
    assert list(extract(edit("a", "b")).values) == [each.name for each in FEATURES]


def test_t6_every_feature_is_filled_by_an_edit_of_which_all_is_known() -> None:
    """T6: one that nothing fills would be unknown in every edit, and pass all other tests."""
    assert [name for name, value in extract(PROBE).values.items() if value is None] == []


@pytest.mark.parametrize(
    ("kind", "anonymous", "temporary"),
    [
        (UserKind.REGISTERED, 0.0, 0.0),
        (UserKind.TEMPORARY, 1.0, 1.0),
        (UserKind.IP, 1.0, 0.0),
        (UserKind.UNKNOWN, None, None),
    ],
)
def test_the_kinds_of_users(kind: UserKind, anonymous: float | None, temporary: float | None) -> None:
    """A temporary account counts as anonymous, and a hidden author as neither."""
    revision = edit("a", "b", user=User(kind=kind))
    assert feature(revision, "user_is_anonymous") == anonymous
    assert feature(revision, "user_is_temporary") == temporary


PATROLLER, CONFIRMED = frozenset({"patroller"}), frozenset({"autoconfirmed"})
BY_PHONE = frozenset({"mobile edit", "mobile web edit"})
CITED = "La ville est grande.<ref>[https://example.org Atlas]</ref>"


@pytest.mark.parametrize(
    ("revision", "expected"),
    [
        (edit("a", "b", user=User(kind=UserKind.IP, edit_count=102)), {"user_edit_count": None}),
        (edit("a", "b", user=User(registered_at=SAVED - timedelta(days=36))), {"user_age": 36}),
        (edit("a", "b", user=User(groups=PATROLLER)), {"user_is_privileged": 1}),
        (edit("a", "b", user=User(groups=CONFIRMED)), {"user_is_privileged": 0, "user_is_bot_or_admin": None}),
        (edit("a", "b", user=User(groups=CONFIRMED, is_bot=False)), {"user_is_bot_or_admin": 0}),
        (edit("a", "b", user=User(groups=frozenset({"sysop"}))), {"user_is_bot_or_admin": 1}),
        (edit("a", "b", user=User(is_bot=True)), {"user_is_bot_or_admin": 1, "user_is_privileged": None}),
        (edit("a", "b", user=User(kind=UserKind.IP)), {"user_is_bot_or_admin": 0, "user_is_privileged": 0}),
        (edit("a", "b"), {"user_is_privileged": None, "is_mobile": None}),
        (edit("a", "b", tags=BY_PHONE), {"is_mobile": 1, "is_visual": 0}),
        (
            edit("La ville est grande.", CITED),
            {"references_gained": 1, "references_lost": 0, "external_links_gained": 1},
        ),
        (edit("a great city", "a '''great''' city"), {"no_words_changed": 1}),
    ],
    ids=[
        "edits from an address may be anybody's", "age is counted up to the edit", "a group that was granted",
        "a group that comes by itself", "neither a bot nor an administrator", "an administrator", "a bot",
        "an address has no rights", "what is unknown", "tags", "markup is counted net", "markup is no word",
    ],
)  # fmt: skip
def test_facts_become_features(revision: Revision, expected: dict[str, float | None]) -> None:
    """Of the author as of the edit, of the change tags, and of what the text gained and lost."""
    assert {name: feature(revision, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("comment", "present", "length", "section"),
    [
        ("/* Histoire */ source", 1.0, 6, 1.0),
        ("/* Histoire */", 0.0, 0, 1.0),
        ("", 0.0, 0, 0.0),
        (None, None, None, None),
    ],
)
def test_a_comment_is_told_from_the_name_of_its_section(
    comment: str | None, present: float | None, length: float | None, section: float | None
) -> None:
    """The section's name, which the wiki writes, is not the author's comment; a hidden comment is unknown."""
    revision = edit("a", "b", comment=comment)
    assert feature(revision, "comment_present") == present
    assert feature(revision, "comment_length") == length
    assert feature(revision, "comment_names_section") == section


def test_blanking_removes_the_whole_page() -> None:
    """An emptied page has lost nearly all of its characters, and gained nothing to describe."""
    revision = edit("word " * 200, "")
    removed = feature(revision, "removed_share_of_page")
    assert removed is not None
    assert removed > 0.9
    assert feature(revision, "inserted_upper_share") is None
    assert feature(revision, "only_removes") == 1


def test_a_data_set_says_what_it_lacks() -> None:
    """Features of a group that a file cannot give are unknown, whatever its text seems to say."""
    change = changes.of_lines("", "no markup left")
    features = describe(change, EditFacts(), missing_groups=frozenset({Group.MARKUP}))
    assert features.values["templates_gained"] is None
    assert features.values["words_inserted"] == 3
    assert features.values["old_length"] is None


def test_the_same_edit_has_the_same_features_from_lines_as_from_texts() -> None:
    """A file with the changed lines alone gives the very features that whole texts give."""
    old, new = "intro\nan old line\nend", "intro\na new line here\nend"
    whole = extract(edit(old, new)).values
    lines = describe(changes.of_lines("an old line", "a new line here"), EditFacts()).values
    for each in FEATURES:
        if each.group in {Group.WORDS, Group.REFERENCES, Group.MARKUP}:
            assert whole[each.name] == lines[each.name], each.name


def test_nothing_personal_is_kept() -> None:
    """Features hold numbers only: no text, no comment, no name can be read from them."""
    revision = edit("a", "secret words", comment="secret")
    features = extract(revision)
    assert all(value is None or isinstance(value, int | float) for value in features.values.values())
    assert "secret" not in repr(features)


any_text = st.text(alphabet=st.characters(), max_size=500)


@given(any_text, any_text, st.none() | any_text)
def test_any_two_texts_have_finite_features(old: str, new: str, comment: str | None) -> None:
    """Whatever the texts hold, every known feature is a finite number of at least 0, twice the same."""
    features = extract(edit(old, new, comment=comment))
    for name, value in features.values.items():
        assert value is None or (math.isfinite(value) and value >= 0), name
    for each in FEATURES:
        if each.unit in {"share", "0 or 1"}:
            value = features.values[each.name]
            assert value is None or value <= 1, each.name
    assert extract(edit(old, new, comment=comment)) == features
