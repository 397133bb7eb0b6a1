"""The prediction stream over HTTP, from Wikimedia's EventStreams or anything that speaks like it.

A response there ends every 15 minutes or so; reading goes on where it was, with ``Last-Event-ID``.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.consumer.delivery import Delivery
from revertrisk.streams.resuming_stream import FIRST_PAUSE_S, Question, StreamRefusedError, follow
from revertrisk.streams.sse import EventTooLargeError, ServerSentEvent

__all__ = ["EventTooLargeError", "StreamRefusedError", "read_eventstreams", "rewound"]

REWIND_SECONDS: Final = 60.0
"""By how much a time in a ``Last-Event-ID`` is taken back on resuming."""


async def read_eventstreams(
    session: aiohttp.ClientSession,
    url: str,
    resume_at: str | None = None,
    *,
    rewind: float = REWIND_SECONDS,
    first_wait: float = FIRST_PAUSE_S,
) -> AsyncGenerator[Delivery, None]:
    """Yield the deliveries of a stream for ever, connecting again whenever a response ends or breaks.

    ``url`` is that of the stream, such as ``https://stream.wikimedia.org/v2/stream/<names>``, and may have
    ``?since=`` for the very beginning. ``rewind`` and ``first_wait`` are in seconds. The session should send
    a User-Agent that says whose client this is.

    :raises StreamRefusedError: on an answer that another try would not change.
    :raises EventTooLargeError: on an event that exceeds the parser's bound of 16 MiB.
    """

    def ask(last_event_id: str) -> Question:
        return Question(rewound(last_event_id, rewind) if last_event_id else None)

    following = follow(session, url, ask, last_event_id=resume_at or "", first_pause_s=first_wait)
    async with aclosing(following) as events:
        async for event in events:
            yield _delivery(event)


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
