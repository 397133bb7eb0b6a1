"""Every feature that a model may use: its name, group, unit and meaning.

A fact that is not known is None, which differs from 0 and from "anonymous"; so is a share of nothing
(capitals in a text without letters).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FEATURE_SET: Final = 2
"""The version of this table: it changes whenever a feature comes, goes or gets another meaning."""


class Transform(StrEnum):
    """How a feature's value is brought to a scale that a network can use."""

    IDENTITY = "identity"
    LOG1P = "log1p"
    """ln(1 + value), for counts and sizes."""


class Group(StrEnum):
    """Features that a source gives or lacks together; training hides whole groups at random."""

    WORDS = "words"
    REFERENCES = "references"
    MARKUP = "markup"
    COMMENT = "comment"
    EDIT = "edit"
    USER = "user"
    USER_HISTORY = "user_history"
    PARENT = "parent"
    PAGE = "page"
    TAGS = "tags"


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """One feature: what it is called, what it measures, in which unit, and with what it is known or unknown."""

    name: str
    group: Group
    unit: str
    meaning: str
    transform: Transform = Transform.IDENTITY


def _count(name: str, group: Group, unit: str, meaning: str) -> FeatureSpec:
    return FeatureSpec(name, group, unit, meaning, Transform.LOG1P)


MARKUP_MEANINGS: Mapping[str, str] = {
    "references": "opening <ref> tags",
    "external_links": "web addresses",
    "tags": "opening HTML-like tags, references included",
    "wikilinks": "internal links",
    "templates": "template calls and parameters",
    "categories": "categories: links with a prefix, alone on their line",
    "media": "names of media files",
    "headings": "section headings",
    "table_rows": "tables and table rows",
    "list_items": "list items and indented lines",
    "bold_italic": "runs of apostrophes that set bold or italic",
}
"""The kinds of markup that `markup.MarkupCounts` counts."""

# Their delimiters survive in data sets whose text lost all other markup.
_SURVIVING = ("references", "external_links")

FEATURES: tuple[FeatureSpec, ...] = (
    _count("words_inserted", Group.WORDS, "words", "words that the changed lines gained"),
    _count("words_removed", Group.WORDS, "words", "words that the changed lines lost"),
    _count("words_kept", Group.WORDS, "words", "words of the changed lines that stayed"),
    _count("characters_inserted", Group.WORDS, "characters", "length of the inserted words"),
    _count("characters_removed", Group.WORDS, "characters", "length of the removed words"),
    FeatureSpec("only_inserts", Group.WORDS, "0 or 1", "words were inserted and none removed"),
    FeatureSpec("only_removes", Group.WORDS, "0 or 1", "words were removed and none inserted"),
    FeatureSpec("no_words_changed", Group.WORDS, "0 or 1", "neither: markup, order or spaces changed"),
    FeatureSpec("inserted_share", Group.WORDS, "share", "inserted among inserted and removed words"),
    FeatureSpec(
        "replacement_overlap", Group.WORDS, "share", "likeness in spelling of inserted and removed words"
    ),
    FeatureSpec(
        "inserted_in_context",
        Group.WORDS,
        "share",
        "character pairs of the inserted words found in the old lines",
    ),
    FeatureSpec(
        "inserted_upper_share", Group.WORDS, "share", "capitals among cased letters of inserted words"
    ),
    FeatureSpec(
        "inserted_shouted_share",
        Group.WORDS,
        "share",
        "inserted words of two or more letters in capitals only",
    ),
    FeatureSpec(
        "inserted_capitalised_share", Group.WORDS, "share", "inserted cased words that begin with a capital"
    ),
    FeatureSpec(
        "inserted_digit_share", Group.WORDS, "share", "digits among the characters of inserted words"
    ),
    FeatureSpec("inserted_distinct_share", Group.WORDS, "share", "distinct words among inserted words"),
    FeatureSpec(
        "inserted_word_length",
        Group.WORDS,
        "characters",
        "mean length of inserted words, single characters of unspaced scripts apart",
    ),
    _count("inserted_longest_word", Group.WORDS, "characters", "longest inserted word"),
    _count(
        "inserted_longest_run",
        Group.WORDS,
        "characters",
        "longest repetition of one character in inserted words",
    ),
    FeatureSpec(
        "inserted_diversity",
        Group.WORDS,
        "ratio",
        "distinct characters to the square root of all, inserted words",
    ),
    FeatureSpec(
        "inserted_most_frequent_share", Group.WORDS, "share", "most frequent character of inserted words"
    ),
    FeatureSpec(
        "inserted_compressibility", Group.WORDS, "ratio", "compressed to plain size of inserted words"
    ),
    FeatureSpec(
        "inserted_minority_script_share",
        Group.WORDS,
        "share",
        "letters outside the main script of inserted words",
    ),
    FeatureSpec(
        "inserted_foreign_script_share",
        Group.WORDS,
        "share",
        "inserted words in another main script than the old lines (0 or 1)",
    ),
    _count("inserted_exclamations", Group.WORDS, "marks", "exclamation and question marks inserted"),
    _count("inserted_emoji", Group.WORDS, "symbols", "emoji and other pictographs inserted"),
    FeatureSpec("removed_upper_share", Group.WORDS, "share", "capitals among cased letters of removed words"),
    FeatureSpec("removed_digit_share", Group.WORDS, "share", "digits among the characters of removed words"),
    FeatureSpec("removed_word_length", Group.WORDS, "characters", "mean length of removed words, as above"),
    _count("removed_exclamations", Group.WORDS, "marks", "exclamation and question marks removed"),
    *(
        _count(
            f"{name}_{direction}",
            Group.REFERENCES if name in _SURVIVING else Group.MARKUP,
            "occurrences",
            f"{meaning}, net {direction}",
        )
        for name, meaning in MARKUP_MEANINGS.items()
        for direction in ("gained", "lost")
    ),
    _count("lines_gained", Group.MARKUP, "lines", "changed lines after the edit, more than before"),
    _count("lines_lost", Group.MARKUP, "lines", "changed lines before the edit, more than after"),
    FeatureSpec("comment_present", Group.COMMENT, "0 or 1", "there is a comment besides a section's name"),
    _count("comment_length", Group.COMMENT, "characters", "the comment's length without a section's name"),
    FeatureSpec("comment_names_section", Group.COMMENT, "0 or 1", "the edit was made in one section"),
    _count("comment_links", Group.COMMENT, "links", "internal links in the comment"),
    FeatureSpec("comment_upper_share", Group.COMMENT, "share", "capitals among cased letters of the comment"),
    _count(
        "comment_longest_run",
        Group.COMMENT,
        "characters",
        "longest repetition of one character in the comment",
    ),
    FeatureSpec("is_minor", Group.EDIT, "0 or 1", "marked as minor by its author"),
    FeatureSpec(
        "user_is_anonymous", Group.USER, "0 or 1", "not logged in: an IP address or a temporary account"
    ),
    FeatureSpec("user_is_temporary", Group.USER, "0 or 1", "a temporary account"),
    _count(
        "user_edit_count",
        Group.USER_HISTORY,
        "edits",
        "edits of the account at the edit, which may count this one; unknown for anonymous authors",
    ),
    _count(
        "user_age",
        Group.USER_HISTORY,
        "days",
        "age of the account at the edit; unknown for anonymous authors",
    ),
    FeatureSpec("user_is_bot", Group.USER_HISTORY, "0 or 1", "a bot account"),
    FeatureSpec("user_is_bot_or_admin", Group.USER_HISTORY, "0 or 1", "a bot account or an administrator"),
    FeatureSpec("user_is_privileged", Group.USER_HISTORY, "0 or 1", "in a group that somebody must grant"),
    _count("seconds_since_parent", Group.PARENT, "seconds", "time between the parent revision and this one"),
    FeatureSpec("parent_user_is_anonymous", Group.PARENT, "0 or 1", "the parent's author was not logged in"),
    _count("old_length", Group.PAGE, "characters", "length of the whole text before the edit"),
    FeatureSpec(
        "removed_share_of_page",
        Group.PAGE,
        "share",
        "removed words, in characters, of the text before the edit",
    ),
    FeatureSpec("namespace_is_main", Group.PAGE, "0 or 1", "an article"),
    FeatureSpec("is_mobile", Group.TAGS, "0 or 1", "made on a mobile site or in an app"),
    FeatureSpec("is_visual", Group.TAGS, "0 or 1", "made with the visual editor"),
)
"""Every feature, in the order of `Features.values`."""
