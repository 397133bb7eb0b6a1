"""``list=allrevisions``: the revisions of a whole wiki by time. https://www.mediawiki.org/wiki/API:Allrevisions."""

from typing import Any

from mock_mediawiki.continuation import value_size, warn_of_limit
from mock_mediawiki.parameters import MAX_LIMIT, Parameters
from mock_mediawiki.revision_query import MAX_LIMIT_WITH_CONTENT
from mock_mediawiki.revision_range import from_mark, mark_of, read_range
from mock_mediawiki.revision_shape import RevisionShape
from revertrisk.wiki.history import History, StoredRevision
from revertrisk.wiki.table import Wiki

_MODULE = "allrevisions"


class AllRevisions:
    """One request's ``arv…`` parameters, read and checked.

    Raises:
        ApiError: one of them has a value that cannot be used.

    """

    def __init__(self, history: History, wiki: Wiki, parameters: Parameters, result_limit: int) -> None:
        self._history = history
        self._wiki = wiki
        self._parameters = parameters
        self._result_limit = result_limit
        self._show = RevisionShape(history, parameters, module=_MODULE, prefix="arv")
        largest = MAX_LIMIT_WITH_CONTENT if self._show.has_content else MAX_LIMIT
        self._limit = parameters.limit(_MODULE, "arvlimit", largest)
        self._namespaces = parameters.namespaces(_MODULE, "arvnamespace")
        self._range = read_range(parameters, "arv")
        if (mark := parameters.text("arvcontinue")) is not None:
            self._range = from_mark(self._range, mark)

    def listed(self) -> tuple[list[dict[str, Any]], str | None]:
        """Return the revisions by page, pages in the order of their first one, and the ``arvcontinue`` of the rest."""
        entries: dict[int, dict[str, Any]] = {}
        size = 0
        for count, revision in enumerate(self._find()):
            if count == self._limit:
                return list(entries.values()), mark_of(revision)
            # As on a large wiki, namespaces are filtered after the limit: a batch can hold fewer, or none.
            if self._namespaces is not None and revision.namespace_id not in self._namespaces:
                continue
            shown = self._show.entry(revision)
            size += value_size(shown)
            if size > self._result_limit and entries:
                warn_of_limit(self._parameters, self._result_limit)
                return list(entries.values()), mark_of(revision)
            if revision.page_id in entries:
                entries[revision.page_id]["revisions"].append(shown)
            else:
                entries[revision.page_id] = self._entry(revision, shown)
        return list(entries.values()), None

    def _find(self) -> list[StoredRevision]:
        if self._range.is_empty:
            return []
        return list(self._history.wiki_revisions(self._wiki.wiki_id, self._range, self._limit + 1))

    def _entry(self, revision: StoredRevision, shown: dict[str, Any]) -> dict[str, Any]:
        page = self._history.page(self._wiki.wiki_id, revision.page_id)
        title = revision.page_title if page is None else page.title
        return {
            "pageid": revision.page_id,
            "revisions": [shown],
            "ns": revision.namespace_id,
            "title": title,
        }
