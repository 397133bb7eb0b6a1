"""The part of MediaWiki's Action API that is needed to serve revisions: ``action=query``.

https://www.mediawiki.org/wiki/API:Query describes it. Supported are ``prop=revisions|info``,
``list=allrevisions``, ``generator=categorymembers`` and ``formatversion=2``. Anything else gets an error or a
warning; no answer differs from MediaWiki's without one.
"""

from typing import Any, Final

from mock_mediawiki.all_revisions import AllRevisions
from mock_mediawiki.catalogue import Catalogue
from mock_mediawiki.continuation import Continuation
from mock_mediawiki.generators import generated_pages
from mock_mediawiki.page_set import PageSet, read_page_set
from mock_mediawiki.parameters import Parameters
from mock_mediawiki.revision_query import RevisionQuery
from revertrisk.wiki.history import History, StoredPage
from revertrisk.wiki.table import Wiki

RESULT_LIMIT: Final = 12_582_912
"""Bytes of values in one answer on Wikimedia's wikis (``$wgAPIMaxResultSize``)."""


class ActionApi:
    """Answers requests about the wikis of a history.

    ``result_limit`` is the most bytes of values in one answer; ``continue`` leads to the rest.
    """

    def __init__(self, history: History, *, result_limit: int = RESULT_LIMIT) -> None:
        self.history = history
        self._catalogue = Catalogue(history)
        self._result_limit = result_limit

    def answer(self, wiki: Wiki, parameters: Parameters, view: History | None = None) -> dict[str, Any]:
        """Answer one request. ``view`` is the history that this request sees; by default the history itself.

        Raises:
            ApiError: MediaWiki would refuse it, or the mock does not support it.

        """
        parameters.choice("format", ("json",))
        parameters.choice("formatversion", ("2", "latest"))
        parameters.choice("action", ("query",))
        return _Query(view or self.history, self._catalogue, wiki, parameters, self._result_limit).answer()


class _Query:
    """One request, and the state of its answer."""

    def __init__(
        self, history: History, catalogue: Catalogue, wiki: Wiki, parameters: Parameters, result_limit: int
    ) -> None:
        self._history = history
        self._catalogue = catalogue
        self._wiki = wiki
        self._parameters = parameters
        self._result_limit = result_limit
        props = parameters.known_values("query", "prop", ("info", "revisions"))
        lists = parameters.known_values("query", "list", ("allrevisions",))
        self._continuation = Continuation(parameters, sorted(props), sorted(lists))

    def answer(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self._continuation.needs_pages:
            body |= self._pages()
        if self._continuation.runs("allrevisions"):
            listing = AllRevisions(self._history, self._wiki, self._parameters, self._result_limit)
            body["allrevisions"], rest = listing.listed()
            if rest is not None:
                self._continuation.continue_module("allrevisions", "arvcontinue", rest)
        answer = self._continuation.as_json()
        if body:
            answer["query"] = body
        self._parameters.warn_of_others()
        if self._parameters.warnings:
            answer["warnings"] = self._parameters.warnings
        return answer

    def _pages(self) -> dict[str, Any]:
        generated = generated_pages(self._catalogue, self._wiki, self._parameters)
        if generated is not None and generated.rest is not None:
            self._continuation.continue_generator(*generated.rest)
        pages = None if generated is None else generated.pages
        page_set = read_page_set(self._history, self._wiki.wiki_id, self._parameters, pages)
        entries = {page.page_id: _entry(page) for page in page_set.pages.values()}
        if self._continuation.runs("revisions"):
            query = RevisionQuery(self._history, self._parameters, self._result_limit)
            if (rest := query.fill(page_set, entries)) is not None:
                self._continuation.continue_module("revisions", "rvcontinue", rest)
        if self._continuation.runs("info"):
            for page in page_set.pages.values():
                entries[page.page_id] |= self._info(page)
        return _body(page_set, entries)

    def _info(self, page: StoredPage) -> dict[str, Any]:
        latest = self._history.revision(page.wiki_id, page.latest_rev_id)
        if latest is None:  # a page of an export that has no revision
            return {"pagelanguage": self._wiki.language}
        info: dict[str, Any] = {
            "contentmodel": latest.content_model,
            "pagelanguage": self._wiki.language,
            "touched": latest.timestamp,
            "lastrevid": latest.rev_id,
            "length": latest.size or 0,
        }
        if latest.is_redirect:
            info["redirect"] = True
        if latest.parent_id == 0:
            info["new"] = True
        return info


def _body(page_set: PageSet, entries: dict[int, dict[str, Any]]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if page_set.normalized:
        body["normalized"] = page_set.normalized
    if page_set.bad_rev_ids:
        body["badrevids"] = {
            str(rev_id): {"revid": rev_id, "missing": True} for rev_id in page_set.bad_rev_ids
        }
    if page_set.missing or entries:
        body["pages"] = [*page_set.missing, *entries.values()]
    return body


def _entry(page: StoredPage) -> dict[str, Any]:
    return {"pageid": page.page_id, "ns": page.namespace_id, "title": page.title}
