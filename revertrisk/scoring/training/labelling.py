"""Labels from what happened next: which edits of a page were reverted by somebody else, and soon.

Knows nothing of events or features; `revertrisk.labels` joins them into files.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from revertrisk.wiki.reverts import TEXTS_COMPARED, reverted_edits

HORIZON = timedelta(hours=48)
"""A revert that comes later is not counted."""


class NotLabelled(StrEnum):
    """Why an edit that a server scores has no label: nobody can say what it is."""

    NULL_EDIT = "null_edit"
    SELF_REVERT = "self_revert"
    REVERT_REVERTED = "revert_reverted"
    REVERT_WITHOUT_RANGE = "revert_without_range"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEdit:
    """What a label depends on. Hashes and names are compared, never kept in a file."""

    wiki_id: str
    page_id: int
    rev_id: int
    timestamp: datetime
    parent_id: int | None = None
    """0 for none; None where the source does not tell, so that it is the edit before on the page."""
    author: str | None
    """None where the author is hidden."""
    sha1: str | None
    """Of the text after the edit; None where it is hidden or not known."""
    is_edit: bool = True
    """False for a move and whatever else makes a revision without editing: it reverts nothing."""
    is_revert: bool = False
    """The source says that this edit is a revert."""
    reverts: tuple[int, int] | None = None
    """The oldest and newest revision ids that this edit reverted, where the source says so."""


@dataclass(frozen=True, slots=True)
class Label:
    """What became of an edit."""

    reverted: bool
    reverted_after: timedelta | None


@dataclass(slots=True)
class _Seen:
    """An edit of the page, and which edit reverted it first within the horizon."""

    edit: PageEdit
    is_null_edit: bool
    reverted_by: "_Seen | None" = None
    is_in_unknown_range: bool = False

    def outcome(self) -> Label | NotLabelled:
        if self.is_null_edit:
            return NotLabelled.NULL_EDIT
        if self.is_in_unknown_range:
            return NotLabelled.REVERT_WITHOUT_RANGE
        reverter = self.reverted_by
        if reverter is None:
            return Label(reverted=False, reverted_after=None)
        if self.edit.author is not None and self.edit.author == reverter.edit.author:
            return NotLabelled.SELF_REVERT
        if reverter.reverted_by is not None:
            return NotLabelled.REVERT_REVERTED
        return Label(reverted=True, reverted_after=reverter.edit.timestamp - self.edit.timestamp)


def label_page(
    edits: Iterable[PageEdit], horizon: timedelta = HORIZON
) -> Iterator[tuple[PageEdit, Label | NotLabelled]]:
    """Yield the edits of one page, given by (timestamp, rev_id), each with its label or why it has none.

    Not labelled are null edits, edits that their own author took back, edits whose revert was itself reverted within
    the horizon, and those that a revert whose range the source does not say may have reverted. Held in memory are the
    edits of twice the horizon: the revert of an edit may come at its end, and the revert of that as much later.
    """
    window: deque[_Seen] = deque()
    for edit in edits:
        while len(window) > TEXTS_COMPARED and edit.timestamp - window[0].edit.timestamp > 2 * horizon:
            seen = window.popleft()
            yield seen.edit, seen.outcome()
        reverter = _Seen(edit, is_null_edit=_is_null_edit(edit, window))
        for seen in _reverted(edit, window):
            if edit.timestamp - seen.edit.timestamp <= horizon:
                if edit.is_revert and edit.reverts is None:
                    seen.is_in_unknown_range = True
                elif seen.reverted_by is None:
                    seen.reverted_by = reverter
        window.append(reverter)
    for seen in window:
        yield seen.edit, seen.outcome()


def _is_null_edit(edit: PageEdit, window: deque[_Seen]) -> bool:
    for seen in reversed(window):
        if edit.parent_id in {None, seen.edit.rev_id}:
            return bool(edit.sha1) and edit.sha1 == seen.edit.sha1
    return False


def _reverted(edit: PageEdit, window: deque[_Seen]) -> list[_Seen]:
    """Return the earlier edits that one reverts: those that the source names, else those between equal texts."""
    if edit.reverts is not None:
        oldest, newest = edit.reverts
        found: list[_Seen] = []
        for seen in reversed(window):
            if found or seen.edit.rev_id == newest:
                found.append(seen)
            # A record that begins later does not hold the oldest.
            if seen.edit.rev_id == oldest:
                break
        return found
    if not edit.is_edit:
        return []
    earlier = [window[-number] for number in range(1, min(len(window), TEXTS_COMPARED) + 1)]
    return earlier[: reverted_edits(edit.sha1, [seen.edit.sha1 for seen in earlier])]
