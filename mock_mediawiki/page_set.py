"""The pages of a query: by ``titles``, ``pageids`` or ``revids``, or from a generator."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mock_mediawiki.namespaces import normalised_title
from mock_mediawiki.parameters import ApiError, Parameters
from revertrisk.wiki.history import History, StoredPage, StoredRevision


@dataclass(frozen=True, slots=True)
class PageSet:
    """The requested pages and revisions that were found, and the answer's entries about the others."""

    pages: dict[int, StoredPage] = field(default_factory=dict)
    """By page id, in ascending order."""
    revisions: list[StoredRevision] = field(default_factory=list)
    """Those requested by ``revids``."""
    bad_rev_ids: list[int] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    normalized: list[dict[str, Any]] = field(default_factory=list)


def read_page_set(
    history: History, wiki_id: str, parameters: Parameters, generated: Sequence[StoredPage] | None = None
) -> PageSet:
    """Look up the pages of a request; ``generated`` are the pages of its generator, if it has one.

    Raises:
        ApiError: two of the parameters are given, one has too many values, or an id is not a number.

    """
    page_set = PageSet()
    if generated is not None:
        found = list(generated)
    else:
        sources = parameters.given("titles", "pageids", "revids")
        if len(sources) > 1:
            names = ", ".join(f'"{name}"' for name in sources)
            raise ApiError("invalidparammix", f"The parameters {names} can not be used together.")
        found = [
            *_with_revisions(history, wiki_id, parameters, page_set),
            *_with_ids(history, wiki_id, parameters, page_set),
            *_with_titles(history, wiki_id, parameters, page_set),
        ]
    page_set.pages.update((page.page_id, page) for page in sorted(found, key=lambda page: page.page_id))
    return page_set


def _with_revisions(
    history: History, wiki_id: str, parameters: Parameters, page_set: PageSet
) -> Iterable[StoredPage]:
    for rev_id in parameters.integers("revids"):
        revision = history.revision(wiki_id, rev_id)
        page = None if revision is None else history.page(wiki_id, revision.page_id)
        if revision is None or page is None:
            page_set.bad_rev_ids.append(rev_id)
        else:
            page_set.revisions.append(revision)
            yield page


def _with_ids(
    history: History, wiki_id: str, parameters: Parameters, page_set: PageSet
) -> Iterable[StoredPage]:
    for page_id in parameters.integers("pageids"):
        page = history.page(wiki_id, page_id)
        if page is None:
            page_set.missing.append({"pageid": page_id, "missing": True})
        else:
            yield page


def _with_titles(
    history: History, wiki_id: str, parameters: Parameters, page_set: PageSet
) -> Iterable[StoredPage]:
    for asked in parameters.values("titles"):
        title = normalised_title(asked)
        if title != asked:
            page_set.normalized.append({"fromencoded": False, "from": asked, "to": title})
        page = history.page_titled(wiki_id, title)
        if page is None:
            page_set.missing.append(_missing(title))
        else:
            yield page


def _missing(title: str) -> dict[str, Any]:
    # The namespace of a title that no page has is not looked up.
    return {"ns": 0, "title": title, "missing": True}
