"""``prop=revisions``: the revisions that a request selects.

As in MediaWiki there are three ways to select: revisions by id; the latest revision of several pages; or the history
of one page, if ``rvlimit``, ``rvdir=newer``, ``rvstart`` or ``rvend`` is given.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mock_mediawiki.continuation import bad_continue, value_size, warn_of_limit
from mock_mediawiki.page_set import PageSet
from mock_mediawiki.parameters import MAX_LIMIT, ApiError, Parameters, whole_number
from mock_mediawiki.revision_range import from_mark, mark_of, read_range
from mock_mediawiki.revision_shape import RevisionShape
from revertrisk.wiki.history import History, StoredPage, StoredRevision

MAX_LIMIT_WITH_CONTENT: Final = 50


class RevisionQuery:
    """One request's ``rv…`` parameters, read and checked.

    Raises:
        ApiError: one of them has a value that cannot be used.

    """

    def __init__(self, history: History, parameters: Parameters, result_limit: int) -> None:
        self._history = history
        self._parameters = parameters
        self._result_limit = result_limit
        self._show = RevisionShape(history, parameters)
        self._limit = parameters.limit(
            "revisions", "rvlimit", MAX_LIMIT_WITH_CONTENT if self._show.has_content else MAX_LIMIT
        )
        self._range = read_range(parameters, "rv")
        self._continue = parameters.text("rvcontinue")
        self._enumerates = self._range.is_newer or bool(parameters.given("rvlimit", "rvstart", "rvend"))

    def fill(self, page_set: PageSet, entries: Mapping[int, dict[str, Any]]) -> str | None:
        """Put the selected revisions into the entries of their pages.

        Return the ``rvcontinue`` of those that did not fit, or None if all did.

        Raises:
            ApiError: the parameters cannot be combined.

        """
        size = 0
        for count, (mark, revision) in enumerate(self._find(page_set)):
            if self._enumerates and count == self._limit:
                return mark
            shown = self._show.entry(revision)
            size += value_size(shown)
            if (
                size > self._result_limit and count > 0
            ):  # the first is always sent, or continuing would never end
                warn_of_limit(self._parameters, self._result_limit)
                return mark
            entries[revision.page_id].setdefault("revisions", []).append(shown)
        return None

    def _find(self, page_set: PageSet) -> Iterator[tuple[str, StoredRevision]]:
        """Yield the selected revisions, each with the ``rvcontinue`` that starts at it."""
        if not self._enumerates:
            return self._by_id(page_set.revisions) if page_set.revisions else self._latest(page_set.pages)
        if page_set.revisions:
            raise ApiError(
                "invalidparammix",
                'The "revids" parameter may not be used with the list options ("rvlimit", "rvstart", "rvend", '
                '"rvdir=newer").',
            )
        if len(page_set.pages) > 1:
            raise ApiError(
                "invalidparammix",
                'Several pages were asked for, but "rvlimit", "rvstart", "rvend" and "rvdir=newer" '
                "may only be used on a single page.",
            )
        return self._history_of(next(iter(page_set.pages.values()), None))

    def _by_id(self, revisions: list[StoredRevision]) -> Iterator[tuple[str, StoredRevision]]:
        (first,) = self._continuation(1)
        for revision in sorted(revisions, key=lambda revision: revision.rev_id):
            if revision.rev_id >= first:
                yield str(revision.rev_id), revision

    def _latest(self, pages: Mapping[int, StoredPage]) -> Iterator[tuple[str, StoredRevision]]:
        first = self._continuation(2)
        for page in pages.values():
            revision = self._history.revision(page.wiki_id, page.latest_rev_id)
            if revision is not None and (page.page_id, revision.rev_id) >= first:
                yield f"{page.page_id}|{revision.rev_id}", revision

    def _history_of(self, page: StoredPage | None) -> Iterator[tuple[str, StoredRevision]]:
        if page is None:
            return
        bounds = self._range
        if self._continue is not None:
            bounds = from_mark(bounds, self._continue)
        if bounds.is_empty:
            return
        found = self._history.page_revisions(page, bounds, self._limit + 1)
        for revision in found:
            yield mark_of(revision), revision

    def _continuation(self, length: int) -> tuple[int, ...]:
        parts = ["0"] * length if self._continue is None else self._continue.split("|")
        try:
            numbers = tuple(map(whole_number, parts))
        except ValueError:
            numbers = ()
        if len(numbers) != length:
            raise bad_continue()
        return numbers
