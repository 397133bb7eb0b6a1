"""Labels from what happened next: which edits of a page were reverted by somebody else, and soon.

Knows nothing of features; `own_labels` joins both into files.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

HORIZON = timedelta(hours=48)
"""A revert that comes later is not counted."""
_IDENTITY_RADIUS = 15
"""An edit restores an earlier text if that is at most this many edits back: MediaWiki's own limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PageEdit:
    """What a label depends on. Hashes and names are compared, never kept in a file."""

    wiki_id: str
    page_id: int
    rev_id: int
    timestamp: datetime
    author: str | None
    """None where the author is hidden."""
    sha1: str | None
    """Of the text after the edit; None where it is hidden or lost."""
    reverts: tuple[int, int] | None = None
    """The oldest and newest revision ids that this edit reverted, where the source says so."""


@dataclass(frozen=True, slots=True)
class Label:
    """What became of an edit."""

    reverted: bool
    mature: bool
    """The record goes on for the whole horizon after the edit.

    One that was reverted already is no exception: of the youngest edits, only those would be left.
    """
    reverted_after: timedelta | None


def label_edits(edits: Iterable[PageEdit], horizon: timedelta = HORIZON) -> dict[tuple[str, int], Label]:
    """Label edits, in the order in which they happened; by wiki id and revision id.

    Left out are null edits, edits that their own author took back, and edits whose revert was itself
    reverted within the horizon: nobody can say what those are.
    """
    pages: defaultdict[tuple[str, int], list[PageEdit]] = defaultdict(list)
    end: datetime | None = None
    for edit in edits:
        pages[edit.wiki_id, edit.page_id].append(edit)
        end = edit.timestamp if end is None else max(end, edit.timestamp)
    labels: dict[tuple[str, int], Label] = {}
    for page in pages.values():
        reverters = _reverters(page, horizon)
        for place, edit in enumerate(page):
            if place and edit.sha1 is not None and edit.sha1 == page[place - 1].sha1:
                continue
            mature = end is not None and end - edit.timestamp >= horizon
            reverter = reverters.get(place)
            if reverter is None:
                labels[edit.wiki_id, edit.rev_id] = Label(reverted=False, mature=mature, reverted_after=None)
                continue
            own = edit.author is not None and edit.author == page[reverter].author
            if not own and reverter not in reverters:
                after = page[reverter].timestamp - edit.timestamp
                labels[edit.wiki_id, edit.rev_id] = Label(reverted=True, mature=mature, reverted_after=after)
    return labels


def _reverters(page: Sequence[PageEdit], horizon: timedelta) -> dict[int, int]:
    """Return which edit reverted which, by their places: the first that did, within the horizon."""
    found: dict[int, int] = {}
    places = {edit.rev_id: place for place, edit in enumerate(page)}
    for place, edit in enumerate(page):
        for reverted in _reverted(page, place, places):
            if edit.timestamp - page[reverted].timestamp <= horizon:
                found.setdefault(reverted, place)
    return found


def _reverted(page: Sequence[PageEdit], place: int, places: dict[int, int]) -> range:
    """Return the places of the edits that one edit took back."""
    edit = page[place]
    if edit.reverts is not None:
        oldest, newest = (places.get(rev_id) for rev_id in edit.reverts)
        # A record that begins later does not hold the oldest.
        return (
            range(0 if oldest is None else oldest, min(place, newest + 1)) if newest is not None else range(0)
        )
    if edit.sha1 is None or (place and page[place - 1].sha1 == edit.sha1):
        return range(0)
    for earlier in range(place - 2, max(-1, place - 2 - _IDENTITY_RADIUS), -1):
        if page[earlier].sha1 == edit.sha1:
            return range(earlier + 1, place)
    return range(0)
