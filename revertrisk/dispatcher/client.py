"""Sends one HTTP request and returns the answer, or the reason why there is none."""

import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Protocol

import aiohttp
import orjson

from revertrisk.dispatcher.rule_language.request import Request
from revertrisk.runtime.headers import retry_after_s

OUTCOME_HEADER = "x-revertrisk-outcome"
REPEATED_HEADER = "x-revertrisk-repeated"
"""The server has it in an answer from its record of accepted events: it emitted nothing for this request."""
MAX_ANSWER_BYTES = 1024 * 1024

_OUTCOME = re.compile(r"produced|scored_only|skipped:[a-z0-9_]{1,64}")
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_DONE = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
"""Without 202 (accepted, not done) and 207 (done in part): the event may not be processed."""


class Failure(StrEnum):
    """Why a try got no answer."""

    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECTION_FAILED = "connection_failed"
    """There is no route, the host is unknown, or similar."""
    TIMEOUT = "timeout"
    TLS_ERROR = "tls_error"
    INVALID_ANSWER = "invalid_answer"
    """The answer is not HTTP."""

    @property
    def retryable(self) -> bool:
        """Whether another try can succeed; it cannot after an invalid certificate or a wrong protocol."""
        return self not in {Failure.TLS_ERROR, Failure.INVALID_ANSWER}


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """The answer of a server."""

    status: int
    outcome: str | None = None
    """``produced``, ``scored_only`` or ``skipped:<reason>``; None without the header."""
    code: str | None = None
    """The ``code`` of an error's JSON body."""
    retry_after_s: float | None = None
    repeated: bool = False
    """Whether the server answered from its record of accepted events, and emitted nothing."""

    @property
    def done(self) -> bool:
        """Whether the event is processed."""
        return self.status in _DONE


class Sender(Protocol):
    """Sends requests."""

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer | Failure:
        """Send a request once, as the first try (0) or the n-th retry, and return the answer or the failure."""
        ...


class ServiceClient:
    """Sends requests over one shared session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer | Failure:
        """Send a request once, as the first try (0) or the n-th retry, and read the whole answer."""
        try:
            async with (
                self._session.request(
                    request.method,
                    request.url,
                    data=request.body,
                    headers=request.headers_for(retry),
                    timeout=aiohttp.ClientTimeout(total=timeout_s),
                    allow_redirects=False,  # as in change-propagation, a redirect is final: the rule must be corrected
                ) as response
            ):
                body = await _read(response)
                return ServiceAnswer(
                    status=response.status,
                    outcome=_outcome(response.headers.get(OUTCOME_HEADER)),
                    code=None if response.ok else _code(body),
                    retry_after_s=retry_after_s(response.headers.get("retry-after"), datetime.now(UTC)),
                    repeated=response.headers.get(REPEATED_HEADER) == "1",
                )
        except TimeoutError:
            return Failure.TIMEOUT
        except aiohttp.ClientError as exc:
            return _failure(exc)


def new_session(user_agent: str) -> aiohttp.ClientSession:
    """Return a session for a dispatcher. It has no limit of connections, since the rules have one, and no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": user_agent},
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end, so that the connection can be reused; close it beyond `MAX_ANSWER_BYTES`."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            response.close()
            break
    return bytes(body)


def _outcome(value: str | None) -> str | None:
    return value if value is not None and _OUTCOME.fullmatch(value) else None


def _code(body: bytes) -> str | None:
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    code = answer.get("code") if isinstance(answer, dict) else None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _failure(error: aiohttp.ClientError) -> Failure:
    # The order matters: aiohttp's TLS errors are connector errors, and connector errors are OS errors.
    match error:
        case aiohttp.ClientSSLError():
            return Failure.TLS_ERROR
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, ssl.SSLError):
            return Failure.TLS_ERROR
        case aiohttp.ClientConnectorError() if _refused(error.os_error):
            return Failure.CONNECTION_REFUSED
        case aiohttp.ClientConnectorError():
            return Failure.CONNECTION_FAILED
        case aiohttp.ClientOSError() | aiohttp.ServerDisconnectedError() | aiohttp.ClientPayloadError():
            return Failure.CONNECTION_RESET
        case _:
            return Failure.INVALID_ANSWER


def _refused(error: OSError) -> bool:
    # If a name has several addresses, uvloop and asyncio raise one error without an errno for all of them.
    return isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error)
