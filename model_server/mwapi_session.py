"""The session that mwapi sees: our HTTP client, with the failures that mwapi itself does not show.

mwapi hands out neither a status nor a header, so what they say becomes an error here, which mwapi keeps as the
``__cause__`` of its own. It also quotes an answer that is not JSON: it is given nothing to quote.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus, urlsplit

import orjson

from event_platform.action_api import TRANSIENT_CODES
from event_platform.http_client import HttpClient, Origin, Response, request_head

MAX_RETRY_AFTER = 3600
API_ERRORS_STATUS = 200
"""The Action API answers so to everything, errors included."""


_quote = lru_cache(maxsize=1000)(quote_plus)
"""All but the ids is the same in every query."""


class UpstreamError(Exception):
    """MediaWiki, or something before it, answered with an error; ``retry_after`` is in seconds."""

    def __init__(self, reason: str, retry_after: float | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


class MwapiSession:
    """What mwapi asks of an aiohttp session, for one wiki; it never follows a redirect to another host."""

    def __init__(self, http: HttpClient, host: str, *, timeout: float, headers: Mapping[str, str]) -> None:
        """``host`` is the base URL that mwapi was given; ``headers`` come before mwapi's own."""
        self._http = http
        self._origin = Origin.of(host)
        self._timeout = timeout
        self._headers = headers

    def request(
        self, *, method: str, url: str, params: Mapping[str, Any], headers: Mapping[str, str], **_: Any
    ) -> "_Exchange":
        """Prepare a request without a body; mwapi enters it as a context."""
        # The names as well: those of a continuation are the other side's words.
        query = "&".join([f"{_quote(name)}={_quote(str(value))}" for name, value in params.items()])
        target = f"{urlsplit(url).path}?{query}"
        message = request_head(method, target, {**self._headers, **headers})
        return _Exchange(self._http, self._origin, message, self._timeout)


class _Exchange:
    """One request and its answer, as far as mwapi looks at them."""

    def __init__(self, http: HttpClient, origin: Origin, message: bytes, timeout: float) -> None:
        self._http = http
        self._origin = origin
        self._message = message
        self._timeout = timeout
        self._body = b""

    async def __aenter__(self) -> Self:
        """Make the request; raises :class:`UpstreamError` and what the HTTP client raises."""
        answer = await self._http.send(self._origin, self._message, self._timeout)
        _raise_for_upstream(answer)
        self._body = answer.body
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is left to be closed."""

    async def json(self) -> Any:
        """Return the document; raises ValueError."""
        return orjson.loads(self._body)

    async def text(self) -> str:
        """Return what mwapi may quote: nothing."""
        return ""


def _raise_for_upstream(answer: Response) -> None:
    retry_after = _seconds(answer.headers.get("retry-after"))
    if answer.status != API_ERRORS_STATUS:
        raise UpstreamError(f"status_{answer.status}", retry_after)
    code = answer.headers.get("mediawiki-api-error", "")
    if code.startswith(TRANSIENT_CODES):
        raise UpstreamError("api_error", retry_after)


def _seconds(header: str | None) -> float | None:
    """Read a ``Retry-After`` in seconds, at most an hour; a date, which no MediaWiki sends, counts as absent."""
    if header is None or not header.isdecimal():
        return None
    return float(min(int(header[:9]), MAX_RETRY_AFTER)) if len(header) < 9 else float(MAX_RETRY_AFTER)  # noqa: PLR2004
