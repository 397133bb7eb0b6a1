"""Follows a stream of Server-Sent Events without end, across disconnects.

Servers such as EventStreams end each connection after about fifteen minutes, and networks can end it at any time. Each
event has an id to resume with; the caller decides what is sent back. An event that a disconnect cut off is not yielded.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final

import aiohttp

from revertrisk.runtime.headers import retry_after_s
from revertrisk.runtime.proxies import proxy_of
from revertrisk.streams.sse import ServerSentEvent, ServerSentEventParser

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S: Final = 120.0
"""A connection without data for this long is considered broken; EventStreams writes at least comments."""
CONNECT_TIMEOUT_S: Final = 10.0
FIRST_PAUSE_S: Final = 1.0
MAX_PAUSE_S: Final = 60.0
_MAX_DOUBLINGS: Final = 10
_TRANSIENT: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class StreamRefusedError(Exception):
    """The server does not serve this stream, or not from this position; a retry cannot help."""

    def __init__(self, status: int, content_type: str, url: str) -> None:
        if status == HTTPStatus.OK:
            super().__init__(f"expected a stream of events, not {content_type}: {url}")
        else:
            super().__init__(f"the server has no such stream, or refuses it ({status}): {url}")
        self.status = status


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """The parameters of the request of one connection."""

    last_event_id: str | None = None
    """Sent as ``Last-Event-ID``."""
    query: Mapping[str, str] = field(default_factory=dict)


class _ConnectionEndedError(Exception):
    """A connection ended; the message has the reason, and the next one starts after at least ``asked_s`` seconds."""

    def __init__(self, how: str, asked_s: float | None = None, *, is_failure: bool = True) -> None:
        super().__init__(how)
        self.is_failure = is_failure
        """False if the server ended the connection as servers do after some minutes."""
        self.asked_s = None if asked_s is None else min(asked_s, MAX_PAUSE_S)


async def follow(  # noqa: PLR0913 - the options of a client
    session: aiohttp.ClientSession,
    url: str,
    ask: Callable[[str], StreamRequest],
    *,
    last_event_id: str = "",
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    first_pause_s: float = FIRST_PAUSE_S,
    on_reconnect: Callable[[], None] | None = None,
    on_open: Callable[[], None] | None = None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the messages of a stream without end; connect again when a connection ends or breaks.

    ``ask`` makes the request of a connection from the id of the last event, which is empty before the first. The pause
    after a connection with events is random up to ``first_pause_s``; this limit doubles with each connection without.
    ``on_reconnect`` is called when a connection has ended, ``on_open`` when the server has accepted one.

    It uses the proxy in the environment, if there is one. The first failed connection without an event is logged as a
    warning, and once more after events have come; all others are logged as information.

    Raises:
        ProxyError: the proxy in the environment is invalid.
        StreamRefusedError: the server refuses the request, and a retry cannot help.

    """
    connections_without_events = 0
    has_warned = False
    while True:
        has_events = False
        try:
            connection = _connection(session, url, ask(last_event_id), last_event_id, idle_timeout_s, on_open)
            async with aclosing(connection) as events:
                async for event in events:
                    connections_without_events = 0
                    has_events, has_warned = True, False
                    last_event_id = event.last_event_id
                    if event.type == "message":
                        yield event
                    else:  # EventStreams reports its own errors so, and ends the connection
                        log.warning("%s: an event of type %.40r came", url, event.type)
        except _ConnectionEndedError as end:
            pause = _pause_s(first_pause_s, connections_without_events, end.asked_s)
            connections_without_events += 1
            is_warning = end.is_failure and not has_events and not has_warned
            has_warned = has_warned or is_warning
            log.log(
                logging.WARNING if is_warning else logging.INFO, "%s: %s; again in %.1f s", url, end, pause
            )
        if on_reconnect is not None:
            on_reconnect()
        await asyncio.sleep(pause)


async def _connection(  # noqa: PLR0913, PLR0917 - the options of a client
    session: aiohttp.ClientSession,
    url: str,
    request: StreamRequest,
    last_event_id: str,
    idle_timeout_s: float,
    on_open: Callable[[], None] | None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events of one connection; at its end always raise _ConnectionEndedError."""
    parser = ServerSentEventParser(last_event_id=last_event_id)
    headers = {"accept": "text/event-stream"}
    if request.last_event_id is not None:
        headers["last-event-id"] = request.last_event_id
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=idle_timeout_s)
    try:
        async with session.get(
            url,
            params=request.query,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            proxy=proxy_of(url),
        ) as answer:
            _check(answer, url)
            if on_open is not None:
                on_open()
            async for chunk in answer.content.iter_any():
                for event in parser.feed(chunk):
                    yield event
    except TimeoutError as exc:
        raise _ConnectionEndedError("the connection timed out") from exc
    except aiohttp.ClientHttpProxyError as exc:
        raise _ConnectionEndedError(f"the proxy answers {exc.status}") from exc
    except (aiohttp.ClientError, ConnectionError) as exc:
        raise _ConnectionEndedError(f"the connection failed ({type(exc).__name__})") from exc
    raise _ConnectionEndedError(
        "the server ended the connection",
        None if parser.retry is None else parser.retry / 1000,
        is_failure=False,
    )


def _check(answer: aiohttp.ClientResponse, url: str) -> None:
    status = answer.status
    if status in _TRANSIENT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        asked = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
        raise _ConnectionEndedError(f"the server answers {status}", asked)
    if status != HTTPStatus.OK or answer.content_type != "text/event-stream":
        raise StreamRefusedError(status, answer.content_type, url)


def _pause_s(first_pause_s: float, connections_without_events: int, asked_s: float | None) -> float:
    """Return a random pause, so that clients that were disconnected together do not reconnect together."""
    longest = min(first_pause_s * 2 ** min(connections_without_events, _MAX_DOUBLINGS), MAX_PAUSE_S)
    return max(asked_s or 0.0, random.uniform(0, longest))  # noqa: S311 - no secret
