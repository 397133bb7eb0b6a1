"""Edits of the English Wikipedia in 2015 with nine numbers each and no text, as the editquality project drew them.

A row is tab-separated and has no header; the numbers were computed by revscoring when the set was made. Three of
them count words of lists, which no model here reads.
"""

from collections.abc import Mapping
from typing import Any, Final

from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import Group
from revertrisk.scoring.features import EditFacts, Features, describe
from revertrisk.wiki.user_kinds import UserKind

COLUMNS: Final = (
    "revision", "longest_run", "words_in", "words_out", "bad_words", "informal_words", "words_outside_a_dictionary",
    "anonymous", "bot_or_admin", "account_age_seconds", "label",
)  # fmt: skip

_TRUTH: Final = {"True": True, "False": False}
_TEXT_GROUPS: Final = frozenset({Group.WORDS, Group.REFERENCES, Group.MARKUP, Group.COMMENT, Group.PAGE})


def is_row(line: str) -> bool:
    """Return whether a line is a row of such a file, by the number of columns and the first and last of them."""
    cells = line.rstrip("\n").split("\t")
    return len(cells) == len(COLUMNS) and cells[0].isdecimal() and cells[-1] in _TRUTH


def row_of(line: str) -> dict[str, Any] | None:
    """Return a row by column, flags as booleans; None for a line with another number of columns."""
    cells = line.rstrip("\n").split("\t")
    if len(cells) != len(COLUMNS):
        return None
    row: dict[str, Any] = dict(zip(COLUMNS, cells, strict=True))
    for name in ("anonymous", "bot_or_admin", "label"):
        if row[name] not in _TRUTH:
            raise ValueError(name)
        row[name] = _TRUTH[row[name]]
    return row


def features_of(row: Mapping[str, Any]) -> Features:
    """Take the features that the numbers give: words in and out, who edited, and the account's age at the edit.

    revscoring compares the two texts segment by segment and we as a multiset, so a moved paragraph is the same
    to both. Its longest run is 1 where nothing was inserted.
    """
    gained, lost = float(row["words_in"]), float(row["words_out"])
    anonymous = row["anonymous"]
    facts = EditFacts(
        user_kind=UserKind.IP if anonymous else UserKind.REGISTERED,
        # Of an anonymous author the column has the time since 2001 or so.
        user_age_seconds=None if anonymous else max(0.0, float(row["account_age_seconds"])),
    )
    return describe(
        changes.of_lines("", ""),
        facts,
        lacking=_TEXT_GROUPS,
        known={
            "words_inserted": gained,
            "words_removed": lost,
            "only_inserts": float(gained > 0 and not lost),
            "only_removes": float(lost > 0 and not gained),
            "no_words_changed": float(not gained and not lost),
            "inserted_share": gained / (gained + lost) if gained + lost else None,
            "inserted_longest_run": float(row["longest_run"]) if gained else 0.0,
            "user_is_bot_or_admin": float(row["bot_or_admin"]),
        },
    )
