"""The fetch step: a MediaWiki client, over mwapi, that returns a revision with its parent.

One request gets a revision and its parent (``revids=A|B``), or those of several callers. If the parent's id is not
known (a direct call), the parent takes a second request. A request that fails is repeated once if that can help. One
for several callers is repeated in parts, so that a revision that MediaWiki cannot deliver fails only its own callers.
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
"""The query for revisions, without their ids."""
FIRST_EDIT = {
    "action": "query",
    "prop": "revisions",
    "rvprop": "timestamp",
    "rvlimit": "1",
    "rvdir": "newer",
}
"""The query for a page's first edit, without its id."""
MAX_IDS = 50
"""The most values of one parameter of the API."""
MAX_JOINED_BYTES = 2**20
"""The most bytes of texts in one query, by the sizes in their events; so no caller waits for another's larger page."""
MAX_PARTS_PER_ID = 2
"""MediaWiki splits an answer over 12.5 MB. In the worst case each revision, and each page's own facts, is one part."""
MAX_ANSWER_BYTES = 128 * 2**20
"""The limit of all parts of an answer. It is above MediaWiki's largest: 12.5 MB of text, with up to six bytes of JSON
for each."""


@dataclass(frozen=True, slots=True)
class FetchedRevision:
    """A revision and its parent in the API; None is one that the API reports as missing."""

    revision: RevisionFacts | None
    parent: RevisionFacts | None


@dataclass(frozen=True, slots=True, eq=False)
class _Api:
    """The Action API of one wiki."""

    kept: mwapi.AsyncSession
    """Uses kept connections."""
    fresh: mwapi.AsyncSession
    """Uses a new connection for each query; mwapi's methods have no parameter for that."""


Found = Mapping[int, RevisionFacts | MissingRevision]
Facts = TypeVar("Facts")


class MediaWikiClient:
    """Queries the Action API of any wiki, over one pool of connections."""

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
        """Take the parts; ``timeout`` is in seconds for one request, and a wiki gets at most ``max_calls`` at a time.

        With ``wiki_url`` every request is sent there, with the wiki's own host in the ``Host`` header; otherwise it is
        sent to the wiki's public host.
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
            MediaWikiUnavailableError: the API gave no valid answer.

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
            MediaWikiUnavailableError: the API gave no valid answer.

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
        """Send a query once, and return the facts from its answer, which can come in several parts."""
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
            # The exception can quote the answer, so it is dropped.
            raise MediaWikiUnavailableError(
                "the MediaWiki API gave an answer in an unexpected form", reason="malformed"
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
        """Send one request; every failure becomes our own error, without text of the answer."""
        try:
            document = await api.request("GET", params)
        except TimeoutError:  # mwapi's own timeout error is a subclass
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
            # Only public hosts are asked to compress: with a proxy in the same network it would only cost CPU time.
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
    """Return a revision, or None if the API reports it as missing.

    If the answer does not mention it, that is an error and no proof that it is missing.
    """
    answer = found.get(rev_id)
    if answer is None:
        raise MediaWikiUnavailableError(
            "the MediaWiki API's answer does not contain the revision", reason="malformed"
        )
    return answer if isinstance(answer, RevisionFacts) else None
