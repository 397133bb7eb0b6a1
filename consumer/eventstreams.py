"""The prediction stream over HTTP, from Wikimedia's EventStreams or anything that speaks like it.

A response there ends every 15 minutes or so; reading goes on where it was, with ``Last-Event-ID``.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any, Final

import aiohttp
import orjson

from consumer.delivery import Delivery
from event_platform.sse import ServerSentEvent, ServerSentEventParser

REWIND_SECONDS: Final = 60.0
"""By how much a time in a ``Last-Event-ID`` is taken back on resuming."""
SILENCE_SECONDS: Final = 60.0
"""Without a byte for so long the connection counts as lost: EventStreams writes at least comments."""
FIRST_WAIT_SECONDS: Final = 1.0
LONGEST_WAIT_SECONDS: Final = 60.0
_BUSY: Final = frozenset({408, 425, 429})


class StreamRefusedError(Exception):
    """The server does not serve this stream, or not from this place; asking again changes nothing."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the stream was refused with status {status}")
        self.status = status


async def read_eventstreams(
    session: aiohttp.ClientSession,
    url: str,
    resume_at: str | None = None,
    *,
    rewind: float = REWIND_SECONDS,
    first_wait: float = FIRST_WAIT_SECONDS,
) -> AsyncIterator[Delivery]:
    """Yield the deliveries of a stream for ever, connecting again whenever a response ends or breaks.

    ``url`` is that of the stream, such as ``https://stream.wikimedia.org/v2/stream/<names>``, and may have
    ``?since=`` for the very beginning. ``rewind`` and ``first_wait`` are in seconds. The session should send
    a User-Agent that says whose client this is.

    :raises StreamRefusedError: on an answer that another try would not change.
    :raises EventTooLargeError: on an event that exceeds the parser's bound of 16 MiB.
    """
    wait = first_wait
    while True:
        headers = {"Accept": "text/event-stream"}
        if resume_at is not None:
            headers["Last-Event-ID"] = rewound(resume_at, rewind)
        try:
            timeout = aiohttp.ClientTimeout(
                total=None, sock_connect=SILENCE_SECONDS, sock_read=SILENCE_SECONDS
            )
            async with session.get(url, headers=headers, timeout=timeout) as response:
                if response.status in range(400, 500) and response.status not in _BUSY:
                    raise StreamRefusedError(response.status)
                response.raise_for_status()
                parser = ServerSentEventParser(last_event_id=resume_at or "")
                async for chunk in response.content.iter_any():
                    for event in parser.feed(chunk):
                        delivery = _delivery(event)
                        resume_at = delivery.resume_at or resume_at
                        yield delivery
                        wait = first_wait
        except (aiohttp.ClientError, TimeoutError, ConnectionError):
            pass  # a cut, or a server that cannot at the moment
        await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - to come at another time than others
        wait = min(2 * wait, LONGEST_WAIT_SECONDS)


def rewound(last_event_id: str, seconds: float) -> str:
    """Return a ``Last-Event-ID`` whose times lie so many seconds earlier; places by offset stay.

    A time names the millisecond after the last event. Other events of that millisecond, and those that
    reached the topic late, lie before it and would never come. What comes twice is dropped as a duplicate.
    """
    try:
        places = orjson.loads(last_event_id)
    except orjson.JSONDecodeError:
        return last_event_id  # the server says what is wrong with it
    if not isinstance(places, list):
        return last_event_id
    return orjson.dumps([_earlier(place, round(seconds * 1000)) for place in places]).decode()


def _earlier(place: Any, milliseconds: int) -> Any:
    if not isinstance(place, dict) or type(place.get("timestamp")) is not int:
        return place
    return place | {"timestamp": max(0, place["timestamp"] - milliseconds)}


def _delivery(event: ServerSentEvent) -> Delivery:
    try:
        document = orjson.loads(event.data)
    except orjson.JSONDecodeError:
        document = None  # counted as invalid by who takes it
    return Delivery(document, event.last_event_id or None)
