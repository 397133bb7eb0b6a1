"""``prop=revisions``: which revisions a request asks for.

As in MediaWiki there are three ways to ask: revisions by id; the latest revision of several pages; and the history
of one page, where ``rvlimit``, ``rvdir=newer``, ``rvstartid`` or ``rvendid`` is given.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from mock_mediawiki.history import History, Page, Revision
from mock_mediawiki.page_set import PageSet
from mock_mediawiki.parameters import ApiError, Parameters, whole_number
from mock_mediawiki.revision_shape import MODULE, RevisionShape

_FIRST: Final = ("", 0)
_LAST: Final = ("~", 0)  # sorts after any timestamp
_DEFAULT_LIMIT: Final = 10
_MAX_LIMIT: Final = 500
_MAX_LIMIT_WITH_CONTENT: Final = 50


class RevisionQuery:
    """One request's ``rv…`` parameters, read and checked.

    :raises ApiError: if one of them has a value that cannot be used.
    """

    def __init__(self, history: History, parameters: Parameters, result_limit: int) -> None:
        self._history = history
        self._parameters = parameters
        self._result_limit = result_limit
        self._show = RevisionShape(history, parameters)
        self._is_newer = parameters.choice("rvdir", ("newer", "older"), "older") == "newer"
        self._start_id = parameters.integer("rvstartid")
        self._end_id = parameters.integer("rvendid")
        self._limit = self._read_limit()
        self._continue = parameters.text("rvcontinue")
        self._enumerates = self._is_newer or bool(parameters.given("rvlimit", "rvstartid", "rvendid"))

    def fill(self, page_set: PageSet, entries: Mapping[int, dict[str, Any]]) -> str | None:
        """Put the revisions asked for into the entries of their pages.

        :returns: the ``rvcontinue`` for those that did not fit, or None when all are there.
        :raises ApiError: if the parameters do not go together.
        """
        size = 0
        for count, (mark, revision) in enumerate(self._find(page_set)):
            if self._enumerates and count == self._limit:
                return mark
            shown = self._show.entry(revision)
            size += _size(shown)
            if size > self._result_limit and count > 0:  # the first one always fits, or nobody would get on
                self._parameters.warn(
                    "result",
                    "This result was truncated because it would otherwise be larger than the limit of "
                    f"{self._result_limit:,} bytes.",
                )
                return mark
            entries[revision.page_id].setdefault("revisions", []).append(shown)
        return None

    def _find(self, page_set: PageSet) -> Iterator[tuple[str, Revision]]:
        """Yield the revisions asked for, each with the ``rvcontinue`` that begins with it."""
        if not self._enumerates:
            return self._by_id(page_set.revisions) if page_set.revisions else self._latest(page_set.pages)
        if page_set.revisions:
            raise ApiError(
                "invalidparammix",
                'The "revids" parameter may not be used with the list options ("rvlimit", "rvstartid", '
                '"rvendid", "rvdir=newer").',
            )
        if len(page_set.pages) > 1:
            raise ApiError(
                "invalidparammix",
                'Several pages were asked for, but "rvlimit", "rvstartid", "rvendid" and "rvdir=newer" may only '
                "be used on a single page.",
            )
        return self._history_of(next(iter(page_set.pages.values()), None))

    def _by_id(self, revisions: list[Revision]) -> Iterator[tuple[str, Revision]]:
        (first,) = self._continuation(1)
        for revision in sorted(revisions, key=lambda revision: revision.rev_id):
            if revision.rev_id >= first:
                yield str(revision.rev_id), revision

    def _latest(self, pages: Mapping[int, Page]) -> Iterator[tuple[str, Revision]]:
        first = self._continuation(2)
        for page in pages.values():
            revision = self._history.revision(page.wiki_id, page.latest_rev_id)
            if revision is not None and (page.page_id, revision.rev_id) >= first:
                yield f"{page.page_id}|{revision.rev_id}", revision

    def _history_of(self, page: Page | None) -> Iterator[tuple[str, Revision]]:
        if page is None:
            return
        start, end = (_FIRST, _LAST) if self._is_newer else (_LAST, _FIRST)
        if self._start_id is not None:
            start = self._place(page, "rvstartid", self._start_id)
        if self._end_id is not None:
            end = self._place(page, "rvendid", self._end_id)
        if self._continue is not None:
            stamp, rev_id = self._continuation(2)
            digits = str(stamp)
            date, time = digits[:8], digits[8:]
            start = (
                f"{date[:4]}-{date[4:6]}-{date[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z",
                rev_id,
            )
        if start != end and (start < end) != self._is_newer:
            return
        found = self._history.page_revisions(
            page, newest_first=not self._is_newer, start=start, end=end, limit=self._limit + 1
        )
        for revision in found:
            digits = "".join(filter(str.isdigit, revision.timestamp))
            yield f"{digits}|{revision.rev_id}", revision

    def _place(self, page: Page, name: str, rev_id: int) -> tuple[str, int]:
        revision = self._history.revision(page.wiki_id, rev_id)
        if revision is None:
            raise ApiError(f"badid_{name}", f'No revision was found for parameter "{name}".')
        return revision.timestamp, rev_id

    def _continuation(self, length: int) -> tuple[int, ...]:
        parts = ["0"] * length if self._continue is None else self._continue.split("|")
        try:
            numbers = tuple(map(whole_number, parts))
        except ValueError:
            numbers = ()
        if len(numbers) != length:
            raise ApiError(
                "badcontinue",
                "Invalid continue param. You should pass the original value returned by the previous query.",
            )
        return numbers

    def _read_limit(self) -> int:
        largest = _MAX_LIMIT_WITH_CONTENT if self._show.has_content else _MAX_LIMIT
        if self._parameters.text("rvlimit") == "max":
            return largest
        limit = self._parameters.integer("rvlimit")
        if limit is None:
            return _DEFAULT_LIMIT
        if not 1 <= limit <= largest:
            self._parameters.warn(
                MODULE, f'The value "{limit}" for parameter "rvlimit" must be between 1 and {largest}.'
            )
        return min(max(limit, 1), largest)


def _size(value: Any) -> int:
    """Return what MediaWiki counts of a value: the bytes of what it holds, not of the names."""
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        return sum(map(_size, value))
    return len(value.encode()) if isinstance(value, str) else len(str(value))
