"""All features that a model may use: their names, groups, units and meanings.

The value of an unknown feature is None, which differs from 0 and from "anonymous". A share is also None if its
denominator is 0: the capitals of a text without letters.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

FEATURE_SET: Final = 2
"""The version of this table. It changes when a feature is added, removed or gets another meaning."""


class Transform(StrEnum):
    """The function that is applied to a feature before it is scaled."""

    IDENTITY = "identity"
    LOG1P = "log1p"
    """ln(1 + value), for counts and sizes."""


class Group(StrEnum):
    """Features that a source has or lacks together. Training hides whole groups at random."""

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
    """One feature: its name, the group with which it is known or unknown, its unit, and what it measures."""

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

# Data sets whose text lost its markup still have the delimiters of these two.
_IN_STRIPPED_TEXT = ("references", "external_links")

FEATURES: tuple[FeatureSpec, ...] = (
    _count("words_inserted", Group.WORDS, "words", "words outside links that the changed lines gained"),
    _count("words_removed", Group.WORDS, "words", "words outside links that the changed lines lost"),
    _count(
        "words_kept", Group.WORDS, "words", "words outside links that the changed lines have before and after"
    ),
    _count("characters_inserted", Group.WORDS, "characters", "length of the inserted words"),
    _count("characters_removed", Group.WORDS, "characters", "length of the removed words"),
    FeatureSpec("only_inserts", Group.WORDS, "0 or 1", "words outside links were inserted and none removed"),
    FeatureSpec("only_removes", Group.WORDS, "0 or 1", "words outside links were removed and none inserted"),
    FeatureSpec(
        "no_words_changed", Group.WORDS, "0 or 1", "only links, other markup, order or spaces changed"
    ),
    FeatureSpec("inserted_share", Group.WORDS, "share", "inserted words among inserted and removed words"),
    FeatureSpec(
        "replacement_overlap", Group.WORDS, "share", "similarity in spelling of inserted and removed words"
    ),
    FeatureSpec(
        "inserted_in_context",
        Group.WORDS,
        "share",
        "character pairs of inserted words that the old lines also have",
    ),
    FeatureSpec(
        "inserted_upper_share", Group.WORDS, "share", "capitals among cased letters of inserted words"
    ),
    FeatureSpec(
        "inserted_shouted_share",
        Group.WORDS,
        "share",
        "inserted cased words of two or more letters, all of them capitals",
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
        "mean length of inserted words, without words of one character",
    ),
    _count("inserted_longest_word", Group.WORDS, "characters", "longest inserted word"),
    _count(
        "inserted_longest_run",
        Group.WORDS,
        "characters",
        "longest run of one character in inserted words",
    ),
    FeatureSpec(
        "inserted_diversity",
        Group.WORDS,
        "ratio",
        "distinct characters of inserted words, divided by the square root of their length",
    ),
    FeatureSpec(
        "inserted_most_frequent_share",
        Group.WORDS,
        "share",
        "the most frequent character among those of inserted words",
    ),
    FeatureSpec(
        "inserted_compressibility",
        Group.WORDS,
        "ratio",
        "compressed size of inserted words divided by their size",
    ),
    FeatureSpec(
        "inserted_minority_script_share",
        Group.WORDS,
        "share",
        "letters of inserted words that are not of their main script",
    ),
    FeatureSpec(
        "inserted_foreign_script_share",
        Group.WORDS,
        "share",
        "1 if inserted words have another main script than the old lines, else 0",
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
            Group.REFERENCES if name in _IN_STRIPPED_TEXT else Group.MARKUP,
            "occurrences",
            f"{meaning}, net {direction}",
        )
        for name, meaning in MARKUP_MEANINGS.items()
        for direction in ("gained", "lost")
    ),
    _count(
        "lines_gained", Group.MARKUP, "lines", "changed lines after the edit minus those before, if positive"
    ),
    _count(
        "lines_lost", Group.MARKUP, "lines", "changed lines before the edit minus those after, if positive"
    ),
    FeatureSpec("comment_present", Group.COMMENT, "0 or 1", "the comment has text besides a section name"),
    _count("comment_length", Group.COMMENT, "characters", "length of the comment without section names"),
    FeatureSpec(
        "comment_names_section",
        Group.COMMENT,
        "0 or 1",
        "the comment has a section name: one section was edited",
    ),
    _count("comment_links", Group.COMMENT, "links", "internal links in the comment"),
    FeatureSpec("comment_upper_share", Group.COMMENT, "share", "capitals among cased letters of the comment"),
    _count(
        "comment_longest_run",
        Group.COMMENT,
        "characters",
        "longest run of one character in the comment",
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
        "edits of the account at the time of the edit, which may count this one; unknown for anonymous authors",
    ),
    _count(
        "user_age",
        Group.USER_HISTORY,
        "days",
        "age of the account at the time of the edit; unknown for anonymous authors",
    ),
    FeatureSpec("user_is_bot", Group.USER_HISTORY, "0 or 1", "a bot account"),
    FeatureSpec("user_is_bot_or_admin", Group.USER_HISTORY, "0 or 1", "a bot account or an administrator"),
    FeatureSpec("user_is_privileged", Group.USER_HISTORY, "0 or 1", "in a group that a person must grant"),
    _count("seconds_since_parent", Group.PARENT, "seconds", "time between the parent revision and this one"),
    FeatureSpec("parent_user_is_anonymous", Group.PARENT, "0 or 1", "the parent's author was not logged in"),
    _count("old_length", Group.PAGE, "characters", "length of the whole text before the edit"),
    FeatureSpec(
        "removed_share_of_page",
        Group.PAGE,
        "share",
        "characters of removed words, divided by the length of the text before the edit",
    ),
    FeatureSpec("namespace_is_main", Group.PAGE, "0 or 1", "the page is an article"),
    FeatureSpec("is_mobile", Group.TAGS, "0 or 1", "made on the mobile site or in an app"),
    FeatureSpec("is_visual", Group.TAGS, "0 or 1", "made with the visual editor"),
)
"""Every feature, in the order of `Features.values`."""
