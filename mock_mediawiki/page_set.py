"""Which pages a query is about: ``titles``, ``pageids`` or ``revids``."""

from dataclasses import dataclass, field
from typing import Any

from mock_mediawiki.history import History, Page, Revision
from mock_mediawiki.parameters import ApiError, Parameters


@dataclass(frozen=True, slots=True)
class PageSet:
    """What was found of what was asked for, and the rest as the answer shows it."""

    pages: dict[int, Page] = field(default_factory=dict)
    """By page id, in their order."""
    revisions: list[Revision] = field(default_factory=list)
    """Those asked for by id."""
    bad_rev_ids: list[int] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    normalized: list[dict[str, Any]] = field(default_factory=list)


def read_page_set(history: History, wiki_id: str, parameters: Parameters) -> PageSet:
    """Look up what a request asks for.

    :raises ApiError: if it asks in two ways at once, for too much, or with something that is no number.
    """
    sources = parameters.given("titles", "pageids", "revids")
    if len(sources) > 1:
        names = ", ".join(f'"{name}"' for name in sources)
        raise ApiError("invalidparammix", f"The parameters {names} can not be used together.")
    page_set = PageSet()
    found: list[Page] = []
    for rev_id in parameters.integers("revids"):
        revision = history.revision(wiki_id, rev_id)
        page = None if revision is None else history.page(wiki_id, revision.page_id)
        if revision is None or page is None:
            page_set.bad_rev_ids.append(rev_id)
        else:
            page_set.revisions.append(revision)
            found.append(page)
    for page_id in parameters.integers("pageids"):
        page = history.page(wiki_id, page_id)
        if page is None:
            page_set.missing.append({"pageid": page_id, "missing": True})
        else:
            found.append(page)
    for asked in parameters.values("titles"):
        title = _normalised(asked)
        if title != asked:
            page_set.normalized.append({"fromencoded": False, "from": asked, "to": title})
        page = history.page_titled(wiki_id, title)
        if page is None:
            # Only the wiki's namespace names would tell the namespace of a title that no page has.
            page_set.missing.append({"ns": 0, "title": title, "missing": True})
        else:
            found.append(page)
    page_set.pages.update((page.page_id, page) for page in sorted(found, key=lambda page: page.page_id))
    return page_set


def _normalised(title: str) -> str:
    spaced = " ".join(title.replace("_", " ").split())
    return spaced[:1].upper() + spaced[1:]
