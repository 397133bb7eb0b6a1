"""Edits of the English Wikipedia in 2015, sampled by the editquality project: nine numbers each, and no text.

Rows are tab-separated, without a header. revscoring computed the numbers when the set was made. Three of them count
words from lists; no model here reads these.
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
    """Return whether a line is a row of such a file, by the number of columns and by the first and last column."""
    cells = line.rstrip("\n").split("\t")
    return len(cells) == len(COLUMNS) and cells[0].isdecimal() and cells[-1] in _TRUTH


def row_of(line: str) -> dict[str, Any] | None:
    """Return a row as a dictionary by column, with flags as booleans; None if the number of columns is wrong.

    Raises:
        ValueError: a flag is neither True nor False.

    """
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
    """Return the features of a row: words inserted and removed, the kind of author, the account's age at the edit.

    revscoring compares the two texts segment by segment, and `changes` compares them as multisets: to both a moved
    paragraph is unchanged. revscoring's longest run is 1 if nothing was inserted; here it is 0.
    """
    gained, lost = float(row["words_in"]), float(row["words_out"])
    anonymous = row["anonymous"]
    facts = EditFacts(
        user_kind=UserKind.IP if anonymous else UserKind.REGISTERED,
        # For an anonymous author the column has the time since about 2001, which is no age.
        user_age_seconds=None if anonymous else max(0.0, float(row["account_age_seconds"])),
    )
    return describe(
        changes.of_lines("", ""),
        facts,
        missing_groups=_TEXT_GROUPS,
        overrides={
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
