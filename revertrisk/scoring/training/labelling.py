"""Labels edits from the later edits of the page: which edits were reverted by another user within a time.

This module has no events and no features; `revertrisk.labels` reads events, labels them and writes files.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from revertrisk.wiki.reverts import TEXTS_COMPARED, reverted_edits

HORIZON = timedelta(hours=48)
"""A later revert does not count."""


class NotLabelled(StrEnum):
    """Why an edit gets no label although a server would score it."""

    NULL_EDIT = "null_edit"
    SELF_REVERT = "self_revert"
    REVERT_REVERTED = "revert_reverted"
    REVERT_WITHOUT_RANGE = "revert_without_range"


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEdit:
    """The facts of an edit that labels depend on. Hashes and names are compared, and not written to a file."""

    wiki_id: str
    page_id: int
    rev_id: int
    timestamp: datetime
    parent_id: int | None = None
    """0 for no parent; None if the source does not state it: then the edit before it on the page is the parent."""
    author: str | None
    """None if the author is hidden."""
    sha1: str | None
    """The hash of the text after the edit; None if it is hidden or not known."""
    is_edit: bool = True
    """False for a move and other changes that create a revision without an edit: they revert nothing."""
    is_revert: bool = False
    """The source says that this edit is a revert."""
    reverts: tuple[int, int] | None = None
    """The ids of the oldest and newest revision that this edit reverted, if the source states them."""


@dataclass(frozen=True, slots=True)
class Label:
    """Whether an edit was reverted, and after which time."""

    reverted: bool
    reverted_after: timedelta | None


@dataclass(slots=True)
class _WindowEdit:
    """An edit of the page, and the first edit that reverted it within the horizon."""

    edit: PageEdit
    is_null_edit: bool
    reverted_by: "_WindowEdit | None" = None
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
    """Yield the edits of one page, each with its label, or with the reason why it has none.

    `edits` are in the order of (timestamp, rev_id). Four kinds of edits have no label: null edits; edits that their own
    author reverted; edits whose revert was itself reverted within the horizon; and edits that may be in the range of
    a revert whose range the source does not state. Edits are kept in memory for twice the horizon: the revert of an
    edit may come at the end of its horizon, and the revert of that revert one horizon later. The last `TEXTS_COMPARED`
    edits are kept for longer: a revert can restore an old text.
    """
    window: deque[_WindowEdit] = deque()
    for edit in edits:
        while len(window) > TEXTS_COMPARED and edit.timestamp - window[0].edit.timestamp > 2 * horizon:
            seen = window.popleft()
            yield seen.edit, seen.outcome()
        current = _WindowEdit(edit, is_null_edit=_is_null_edit(edit, window))
        for seen in _reverted(edit, window):
            if edit.timestamp - seen.edit.timestamp <= horizon:
                if edit.is_revert and edit.reverts is None:
                    seen.is_in_unknown_range = True
                elif seen.reverted_by is None:
                    seen.reverted_by = current
        window.append(current)
    for seen in window:
        yield seen.edit, seen.outcome()


def _is_null_edit(edit: PageEdit, window: deque[_WindowEdit]) -> bool:
    for seen in reversed(window):
        if edit.parent_id in {None, seen.edit.rev_id}:
            return bool(edit.sha1) and edit.sha1 == seen.edit.sha1
    return False


def _reverted(edit: PageEdit, window: deque[_WindowEdit]) -> list[_WindowEdit]:
    """Return the edits that an edit reverts: those that the source states, otherwise those between equal texts."""
    if edit.reverts is not None:
        oldest, newest = edit.reverts
        found: list[_WindowEdit] = []
        for seen in reversed(window):
            if found or seen.edit.rev_id == newest:
                found.append(seen)
            # If the oldest is not in the window, everything back to the start of the window counts as reverted.
            if seen.edit.rev_id == oldest:
                break
        return found
    if not edit.is_edit:
        return []
    earlier = [window[-number] for number in range(1, min(len(window), TEXTS_COMPARED) + 1)]
    return earlier[: reverted_edits(edit.sha1, [seen.edit.sha1 for seen in earlier])]
