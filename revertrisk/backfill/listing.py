"""Lists the revisions that a command selects, in batches; a later run can continue after any batch.

Each way to select is a class whose ``batches`` starts at the ``next_place`` of an earlier batch. A place is a small
JSON value: the API's own ``continue``, or an index in a list.
"""

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Protocol, TypeVar

from revertrisk.backfill.lookup import ListedRevision
from revertrisk.backfill.settings import SettingsError
from revertrisk.backfill.wiki_api import WikiApi, WikiError
from revertrisk.wiki.revision_facts import LARGEST_ID, optional
from revertrisk.wiki.table import Wiki

_PAGES: Final = 50
"""The number of pages in one request."""
_LONGEST_LIST: Final = "max"
_PROPERTIES: Final = "ids|timestamp"
_SEPARATOR: Final = "\x1f"

Place = dict[str, Any]
Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class RevisionBatch:
    """Some of the selected revisions."""

    refs: Sequence[ListedRevision]
    next_place: Place | None
    """Where the next batch starts; None after the last one."""
    unfound: Sequence[str] = ()
    """Titles that the wiki does not have."""


class Selection(Protocol):
    """A way to select revisions."""

    def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield batches from a place, ``{}`` for the beginning; raises WikiError."""
        ...


class RevisionList:
    """The revisions with these ids."""

    def __init__(self, rev_ids: Sequence[int]) -> None:
        self._rev_ids = rev_ids

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield the ids in their order."""
        for part, following in _parts(self._rev_ids, place):
            yield RevisionBatch([ListedRevision(rev_id) for rev_id in part], following)


class TimeRange:
    """The revisions of a whole wiki in a period of time, newest first (``list=allrevisions``)."""

    def __init__(
        self,
        api: WikiApi,
        *,
        since: datetime | None,
        until: datetime | None,
        namespaces: Sequence[int],
    ) -> None:
        self._api = api
        self._parameters = {
            "list": "allrevisions",
            "arvprop": _PROPERTIES,
            "arvdir": "older",
            "arvlimit": _LONGEST_LIST,
            "arvnamespace": "|".join(map(str, namespaces)),
        }
        if until is not None:
            self._parameters["arvstart"] = _timestamp(until)
        if since is not None:
            self._parameters["arvend"] = _timestamp(since)

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield a batch for each answer of the API; it can be empty, as namespaces are filtered after the limit."""
        following: Place | None = place
        while following is not None:
            answer = await self._api.query(wiki, self._parameters | following)
            refs = [ref for page in answer.get("query", {}).get("allrevisions", ()) for ref in _refs(page)]
            # The answer is grouped by page. The planner takes the first revision of a page as its latest, so they
            # are sorted by time.
            refs.sort(key=lambda ref: (ref.timestamp or "", ref.rev_id), reverse=True)
            following = answer.get("continue")
            yield RevisionBatch(refs, following)


class LatestOfTitles:
    """The latest revision of each of these pages."""

    def __init__(self, api: WikiApi, titles: Sequence[str]) -> None:
        self._api = api
        self._titles = titles

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield a batch for each 50 pages."""
        for part, following in _parts(self._titles, place):
            yield await self._batch(wiki, part, following)

    async def _batch(self, wiki: Wiki, titles: Sequence[str], following: Place | None) -> RevisionBatch:
        if not titles:
            return RevisionBatch([], following)
        # U+001F separates values that can contain "|" (API:Data_formats): a user can type it, though no title has it.
        parameters = {
            "titles": _SEPARATOR + _SEPARATOR.join(titles),
            "prop": "revisions",
            "rvprop": _PROPERTIES,
        }
        refs: list[ListedRevision] = []
        unfound: list[str] = []
        continuation: Place = {}
        while True:
            answer = await self._api.query(wiki, parameters | continuation)
            query = answer.get("query", {})
            for page in query.get("pages", ()):
                refs += _refs(page)
                if page.get("pageid") is None:
                    unfound.append(str(page.get("title")))
            unfound += (str(link.get("title")) for link in query.get("interwiki", ()))
            continuation = answer.get("continue", {})
            if not continuation:
                return RevisionBatch(refs, following, unfound)


class LatestOfCategory:
    """The latest revision of each page of a category, without its subcategories."""

    def __init__(self, api: WikiApi, category: str, namespaces: Sequence[int]) -> None:
        self._api = api
        self._parameters = _members(category, namespaces) | {"prop": "revisions", "rvprop": _PROPERTIES}

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield a batch for each answer of the API."""
        following: Place | None = place
        while following is not None:
            answer = await self._api.query(wiki, self._parameters | following)
            following = answer.get("continue")
            pages = answer.get("query", {}).get("pages", ())
            if not (pages or place or following):
                await _check_category(self._api, wiki, self._parameters["gcmtitle"])
            yield RevisionBatch([ref for page in pages for ref in _refs(page)], following)


class HistoryOfTitles:
    """Every revision of each of these pages in a period of time, newest first."""

    def __init__(
        self, api: WikiApi, titles: Sequence[str], *, since: datetime | None, until: datetime | None
    ) -> None:
        self._api = api
        self._titles = titles
        self._bounds = _bounds(since, until)

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield a batch for each answer of the API, page after page."""
        begun: Place = place.get("inside", {})
        for number in range(int(place.get("at", 0)), len(self._titles)):
            title = self._titles[number]
            behind = {"at": number + 1} if number + 1 < len(self._titles) else None
            query = {"titles": _SEPARATOR + title, **self._bounds}
            async for page, inside in _history(self._api, wiki, query, begun):
                following = behind if inside is None else {"at": number, "inside": inside}
                yield RevisionBatch(_refs(page), following, [title] if page.get("pageid") is None else [])
            begun = {}


class HistoryOfCategory:
    """Every revision of each page of a category in a period of time, newest first."""

    def __init__(
        self,
        api: WikiApi,
        category: str,
        namespaces: Sequence[int],
        *,
        since: datetime | None,
        until: datetime | None,
    ) -> None:
        self._api = api
        self._parameters = _members(category, namespaces)
        self._bounds = _bounds(since, until)

    async def batches(self, wiki: Wiki, place: Place) -> AsyncIterator[RevisionBatch]:
        """Yield a batch for each answer of the API, page after page.

        The members are listed 50 at a time. A place holds where the list of members continues, the pages of the
        present 50 that are left, and where the history of the first of them continues.
        """
        members: Place | None = place.get("members", {})
        page_ids: Sequence[int] = place.get("pages", ())
        begun: Place = place.get("inside", {})
        while True:
            for number, page_id in enumerate(page_ids):
                left = page_ids[number + 1 :]
                behind = {"members": members, "pages": left} if left or members is not None else None
                query = {"pageids": str(page_id), **self._bounds}
                async for page, inside in _history(self._api, wiki, query, begun):
                    here = {"members": members, "pages": page_ids[number:], "inside": inside}
                    yield RevisionBatch(_refs(page), behind if inside is None else here)
                begun = {}
            if members is None:
                return
            answer = await self._api.query(wiki, self._parameters | members)
            members = answer.get("continue")
            page_ids = [_id(page.get("pageid")) for page in answer.get("query", {}).get("pages", ())]
            if not (page_ids or place or members):
                await _check_category(self._api, wiki, self._parameters["gcmtitle"])
            if not page_ids:  # the API filters namespaces after the limit, so an answer can be empty
                yield RevisionBatch([], None if members is None else {"members": members})


def _parts(items: Sequence[Item], place: Place) -> Iterator[tuple[Sequence[Item], Place | None]]:
    """Split the rest of a list into batches, each with the place after it; an empty list is one batch."""
    first = int(place.get("at", 0))
    for start in range(first, len(items), _PAGES) or range(first, first + 1):
        end = start + _PAGES
        yield items[start:end], {"at": end} if end < len(items) else None


async def _history(
    api: WikiApi, wiki: Wiki, query: Mapping[str, str], place: Place
) -> AsyncIterator[tuple[Mapping[str, Any], Place | None]]:
    """Yield parts of one page's history, each with the place after it, or None after the last part."""
    parameters = {"prop": "revisions", "rvprop": _PROPERTIES, "rvlimit": _LONGEST_LIST, **query}
    following: Place | None = place
    while following is not None:
        answer = await api.query(wiki, parameters | following)
        following = answer.get("continue")
        pages = answer.get("query", {}).get("pages", ())
        yield (pages[0] if pages else {}), following


def _refs(page: Mapping[str, Any]) -> Sequence[ListedRevision]:
    try:
        return [
            ListedRevision(
                _id(revision["revid"]),
                None if (parent_id := revision.get("parentid")) is None else _id(parent_id),
                page.get("pageid"),
                optional(page, "ns", int),
                optional(revision, "timestamp", str),
            )
            for revision in page.get("revisions", ())
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise WikiError("the MediaWiki API described a revision in an unexpected form") from None


def _id(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= LARGEST_ID:
        raise WikiError("the MediaWiki API listed a page or a revision without a valid id")
    return value


def _members(category: str, namespaces: Sequence[int]) -> dict[str, str]:
    prefix, colon, _ = category.partition(":")
    # Every wiki accepts "Category" beside the word of its own language.
    title = category if colon and prefix.strip().lower() == "category" else f"Category:{category}"
    return {
        "generator": "categorymembers",
        "gcmtitle": title,
        "gcmtype": "page",
        "gcmlimit": str(_PAGES),
        "gcmnamespace": "|".join(map(str, namespaces)),
    }


async def _check_category(api: WikiApi, wiki: Wiki, title: str) -> None:
    """Check that an empty category exists; raises SettingsError, WikiError."""
    answer = await api.query(wiki, {"titles": _SEPARATOR + title, "prop": "info"})
    pages = answer.get("query", {}).get("pages", ())
    if not pages or pages[0].get("pageid") is None:
        raise SettingsError(f"category: {wiki.wiki_id} has no {title}, and no page in it")


def _bounds(since: datetime | None, until: datetime | None) -> dict[str, str]:
    bounds = {} if until is None else {"rvstart": _timestamp(until)}
    return bounds if since is None else bounds | {"rvend": _timestamp(since)}


def _timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def selection_of(  # noqa: PLR0913 - a command's flags
    api: WikiApi,
    *,
    rev_ids: Sequence[int],
    titles: Sequence[str],
    category: str | None,
    namespaces: Sequence[int],
    since: datetime | None,
    until: datetime | None,
    all_revisions: bool,
) -> Selection:
    """Return the selection of a command: the first of ids, titles and category that it names, or the time range."""
    if rev_ids:
        return RevisionList(rev_ids)
    if titles:
        if all_revisions:
            return HistoryOfTitles(api, titles, since=since, until=until)
        return LatestOfTitles(api, titles)
    if category is not None:
        if all_revisions:
            return HistoryOfCategory(api, category, namespaces, since=since, until=until)
        return LatestOfCategory(api, category, namespaces)
    return TimeRange(api, since=since, until=until, namespaces=namespaces)
