"""Follow a stream of Server-Sent Events without end, across every disconnect.

Servers such as EventStreams end each connection after about fifteen minutes, and networks cut them at any moment. Each
event carries an id to resume with; what exactly is sent back is up to the reader. An event that was cut in the middle
has not come yet.
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
"""A connection that brings nothing for so long is taken for dead; EventStreams writes at least comments."""
CONNECT_TIMEOUT_S: Final = 10.0
FIRST_PAUSE_S: Final = 1.0
LONGEST_PAUSE_S: Final = 60.0
_MAX_DOUBLINGS: Final = 10
_TRY_AGAIN: Final = frozenset(
    {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS}
)


class StreamRefusedError(Exception):
    """The server does not serve this stream, or not from this place; asking again changes nothing."""

    def __init__(self, status: int, content_type: str) -> None:
        super().__init__(
            f"the stream was refused: expected a stream of events, not status {status} with {content_type}"
        )
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """What a connection asks for."""

    last_event_id: str | None = None
    """Sent as ``Last-Event-ID``."""
    query: Mapping[str, str] = field(default_factory=dict)


class _ConnectionEndedError(Exception):
    """A connection is over; the text says how, and the next one follows after at least so many seconds."""

    def __init__(self, how: str, asked_s: float | None = None) -> None:
        super().__init__(how)
        self.asked_s = None if asked_s is None else min(asked_s, LONGEST_PAUSE_S)


async def follow(  # noqa: PLR0913 - what a client has to know
    session: aiohttp.ClientSession,
    url: str,
    ask: Callable[[str], Question],
    *,
    last_event_id: str = "",
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    first_pause_s: float = FIRST_PAUSE_S,
    on_reconnect: Callable[[], None] | None = None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the messages of a stream for ever, connecting again whenever a connection ends or breaks.

    ``ask`` makes a connection's question of the id of the last event, which is empty before the first. A connection
    that brought something is followed after up to ``first_pause_s``; the longest pause doubles with each that did not.

    The proxy of the environment is used, if it names one.

    Raises:
        ProxyError: the environment names something else as a proxy.
        StreamRefusedError: on an answer that another try would not change.

    """
    fruitless = 0
    while True:
        try:
            connection = _connection(session, url, ask(last_event_id), last_event_id, idle_timeout_s)
            async with aclosing(connection) as events:
                async for event in events:
                    fruitless = 0
                    last_event_id = event.last_event_id
                    if event.type == "message":
                        yield event
                    else:  # EventStreams reports its own trouble so, and ends the connection
                        log.warning("%s: an event of type %.40r came", url, event.type)
        except _ConnectionEndedError as end:
            pause = _pause_s(first_pause_s, fruitless, end.asked_s)
            fruitless += 1
            log.info("%s: %s; again in %.1f s", url, end, pause)
        if on_reconnect is not None:
            on_reconnect()
        await asyncio.sleep(pause)


async def _connection(
    session: aiohttp.ClientSession, url: str, question: Question, last_event_id: str, idle_timeout_s: float
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events of one connection; raises _ConnectionEndedError at its end, however it ends."""
    parser = ServerSentEventParser(last_event_id=last_event_id)
    headers = {"accept": "text/event-stream"}
    if question.last_event_id is not None:
        headers["last-event-id"] = question.last_event_id
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=idle_timeout_s)
    try:
        async with session.get(
            url,
            params=question.query,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
            proxy=proxy_of(url),
        ) as answer:
            _check(answer)
            async for chunk in answer.content.iter_any():
                for event in parser.feed(chunk):
                    yield event
    except TimeoutError as exc:
        raise _ConnectionEndedError("nothing came for too long") from exc
    except (aiohttp.ClientError, ConnectionError) as exc:
        raise _ConnectionEndedError(f"the connection failed ({type(exc).__name__})") from exc
    raise _ConnectionEndedError(
        "the server ended the connection", None if parser.retry is None else parser.retry / 1000
    )


def _check(answer: aiohttp.ClientResponse) -> None:
    status = answer.status
    if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        asked = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
        raise _ConnectionEndedError(f"the server answers {status}", asked)
    if status != HTTPStatus.OK or answer.content_type != "text/event-stream":
        raise StreamRefusedError(status, answer.content_type)


def _pause_s(first_pause_s: float, fruitless: int, asked_s: float | None) -> float:
    """Return a random pause, so that clients cut off together do not come back together."""
    longest = min(first_pause_s * 2 ** min(fruitless, _MAX_DOUBLINGS), LONGEST_PAUSE_S)
    return max(asked_s or 0.0, random.uniform(0, longest))  # noqa: S311 - no secret
