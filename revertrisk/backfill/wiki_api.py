"""Sends requests to a wiki's Action API: within the rate limit, with ``maxlag``, and with the pauses it asks for.

https://www.mediawiki.org/wiki/API:Etiquette and Manual:Maxlag_parameter.
"""

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.backfill.limiter import RateLimiter
from revertrisk.dispatcher.rule_language.rule import RetrySchedule
from revertrisk.runtime.headers import retry_after_s
from revertrisk.runtime.proxies import proxy_of
from revertrisk.wiki.revision_facts import PUBLIC_CONNECTIONS, TRANSIENT_CODES
from revertrisk.wiki.table import Wiki

log = logging.getLogger(__name__)

MAXLAG_S: Final = 5
"""The wiki refuses a request while its replicas lag more. Manual:Maxlag_parameter recommends 5."""
TIMEOUT_S: Final = 60.0
"""For one request."""
RETRIES: Final = RetrySchedule(limit=10, delay_s=1.0, factor=2.0)
"""8 minutes of pauses in all, with `MAX_OWN_PAUSE_S`; more if a wiki asks for longer pauses."""
MAX_OWN_PAUSE_S: Final = 120.0
"""The longest pause that the wiki did not ask for."""
MAX_PAUSE_S: Final = 3600.0
"""A wiki that asks for a longer pause ends the run; the same command continues it later."""
_LISTS: Final = ("pages", "allrevisions", "interwiki")
"""The lists in an answer that are read."""
_PATH: Final = "/w/api.php"
_HEADERS: Final = {"Promise-Non-Write-API-Action": "true"}
"""With this header the nearest data centre answers a POST as it answers a GET. POST, because 50 titles can be too long
for a URL.
"""


class WikiError(Exception):
    """A wiki did not answer, or refused; the message has its name and the reason, but no text that the wiki sent."""


class WikiRefusedError(WikiError):
    """The API answered the query with an error, such as an invalid title; a retry cannot help."""


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a request failed, and the pause that the wiki asked for (Retry-After), in seconds."""

    reason: str
    asked_s: float | None = None
    is_final: bool = False
    is_api_error: bool = False
    """Whether the API answered the query with an error."""


class WikiApi:
    """Queries any wiki. Calls are not queued: for one request at a time, await each call."""

    def __init__(
        self, session: aiohttp.ClientSession, limiter: RateLimiter, *, wiki_url: str | None = None
    ) -> None:
        """Take the parts; ``wiki_url`` is a MediaWiki for all wikis, with each wiki's host in the ``Host`` header."""
        self._session = session
        self._limiter = limiter
        self._wiki_url = wiki_url
        self.requests = 0
        """The number of requests, including failed ones."""

    async def query(self, wiki: Wiki, parameters: Mapping[str, str]) -> dict[str, Any]:
        """Return the answer to one ``action=query``, including its ``continue``.

        Raises:
            WikiError: the wiki refused it, no try got an answer, or the answer continues at its own start.

        """
        retry = 0
        while True:
            result = await self._try(wiki, parameters)
            if isinstance(result, dict):
                following = result.get("continue")
                if following and following.items() <= parameters.items():
                    raise WikiError(f"{wiki.wiki_id}: the MediaWiki API never completes its answer")
                return result
            pause = RETRIES.pause_s(retry, retry_after_s=None, longest_s=0)
            pause = max(min(pause, MAX_OWN_PAUSE_S), result.asked_s or 0.0)
            if result.is_final or retry == RETRIES.limit or pause > MAX_PAUSE_S:
                kind = WikiRefusedError if result.is_api_error and result.is_final else WikiError
                raise kind(f"{wiki.wiki_id}: the MediaWiki API {result.reason}")
            retry += 1
            log.info("%s: the MediaWiki API %s: pausing for %.0f s", wiki.wiki_id, result.reason, pause)
            self._limiter.pause(pause)

    async def _try(self, wiki: Wiki, parameters: Mapping[str, str]) -> dict[str, Any] | _Failure:
        form = {"action": "query", "format": "json", "formatversion": "2", "maxlag": str(MAXLAG_S)}
        headers = dict(_HEADERS) if self._wiki_url is None else {**_HEADERS, "Host": wiki.domain}
        async with self._limiter.place():
            self.requests += 1
            url = (self._wiki_url or f"https://{wiki.domain}") + _PATH
            try:
                async with self._session.post(
                    url,
                    proxy=proxy_of(url),
                    data={**form, **parameters},
                    headers=headers,
                    timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                    allow_redirects=False,  # a redirect could lead to any host
                ) as response:
                    asked_s = retry_after_s(response.headers.get("Retry-After"), datetime.now(UTC))
                    return _read(response.status, asked_s, await response.read())
            except TimeoutError:
                return _Failure("did not answer in time")
            except aiohttp.ClientSSLError:
                return _Failure("has a certificate that cannot be trusted", is_final=True)
            except aiohttp.ClientError:
                return _Failure("could not be reached")


@asynccontextmanager
async def open_wiki_api(
    limiter: RateLimiter, *, user_agent: str, wiki_url: str | None
) -> AsyncIterator[WikiApi]:
    """Open a client for wikis, without cookies, with at most `PUBLIC_CONNECTIONS` connections to one host."""
    connector = aiohttp.TCPConnector(limit=0, limit_per_host=PUBLIC_CONNECTIONS)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": user_agent}
    ) as session:
        yield WikiApi(session, limiter, wiki_url=None if wiki_url is None else wiki_url.rstrip("/"))


def _read(status: int, asked_s: float | None, body: bytes) -> dict[str, Any] | _Failure:
    if status != HTTPStatus.OK:
        may_pass = status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR
        return _Failure(f"answered with status {status}", asked_s, is_final=not may_pass)
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        document = None
    match document:
        case {"error": {"code": str(code)}}:
            may_pass = code.startswith(TRANSIENT_CODES)
            name = code if code.isascii() and code.replace("_", "").replace("-", "").isalnum() else "an error"
            reason = f"answered with {name[:64]}"
            return _Failure(reason, asked_s, is_final=not may_pass, is_api_error=True)
        case dict() if _is_well_formed(document):
            return document
        case dict():
            return _Failure("gave an answer in an unexpected form", is_final=True)
        case _:
            return _Failure("did not answer with JSON", asked_s)


def _is_well_formed(document: Mapping[str, Any]) -> bool:
    """Return whether lists are lists of objects and ``continue`` holds parameters, as the readers require."""
    query, following = document.get("query", {}), document.get("continue", {})
    if not isinstance(query, dict) or not isinstance(following, dict):
        return False
    lists = [query.get(name, []) for name in _LISTS]
    return all(
        isinstance(listed, list) and all(isinstance(each, dict) and _is_page(each) for each in listed)
        for listed in lists
    ) and all(
        name.isascii() and name.isalnum() and isinstance(value, str | int)
        for name, value in following.items()
    )


def _is_page(page: Mapping[str, Any]) -> bool:
    return isinstance(page.get("pageid"), int | None) and isinstance(page.get("revisions", []), list)
