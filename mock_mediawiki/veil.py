"""The history that one request sees: without some revisions, and with parts of others hidden."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace

from revertrisk.wiki.history import EarlierText, History, Part, RevisionRange, StoredPage, StoredRevision

HiddenParts = Callable[[str, int], frozenset[Part]]
"""Returns the parts to hide of a revision (wiki_id, rev_id), in addition to those that its history hides."""


class VeiledHistory:
    """A :class:`~revertrisk.wiki.history.History` in which revisions are ``invisible`` by id, or partly hidden.

    An invisible revision is not found by its id, as on a replica that lags behind; lists contain it.
    """

    def __init__(self, history: History, invisible: Collection[int], hidden: HiddenParts) -> None:
        self._history = history
        self._invisible = invisible
        self._hidden = hidden

    @property
    def default_wiki_id(self) -> str:
        """The wiki of requests to a loopback host."""
        return self._history.default_wiki_id

    def revision(self, wiki_id: str, rev_id: int) -> StoredRevision | None:
        """Return a revision without what is hidden, or None."""
        if rev_id in self._invisible:
            return None
        revision = self._history.revision(wiki_id, rev_id)
        return None if revision is None else self._veiled(revision)

    def text(self, revision: StoredRevision) -> str | None:
        """Return a revision's text, hidden or not, or None if the source lacks it."""
        return self._history.text(revision)

    def page(self, wiki_id: str, page_id: int) -> StoredPage | None:
        """Return a page, or None."""
        return self._history.page(wiki_id, page_id)

    def page_titled(self, wiki_id: str, title: str) -> StoredPage | None:
        """Return the page that has this title now, or None."""
        return self._history.page_titled(wiki_id, title)

    def pages(self, wiki_id: str) -> Iterator[StoredPage]:
        """Yield every page of a wiki."""
        return self._history.pages(wiki_id)

    def page_revisions(self, page: StoredPage, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a page within a range, at most ``limit`` of them."""
        found = self._history.page_revisions(page, within, limit)
        return [self._veiled(revision) for revision in found]

    def wiki_revisions(self, wiki_id: str, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a wiki within a range, at most ``limit`` of them."""
        found = self._history.wiki_revisions(wiki_id, within, limit)
        return [self._veiled(revision) for revision in found]

    def preceding(self, revision: StoredRevision, count: int) -> Sequence[EarlierText]:
        """Return up to ``count`` earlier revisions of the same page, newest first, as in the history."""
        return self._history.preceding(revision, count)

    def changes(self) -> Iterator[StoredRevision]:
        """Yield every revision that has an event, as in the history."""
        return self._history.changes()

    def _veiled(self, revision: StoredRevision) -> StoredRevision:
        hidden = self._hidden(revision.wiki_id, revision.rev_id)
        return replace(revision, hidden=revision.hidden | hidden) if hidden else revision
