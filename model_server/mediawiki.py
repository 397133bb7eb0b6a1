"""Fetch: the MediaWiki client. mwapi in, a revision with its parent out, or an error that says what to do.

One request brings a revision and its parent (``revids=A|B``), or those of several callers at once. Where the
parent is not known beforehand (a direct call), it comes with a second one. A request that fails is asked once more
where that can help; one of several callers in parts, so that a revision which MediaWiki cannot give fails only its own.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import mwapi
import mwapi.errors
from prometheus_client import Histogram

from model_server.errors import MediaWikiUnavailableError
from model_server.mediawiki_faults import endless, how_again, unavailable
from model_server.metrics import by_label
from model_server.mwapi_session import Document, MwapiSession
from revertrisk.event_platform.page_change import RevisionRef
from revertrisk.runtime.coalescing import Coalescer
from revertrisk.runtime.http_client import HttpClient
from revertrisk.runtime.joined_call import Again
from revertrisk.wiki.revision_facts import (
    Documents,
    MissingRevision,
    RevisionFacts,
    read_first_edit,
    read_revisions,
)
from revertrisk.wiki.table import Wiki

API_PATH = "/w/api.php"
REVISIONS = {
    "action": "query",
    "prop": "revisions|info",
    "rvprop": "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags|content",
    "rvslots": "main",
}
"""The query for revisions, but for their ids."""
FIRST_EDIT = {
    "action": "query",
    "prop": "revisions",
    "rvprop": "timestamp",
    "rvlimit": "1",
    "rvdir": "newer",
}
"""The query for a page's first edit, but for its id."""
MAX_IDS = 50
"""Values that one parameter of the API may have."""
MAX_JOINED_BYTES = 2**20
"""Texts asked for together, as far as their events tell: no one else waits for a page larger than this."""
MAX_PARTS_PER_ID = 2
"""MediaWiki splits an answer over 12.5 MB; at worst each revision and each page's own facts come alone."""
MAX_ANSWER_BYTES = 128 * 2**20
"""Of all parts of an answer: more than MediaWiki's largest, 12.5 MB of text, of which JSON may make six bytes each."""


@dataclass(frozen=True, slots=True)
class FetchedRevision:
    """A revision and its parent as the API has them; None is one that it says it does not have."""

    revision: RevisionFacts | None
    parent: RevisionFacts | None


@dataclass(frozen=True, slots=True, eq=False)
class _Api:
    """The Action API of one wiki."""

    kept: mwapi.AsyncSession
    """Over kept connections."""
    fresh: mwapi.AsyncSession
    """Over a new connection for each query: mwapi's own words have no place to ask for one."""


Found = Mapping[int, RevisionFacts | MissingRevision]
Facts = TypeVar("Facts")


class MediaWikiClient:
    """Asks the Action API of any wiki, over one pool of connections."""

    def __init__(  # noqa: PLR0913 - plain values from the settings, each named at the call
        self,
        http: HttpClient,
        *,
        user_agent: str,
        timeout: float,
        requests_seconds: Histogram,
        max_calls: int,
        wiki_url: str | None = None,
        force_http: bool = False,
    ) -> None:
        """``timeout`` is in seconds for one request; a wiki sees at most ``max_calls`` at a time.

        With ``wiki_url`` every request goes there, with the wiki's own host in the ``Host`` header; otherwise
        to the wiki's public host.
        """
        self._http = http
        self._user_agent = user_agent
        self._timeout = timeout
        self._seconds = by_label(requests_seconds)
        self._wiki_url = wiki_url
        self._scheme = "http" if force_http else "https"
        self._wikis: dict[str, _Api] = {}
        self._revisions = Coalescer(
            self._look_up,
            max_items=MAX_IDS,
            max_size=MAX_JOINED_BYTES,
            max_calls=max_calls,
            again=how_again,
        )

    async def fetch(self, ref: RevisionRef, deadline: float) -> FetchedRevision:
        """Fetch a revision and its parent before the deadline (event loop time, seconds).

        Raises:
            MediaWikiUnavailableError: the API gave no answer that can be used.

        """
        known = (ref.rev_id,) if ref.parent_id is None else (ref.rev_id, ref.parent_id)
        found = await self._find(ref.wiki, known, ref.text_bytes, deadline)
        revision = _revision_in(found, ref.rev_id)
        if ref.parent_id is not None:
            return FetchedRevision(revision, _revision_in(found, ref.parent_id))
        if revision is None or revision.parent_id == 0:
            return FetchedRevision(revision, None)
        parents = await self._find(ref.wiki, (revision.parent_id,), revision.size, deadline)
        return FetchedRevision(revision, _revision_in(parents, revision.parent_id))

    async def _find(self, wiki: Wiki, rev_ids: tuple[int, ...], text_bytes: int, deadline: float) -> Found:
        try:
            return await self._revisions.get(self._api(wiki), rev_ids, deadline=deadline, size=text_bytes)
        except TimeoutError:
            raise MediaWikiUnavailableError(
                "the MediaWiki API did not answer in time", reason="deadline"
            ) from None

    async def first_edited_at(self, wiki: Wiki, page_id: int) -> datetime:
        """Return the time of a page's first edit.

        Raises:
            MediaWikiUnavailableError: the API gave no answer that can be used.

        """
        api, params = self._api(wiki), {**FIRST_EDIT, "pageids": str(page_id)}
        try:
            return await self._read(api, params, read_first_edit, max_answers=1)
        except MediaWikiUnavailableError as error:
            again, wait = how_again(error)
            if again is Again.NOTHING:
                raise
        await asyncio.sleep(wait)
        return await self._read(api, params, read_first_edit, max_answers=1, fresh=True)

    async def _look_up(self, api: _Api, rev_ids: list[int], again: bool) -> Found:
        params = {**REVISIONS, "revids": "|".join(map(str, rev_ids))}
        parts = 1 + MAX_PARTS_PER_ID * len(rev_ids)
        return await self._read(api, params, read_revisions, max_answers=parts, fresh=again)

    async def _read(
        self,
        api: _Api,
        params: Mapping[str, str],
        read: Callable[[Documents], Facts],
        *,
        max_answers: int,
        fresh: bool = False,
    ) -> Facts:
        """Run a query once and read the facts out of its answer, which may come in several parts."""
        document = await self._get(api.fresh if fresh else api.kept, params)
        documents: Documents = [document["query"]]
        size = document.size
        while (continuation := document.get("continue")) and len(documents) < max_answers:
            if not isinstance(continuation, dict) or size > MAX_ANSWER_BYTES:
                raise endless()
            document = await self._get(api.kept, {**params, **continuation})
            documents.append(document["query"])
            size += document.size
        if continuation and max_answers > 1:
            raise endless()
        try:
            return read(documents)
        except (AttributeError, KeyError, TypeError, ValueError):
            # What failed to be read may be quoted in the exception: nothing of it may travel further.
            raise MediaWikiUnavailableError(
                "the MediaWiki API gave an answer of another shape", reason="malformed"
            ) from None

    async def _get(self, api: mwapi.AsyncSession, params: Mapping[str, Any]) -> Document:
        started = time.perf_counter()
        outcome = "failed"
        try:
            document = await self._document(api, params)
            outcome = "answered"
        except MediaWikiUnavailableError as error:
            outcome = error.reason
            raise
        finally:
            self._seconds(outcome).observe(time.perf_counter() - started)
        return document

    async def _document(self, api: mwapi.AsyncSession, params: Mapping[str, Any]) -> Document:
        """Make one request; every way in which it can fail becomes our own error, without foreign text."""
        try:
            document = await api.request("GET", params)
        except TimeoutError:  # mwapi's own is one of these
            raise MediaWikiUnavailableError(
                "the MediaWiki API did not answer in time", reason="timeout"
            ) from None
        except mwapi.errors.RequestError as exc:
            raise unavailable(exc.__cause__) from None
        except (ValueError, TypeError):
            raise MediaWikiUnavailableError(
                "the MediaWiki API did not answer with JSON", reason="not_json"
            ) from None
        if not isinstance(document, Document) or not isinstance(document.get("query"), dict):
            raise MediaWikiUnavailableError("the MediaWiki API answered without a result", reason="malformed")
        return document

    def _api(self, wiki: Wiki) -> _Api:
        api = self._wikis.get(wiki.wiki_id)
        if api is None:
            api = _Api(self._session(wiki, fresh=False), self._session(wiki, fresh=True))
            self._wikis[wiki.wiki_id] = api
        return api

    def _session(self, wiki: Wiki, *, fresh: bool) -> mwapi.AsyncSession:
        host = self._wiki_url or f"{self._scheme}://{wiki.domain}"
        headers = {"Host": wiki.domain}
        if self._wiki_url is None:
            # A public host is asked to compress; a proxy next door would only cost both sides CPU.
            headers["Accept-Encoding"] = "gzip"
        headers["User-Agent"] = self._user_agent
        return mwapi.AsyncSession(
            host,
            user_agent=self._user_agent,
            formatversion=2,
            api_path=API_PATH,
            timeout=self._timeout,
            session=MwapiSession(
                self._http.endpoint("GET", host + API_PATH, headers), timeout=self._timeout, fresh=fresh
            ),
        )


def _revision_in(found: Found, rev_id: int) -> RevisionFacts | None:
    """Return a revision, or None if the API says that it has none; silence is no proof of that."""
    answer = found.get(rev_id)
    if answer is None:
        raise MediaWikiUnavailableError("the MediaWiki API said nothing of the revision", reason="malformed")
    return answer if isinstance(answer, RevisionFacts) else None
