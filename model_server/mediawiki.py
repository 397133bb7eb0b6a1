"""Fetch: the MediaWiki client. mwapi in, a revision with its parent out, or an error that says what to do.

One request brings a revision and its parent (``revids=A|B``), or those of several callers at once. Where the
parent is not known beforehand (a direct call), it comes with a second one.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import mwapi
import mwapi.errors
import stamina
from prometheus_client import Histogram

from event_platform.page_change import RevisionRef
from event_platform.wikis import Wiki
from model_server.api_facts import (
    MissingRevision,
    RevisionFacts,
    read_revisions,
)
from model_server.errors import MediaWikiUnavailableError
from model_server.joining import Joiner

RVPROP = "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags|content"
TRANSIENT_CODES = ("maxlag", "ratelimited", "readonly", "internal_api_error")
"""API errors, as prefixes, that a later try may not meet (Manual:Maxlag parameter, API:Etiquette)."""
ATTEMPTS = 2
MAX_RETRY_WAIT = 5.0
MAX_RETRY_AFTER = 3600
MAX_IDS = 50
"""Values that one parameter of the API may have."""
MAX_CONTINUATIONS = MAX_IDS
"""MediaWiki splits an answer over 12.5 MB; at worst each revision comes alone."""


@dataclass(frozen=True, slots=True)
class FetchedRevision:
    """A revision and its parent as the API has them; None is one that it says it does not have."""

    revision: RevisionFacts | None
    parent: RevisionFacts | None


class _UpstreamError(Exception):
    """MediaWiki, or something before it, answered with an error; kept by mwapi as its ``__cause__``."""

    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


async def raise_for_upstream(response: aiohttp.ClientResponse) -> None:
    """Raise on what mwapi does not show: the status, and ``Retry-After`` beside an error inside a 200."""
    retry_after = _seconds(response.headers.get("Retry-After"))
    if response.status != 200:  # noqa: PLR2004 - the Action API answers 200, errors included
        raise _UpstreamError(f"status_{response.status}", retry_after)
    code = response.headers.get("MediaWiki-API-Error", "")
    if code.startswith(TRANSIENT_CODES):
        raise _UpstreamError("api_error", retry_after)


class _Redirectless:
    """The session that mwapi sees: it never follows a redirect to a host that we did not choose."""

    def __init__(self, session: aiohttp.ClientSession, timeout: float) -> None:
        self._session = session
        self._timeout = aiohttp.ClientTimeout(total=timeout)

    def request(self, **arguments: Any) -> Any:
        # mwapi hands its timeout on as a bare number, which aiohttp is about to refuse.
        return self._session.request(
            **arguments | {"allow_redirects": False, "timeout": self._timeout},
        )


class MediaWikiClient:
    """Asks the Action API of any wiki, over one session and its connection pool."""

    def __init__(  # noqa: PLR0913 - plain values from the settings, each named at the call
        self,
        session: aiohttp.ClientSession,
        *,
        user_agent: str,
        timeout: float,
        requests_seconds: Histogram,
        most_calls: int,
        wiki_url: str | None = None,
        force_http: bool = False,
    ) -> None:
        """``session`` must have been made with ``raise_for_status=raise_for_upstream``.

        ``timeout`` is in seconds for one request; a wiki sees at most ``most_calls`` at a time. With
        ``wiki_url`` every request goes there, with the wiki's own host in the ``Host`` header; otherwise to
        the wiki's public host.
        """
        self._session = _Redirectless(session, timeout)
        self._user_agent = user_agent
        self._timeout = timeout
        self._seconds = requests_seconds
        self._wiki_url = wiki_url
        self._scheme = "http" if force_http else "https"
        self._wikis: dict[str, mwapi.AsyncSession] = {}
        self._revisions = Joiner(self._look_up_revisions, most_items=MAX_IDS, most_calls=most_calls)

    async def fetch(self, ref: RevisionRef) -> FetchedRevision:
        """Fetch a revision and its parent.

        Raises :class:`MediaWikiUnavailableError`.
        """
        known = [ref.rev_id] if ref.parent_id is None else [ref.rev_id, ref.parent_id]
        found = await self._revisions.get(ref.wiki, known)
        revision = _told(found, ref.rev_id)
        if ref.parent_id is not None:
            return FetchedRevision(revision, _told(found, ref.parent_id))
        if revision is None or revision.parent_id == 0:
            return FetchedRevision(revision, None)
        parents = await self._revisions.get(ref.wiki, [revision.parent_id])
        return FetchedRevision(revision, _told(parents, revision.parent_id))

    async def _look_up_revisions(
        self, wiki: Wiki, rev_ids: list[int]
    ) -> dict[int, RevisionFacts | MissingRevision]:
        return await self._query(wiki, _revision_query(rev_ids))

    async def _query(
        self, wiki: Wiki, params: Mapping[str, str]
    ) -> dict[int, RevisionFacts | MissingRevision]:
        """Run one query, continued until it is complete, retried once where that can help."""
        async for attempt in stamina.retry_context(
            on=_backoff, attempts=ATTEMPTS, timeout=None, wait_initial=0.1, wait_max=0.5, wait_jitter=0.1
        ):
            with attempt:
                documents = await self._pages(self._api(wiki), params)
                try:
                    return read_revisions(documents)
                except (AttributeError, KeyError, TypeError, ValueError):
                    # What failed to be read may be quoted in the exception: nothing of it may travel further.
                    raise MediaWikiUnavailableError(
                        "the MediaWiki API gave an answer of another shape", reason="malformed"
                    ) from None
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _pages(self, api: mwapi.AsyncSession, params: Mapping[str, str]) -> list[Mapping[str, Any]]:
        documents: list[Mapping[str, Any]] = []
        continuation: Mapping[str, Any] = {}
        while len(documents) <= MAX_CONTINUATIONS:
            document = await self._get(api, {**params, **continuation})
            documents.append(document["query"])
            continuation = document.get("continue", {})
            if not isinstance(continuation, dict):
                break
            if not continuation:
                return documents
        raise MediaWikiUnavailableError("the MediaWiki API did not complete its answer", reason="endless")

    async def _get(self, api: mwapi.AsyncSession, params: Mapping[str, Any]) -> Mapping[str, Any]:
        started = time.perf_counter()
        outcome = "failed"
        try:
            document = await self._document(api, params)
            outcome = "answered"
        except MediaWikiUnavailableError as error:
            outcome = error.reason
            raise
        finally:
            self._seconds.labels(outcome).observe(time.perf_counter() - started)
        return document

    async def _document(self, api: mwapi.AsyncSession, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """Make one request; every way in which it can fail becomes our own error, without foreign text."""
        try:
            document = await api.get(**params)
        except TimeoutError:  # mwapi's own, and that of reading an answer that is not JSON
            raise MediaWikiUnavailableError(
                "the MediaWiki API did not answer in time", reason="timeout"
            ) from None
        except (mwapi.errors.RequestError, mwapi.errors.ConnectionError) as exc:
            raise _unavailable(exc.__cause__) from None
        except (ValueError, TypeError, aiohttp.ClientError):
            # mwapi quotes the answer's body in its ValueError.
            raise MediaWikiUnavailableError(
                "the MediaWiki API did not answer with JSON", reason="not_json"
            ) from None
        if not isinstance(document, dict) or not isinstance(document.get("query"), dict):
            raise MediaWikiUnavailableError("the MediaWiki API answered without a result", reason="malformed")
        return document

    def _api(self, wiki: Wiki) -> mwapi.AsyncSession:
        api = self._wikis.get(wiki.wiki_id)
        if api is None:
            api = mwapi.AsyncSession(
                self._wiki_url or f"{self._scheme}://{wiki.domain}",
                user_agent=self._user_agent,
                formatversion=2,
                timeout=self._timeout,
                session=self._session,
            )
            if self._wiki_url is not None:
                api.headers["Host"] = wiki.domain
            self._wikis[wiki.wiki_id] = api
        return api


def _revision_query(rev_ids: Iterable[int]) -> dict[str, str]:
    return {
        "action": "query",
        "prop": "revisions|info",
        "revids": "|".join(map(str, rev_ids)),
        "rvprop": RVPROP,
        "rvslots": "main",
    }


def _told(found: Mapping[int, RevisionFacts | MissingRevision], rev_id: int) -> RevisionFacts | None:
    """Return a revision, or None if the API says that it has none; silence is no proof of that."""
    told = found.get(rev_id)
    if told is None:
        raise MediaWikiUnavailableError("the MediaWiki API said nothing of the revision", reason="malformed")
    return told if isinstance(told, RevisionFacts) else None


def _unavailable(cause: BaseException | None) -> MediaWikiUnavailableError:
    if isinstance(cause, _UpstreamError):
        return MediaWikiUnavailableError(
            f"the MediaWiki API answered with {cause.reason}",
            reason="rate_limited" if cause.reason in ("status_429", "api_error") else "http_error",
            retry_after=cause.retry_after,
        )
    if isinstance(cause, mwapi.errors.APIError):  # not even its code: it is the other side's text
        return MediaWikiUnavailableError("the MediaWiki API answered with an error", reason="api_error")
    return MediaWikiUnavailableError("the MediaWiki API could not be reached", reason="unreachable")


def _backoff(error: Exception) -> bool | float:
    """Retry what can get better; a ``Retry-After`` that is too long for one request goes to the caller."""
    if not isinstance(error, MediaWikiUnavailableError):
        return False
    if error.told_retry_after is None:
        return True
    return False if error.told_retry_after > MAX_RETRY_WAIT else error.told_retry_after


def _seconds(header: str | None) -> float | None:
    """Read a ``Retry-After`` in seconds, at most an hour; a date, which no MediaWiki sends, counts as absent."""
    if header is None or not header.isdecimal():
        return None
    return float(min(int(header[:9]), MAX_RETRY_AFTER)) if len(header) < 9 else float(MAX_RETRY_AFTER)  # noqa: PLR2004
