"""Make one HTTP try and say in our own terms what came of it."""

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
MAX_ANSWER_BYTES = 1024 * 1024

_OUTCOME = re.compile(r"produced|scored_only|skipped:[a-z0-9_]{1,64}")
_CODE = re.compile(r"[a-z0-9_]{1,64}")
_DONE = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.NO_CONTENT})
"""202 has only been noted down and 207 is done in part: neither says that the event is taken care of."""


class Failure(StrEnum):
    """Why a try got no answer."""

    CONNECTION_REFUSED = "connection_refused"
    CONNECTION_RESET = "connection_reset"
    CONNECTION_FAILED = "connection_failed"
    """No route, no such host, and the like."""
    TIMEOUT = "timeout"
    TLS_ERROR = "tls_error"
    INVALID_ANSWER = "invalid_answer"
    """What came back is not HTTP."""

    @property
    def retryable(self) -> bool:
        """Whether another try can help: a bad certificate or a wrong protocol stays as it is."""
        return self not in {Failure.TLS_ERROR, Failure.INVALID_ANSWER}


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What a server said."""

    status: int
    outcome: str | None = None
    """``produced``, ``scored_only`` or ``skipped:<reason>``, where it said so."""
    code: str | None = None
    """The ``code`` of an error's JSON body."""
    retry_after_s: float | None = None

    @property
    def done(self) -> bool:
        """Whether the event is taken care of."""
        return self.status in _DONE


class Sender(Protocol):
    """What makes the tries of a request."""

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer | Failure:
        """Make one try, the first one (0) or the n-th retry, and say what came of it."""
        ...


class ServiceClient:
    """Sends requests over one shared session."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer | Failure:
        """Send a request once, as the first try (0) or the n-th retry, and read the whole answer."""
        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers=request.headers_for(retry),
                timeout=aiohttp.ClientTimeout(total=timeout_s),
                allow_redirects=False,  # an address that moved is a rule to correct; it is final, as upstream
            ) as response:
                body = await _read(response)
                return ServiceAnswer(
                    status=response.status,
                    outcome=_outcome(response.headers.get(OUTCOME_HEADER)),
                    code=None if response.ok else _code(body),
                    retry_after_s=retry_after_s(response.headers.get("retry-after"), datetime.now(UTC)),
                )
        except TimeoutError:
            return Failure.TIMEOUT
        except aiohttp.ClientError as exc:
            return _failure(exc)


def new_session(user_agent: str) -> aiohttp.ClientSession:
    """Make the one session of a dispatcher: the rules bound its connections, and it keeps no cookies."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"user-agent": user_agent},
    )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer to its end, so that the connection can be used again, unless it is absurdly long."""
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
    # Order matters: aiohttp's certificate and TLS errors are connector errors, and those are OS errors.
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
    # uvloop and asyncio report several addresses of one name as one error without an errno.
    return isinstance(error, ConnectionRefusedError) or "Connect call failed" in str(error)
