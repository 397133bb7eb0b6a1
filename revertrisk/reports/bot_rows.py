"""Reads from a lake the edits that bots and others reverted, and the edits that a model flags."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from revertrisk.lake import Reader
from revertrisk.reports.lake_edits import Period
from revertrisk.reports.statements import statement
from revertrisk.reports.watched import Booleans, or_never, page_numbers

Numbers = NDArray[np.int64]

KINDS: Final = ("ip", "temporary", "registered", "unknown")
"""The kinds of reverted editors; `RevertedRows.kind` has indexes into this tuple."""
BUCKETS: Final = ("0-99", "100-499", "500+", "unknown")
"""The ranges of their edit counts; `RevertedRows.edit_bucket` has indexes into this tuple."""
UNDONE_BY: Final = ("", "the base editor", "newcomers", "experienced editors", "others")
"""Who reverted a revert; `RevertedRows.undone_by_whom` has indexes into this tuple. Index 0 means no revert.

The base editor is the author of the edit that was reverted. Newcomers are IP addresses, temporary accounts, and
accounts with fewer than 100 edits. Experienced editors have at least 500. Others are between, or of unknown count.
"""


@dataclass(frozen=True, slots=True)
class ListedBot:
    """A bot in the list of the lake. It counts from ``valid_from`` to ``valid_to``; None means without limit."""

    wiki_id: str
    name: str
    valid_from: str | None
    valid_to: str | None
    acts_on: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertedRows:
    """Reverted edits, each with its first revert; arrays of equal length, ordered by wiki, page and revert."""

    wiki: NDArray[np.int16]
    page: Numbers
    """A number for each page; it never decreases."""
    rev_id: Numbers
    """The revision id of the revert."""
    edit_day: Numbers
    """The day of the edit, in days since 1970; ``revert_day`` is the day of the revert."""
    revert_day: Numbers
    kind: NDArray[np.int8]
    edit_bucket: NDArray[np.int8]
    bot: NDArray[np.object_]
    """The name of the listed bot that made the revert; empty if no listed bot did."""
    is_valid: Booleans
    """Whether the day of the revert is in the period for which the bot is listed."""
    is_self: Booleans
    is_null_edit: Booleans
    undone_by: Numbers
    """The revision id of the edit that reverted the revert; 0 if there is none."""
    undone_by_whom: NDArray[np.int8]

    def part(self, members: Booleans) -> "RevertedRows":
        """Return the rows that a mask selects."""
        return RevertedRows(**{each.name: getattr(self, each.name)[members] for each in fields(self)})

    def reverts(self) -> "RevertedRows":
        """Return one row for each revert, because one revert can revert several edits."""
        is_first = np.ones(len(self.page), dtype=np.bool_)
        is_first[1:] = (np.diff(self.rev_id) != 0) | (np.diff(self.page) != 0)
        return self.part(is_first)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlapRows:
    """Edits that were reverted within the window or that the model flags; arrays ordered by wiki and page."""

    wiki: NDArray[np.int16]
    page: Numbers
    edit_day: Numbers
    by_listed_bot: Booleans
    """A listed bot made the first revert, within the window."""
    by_bot: Booleans
    """A bot made the first revert, listed or not."""
    is_reverted: Booleans
    is_scored: Booleans
    is_flagged: Booleans
    seconds: NDArray[np.float64]
    """Time to the first revert; infinite if there is none."""

    def part(self, members: Booleans) -> "OverlapRows":
        """Return the rows that a mask selects."""
        return OverlapRows(**{each.name: getattr(self, each.name)[members] for each in fields(self)})


def read_bots(reader: Reader, wikis: Sequence[str] = ()) -> list[ListedBot]:
    """Return the bots in the list of the lake, or those of ``wikis`` if any are given; raises LakeError."""
    found = reader.query(
        "SELECT wiki_id, name, CAST(valid_from AS STRING), CAST(valid_to AS STRING), acts_on FROM bot "
        "ORDER BY wiki_id, name"
    ).fetchall()
    return [ListedBot(*row) for row in found if not wikis or row[0] in wikis]


def read_days(reader: Reader, period: Period) -> dict[str, tuple[int, int]]:
    """Return the first and the last day of the period that are in the record of each wiki; raises LakeError.

    Days are numbers since 1970. Wikis without such a day are left out.
    """
    found = reader.query(statement("days")).fetchall()
    days = {wiki_id: period.days(int(first), int(last)) for wiki_id, first, last in found if last is not None}
    return {wiki_id: each for wiki_id, each in days.items() if each is not None}


def read_reverted(reader: Reader, wikis: Sequence[str], window_s: float, period: Period) -> RevertedRows:
    """Return the edits whose first revert was made in the period and within the window; raises LakeError."""
    text = statement(
        "bot_reverts",
        wikis=tuple(wikis),
        window_s=window_s,
        edits_since=period.first_edit_day(window_s),
        **period.literals,
    )
    rows = reader.query(text).fetchnumpy()
    return RevertedRows(
        wiki=_array(rows["wiki"], np.int16),
        page=page_numbers(rows["wiki"], rows["page_id"]),
        rev_id=_array(rows["rev_id"], np.int64),
        edit_day=_array(rows["edit_day"], np.int64),
        revert_day=_array(rows["revert_day"], np.int64),
        kind=_array(rows["kind"], np.int8),
        edit_bucket=_array(rows["edit_bucket"], np.int8),
        bot=np.asarray(rows["bot"], dtype=np.object_),
        is_valid=_array(rows["is_valid"], np.bool_),
        is_self=_array(rows["is_self"], np.bool_),
        is_null_edit=_array(rows["is_null_edit"], np.bool_),
        undone_by=_array(rows["undone_by"], np.int64),
        undone_by_whom=_array(rows["undone_by_whom"], np.int8),
    )


def read_overlap(  # noqa: PLR0913 - the parameters of the query
    reader: Reader,
    wikis: Sequence[str],
    *,
    model_name: str,
    threshold: float,
    window_s: float,
    period: Period,
    automoderator_rules: bool,
) -> OverlapRows:
    """Return the edits of the period that were reverted within the window or that a model flags; raises LakeError.

    With ``automoderator_rules``, edits that Automoderator skips do not count as flagged.
    """
    text = statement(
        "overlap",
        wikis=tuple(wikis),
        model_name=model_name,
        threshold=threshold,
        window_s=window_s,
        **period.literals,
    )
    rows = reader.query(text).fetchnumpy()
    is_reverted = _array(rows["is_reverted"], np.bool_)
    is_flagged = _array(rows["is_flagged"], np.bool_)
    if automoderator_rules:
        is_flagged = is_flagged & ~_array(rows["is_skipped_by_automoderator"], np.bool_)
    found = OverlapRows(
        wiki=_array(rows["wiki"], np.int16),
        page=page_numbers(rows["wiki"], rows["page_id"]),
        edit_day=_array(rows["edit_day"], np.int64),
        by_listed_bot=is_reverted & (np.asarray(rows["bot"], dtype=np.object_) != ""),
        by_bot=is_reverted & _array(rows["by_bot"], np.bool_),
        is_reverted=is_reverted,
        is_scored=_array(rows["is_scored"], np.bool_),
        is_flagged=is_flagged,
        seconds=or_never(rows["seconds"]),
    )
    return found.part(is_reverted | is_flagged)


def _array(values: Any, kind: Any) -> Any:
    return np.asarray(values, dtype=kind)
