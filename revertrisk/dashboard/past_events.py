"""Reverts and hidings that were read before the prediction that they concern.

Streams are read in any order, so a prediction can arrive after the event that reverts or hides its edit. Memory is
bounded: the entries that were noted first are forgotten first.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, Generic, TypeVar

from revertrisk.consumer import Hiding
from revertrisk.dashboard.event_fields import Revert

MAX_REVERTS_OF_PAGE: Final = 30

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedMap(Generic[K, V]):
    """A mapping of limited size; the key that was noted longest ago is removed first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Return the value of a key, None if there is none."""
        return self._values.get(key)

    def note(self, key: K, value: V) -> None:
        """Set the value of a key, which becomes the newest key."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._limit:
            self._values.popitem(last=False)

    def __contains__(self, key: K) -> bool:
        return key in self._values


class PastEvents:
    """The latest hidings, and the latest reverts of pages; ``limit`` applies to each of them."""

    def __init__(self, limit: int) -> None:
        self._hidings: BoundedMap[tuple[str, bool, int], Hiding] = BoundedMap(limit)
        self._reverts: BoundedMap[tuple[str, int], tuple[Revert, ...]] = BoundedMap(limit)
        self._reverting: BoundedMap[tuple[str, int], None] = BoundedMap(limit)

    def note_revert(self, wiki_id: str, page_id: int, revert: Revert) -> None:
        """Remember a revert of a page's revisions."""
        self._reverting.note((wiki_id, revert.rev_id), None)
        known = self._reverts.get((wiki_id, page_id)) or ()
        if revert not in known:
            self._reverts.note((wiki_id, page_id), (*known, revert)[-MAX_REVERTS_OF_PAGE:])

    def revert_of(self, wiki_id: str, page_id: int, rev_id: int) -> Revert | None:
        """Return the first known revert of a revision."""
        known = self._reverts.get((wiki_id, page_id)) or ()
        return next((revert for revert in known if revert.includes(rev_id)), None)

    def is_revert(self, wiki_id: str, rev_id: int) -> bool:
        """Return whether a revision reverted others."""
        return (wiki_id, rev_id) in self._reverting

    def note_hiding(self, hiding: Hiding) -> bool:
        """Remember a hiding; return False if a newer one of the same page or revision is known."""
        subject = (hiding.wiki_id, hiding.of_page, hiding.number)
        known = self._hidings.get(subject)
        if known is not None and known.at > hiding.at:
            return False
        self._hidings.note(subject, hiding)
        return True

    def is_text_hidden(self, wiki_id: str, page_id: int, rev_id: int) -> bool:
        """Return whether the text of a revision is hidden, or its page deleted."""
        of_page = self._hidings.get((wiki_id, True, page_id))
        of_revision = self._hidings.get((wiki_id, False, rev_id))
        return any(hiding is not None and hiding.text for hiding in (of_page, of_revision))

    def is_author_hidden(self, wiki_id: str, rev_id: int) -> bool:
        """Return whether the author of a revision is hidden."""
        hiding = self._hidings.get((wiki_id, False, rev_id))
        return hiding is not None and hiding.user
