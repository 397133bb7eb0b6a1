"""The HTTP session for mwapi: our HTTP client, with errors for failures that mwapi itself does not report.

mwapi returns neither the status nor the headers. So a failure in them becomes an error here, which mwapi keeps as the
``__cause__`` of its own error. mwapi also quotes an answer that is not JSON, so its text is withheld from it.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote_plus, urlencode

import orjson

from revertrisk.runtime.http_client import Endpoint
from revertrisk.runtime.http_connection import Response
from revertrisk.wiki.revision_facts import BUSY_CODES

MAX_RETRY_AFTER_S = 3600
API_ERRORS_STATUS = 200
"""The status of every answer of the Action API, including errors."""


class UpstreamError(Exception):
    """MediaWiki, or a proxy in front of it, answered with an error."""

    def __init__(self, reason: str, retry_after_s: float | None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


class MwapiSession:
    """The part of an aiohttp session that mwapi uses, for one wiki; it follows no redirect."""

    def __init__(self, api: Endpoint, *, timeout: float, fresh: bool = False) -> None:
        """Take a wiki's endpoint and the timeout of a query in seconds; with ``fresh`` each uses a new connection."""
        self._api = api
        self._timeout = timeout
        self._fresh = fresh

    def request(self, *, params: Mapping[str, Any], **_: Any) -> "_Exchange":
        """Return a GET as a context manager, which mwapi enters."""
        # Everything except the ids is the same in nearly every query, so its encoding is cached.
        query = _encoded(tuple([param for param in params.items() if param[0] != "revids"]))
        if "revids" in params:
            query += f"&revids={_quoted_ids(params['revids'])}"
        return _Exchange(self._api, query, self._timeout, fresh=self._fresh)


@lru_cache(maxsize=16)
def _encoded(params: tuple[tuple[str, object], ...]) -> str:
    return urlencode(params)


def _quoted_ids(ids: object) -> str:
    # The same as with a bar that is not safe, for which `quote_plus` takes all of a list letter by letter.
    return quote_plus(str(ids), safe="|").replace("|", "%7C")


class Document(dict[str, Any]):
    """An answer's document, with its size."""

    size: int = 0
    """The bytes of the answer."""


class _Exchange:
    """One request and its answer, with the methods that mwapi uses."""

    __slots__ = ("_api", "_body", "_fresh", "_query", "_timeout")

    def __init__(self, api: Endpoint, query: str, timeout: float, *, fresh: bool) -> None:
        self._api = api
        self._query = query
        self._timeout = timeout
        self._fresh = fresh
        self._body = b""

    async def __aenter__(self) -> Self:
        """Send the request.

        Raises:
            UpstreamError: MediaWiki answered with an error.
            HttpError, TimeoutError: from the HTTP client.

        """
        answer = await self._api.send(query=self._query, timeout=self._timeout, fresh=self._fresh)
        _raise_for_upstream(answer)
        self._body = answer.body
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: the whole answer has been read."""

    async def json(self) -> Any:
        """Return the document.

        Raises:
            ValueError: the answer is not JSON.

        """
        document = orjson.loads(self._body)
        if isinstance(document, dict):
            document = Document(document)
            document.size = len(self._body)
        return document

    async def text(self) -> str:
        """Return "", since mwapi would quote the text in its error."""
        return ""


def _raise_for_upstream(answer: Response) -> None:
    headers = answer.headers
    if answer.status != API_ERRORS_STATUS:
        raise UpstreamError(f"status_{answer.status}", _seconds(headers.get("retry-after")))
    if headers.get("mediawiki-api-error", "").startswith(BUSY_CODES):
        raise UpstreamError("api_error", _seconds(headers.get("retry-after")))


def _seconds(header: str | None) -> float | None:
    """Return a ``Retry-After`` in seconds, at most an hour; a date, which MediaWiki never sends, counts as absent."""
    if header is None or not header.isdecimal():
        return None
    return float(min(int(header[:9]), MAX_RETRY_AFTER_S)) if len(header) < 9 else float(MAX_RETRY_AFTER_S)  # noqa: PLR2004
