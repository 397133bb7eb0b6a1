"""Read EventStreams, Wikimedia's Server-Sent Events: without end, across every disconnect.

The server ends each connection after about fifteen minutes, and networks cut them at any moment. Each event carries an
id, a JSON array of places in Kafka, that is sent back as ``Last-Event-ID``. Sent back as it is, it can lose events, so
it is sent a little earlier (:func:`resume_id`); a few events may come again, with the same ``meta.id``. An event that
was cut in the middle has not come yet.
"""

import asyncio
import logging
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from dispatcher.checkpoints import Checkpoint, CheckpointError
from dispatcher.client import retry_after_s
from dispatcher.sources.base import Position, SourcedEvent, SourceError, UnreadableReason, UnreadableRecord
from event_platform.sse import EventTooLargeError, ServerSentEvent, ServerSentEventParser

log = logging.getLogger(__name__)

IDLE_TIMEOUT_S = 120.0
"""A connection that brings nothing for so long is taken for dead."""
CONNECT_TIMEOUT_S = 10.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
_MOST_DOUBLINGS = 10
_TRY_AGAIN = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


def resume_id(last_event_id: str, since: datetime) -> str:
    """Return the ``Last-Event-ID`` to resume with, which begins no later than the last event.

    A place with a time means the millisecond after the last event, and would pass over others of the same one, or
    that stand behind it with an earlier time. The end (offset -1) of a topic that has brought nothing yet means its end
    when the connection is made, and would pass over what came since we began.
    """
    try:
        places = orjson.loads(last_event_id)
    except orjson.JSONDecodeError:
        return last_event_id
    if not isinstance(places, list):
        return last_event_id
    return orjson.dumps([_earlier(place, since) for place in places]).decode()


def _earlier(place: Any, since: datetime) -> Any:
    match place:
        case {"timestamp": int(timestamp)}:
            return place | {"timestamp": timestamp - 1}
        case {"offset": -1}:
            rest = {name: value for name, value in place.items() if name != "offset"}
            return rest | {"timestamp": int(since.timestamp() * 1000)}
    return place


class _ConnectionEndedError(Exception):
    """A connection is over; the text says how, and the next one follows after at least so many seconds."""

    def __init__(self, how: str, asked_s: float | None = None) -> None:
        super().__init__(how)
        self.asked_s = asked_s


class EventStreamsSource:
    """One URL of EventStreams; its position is a count of events, and its checkpoint an event's id."""

    def __init__(  # noqa: PLR0913 - what a client of EventStreams has to know
        self,
        url: str,
        *,
        user_agent: str,
        since: datetime | None = None,
        checkpoint: Checkpoint | None = None,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        first_pause_s: float = FIRST_PAUSE_S,
        on_reconnect: Callable[[], None] | None = None,
    ) -> None:
        """Take the address, and the time to begin at where the checkpoint has none; by default that is now."""
        self._url = url
        self._name = f"eventstreams:{url}"
        self._user_agent = user_agent
        self._since = since or datetime.now(UTC)
        self._checkpoint = checkpoint
        self._idle_timeout_s = idle_timeout_s
        self.first_pause_s = first_pause_s
        """The longest pause after a connection that brought something; it doubles with each that does not."""
        self._on_reconnect = on_reconnect
        self._last_id = ""
        self._yielded = 0
        self._ids: deque[tuple[int, str]] = deque()
        """The id of each event that has not been committed yet."""

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield events without end.

        Raises:
            SourceError: the server refuses the request for good, or the checkpoint cannot be used.

        """
        await self._resume()
        fruitless = 0
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=CONNECT_TIMEOUT_S, sock_read=self._idle_timeout_s
        )
        async with aiohttp.ClientSession(
            timeout=timeout, headers={"user-agent": self._user_agent}, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            while True:
                try:
                    async with aclosing(self._connection(session)) as events:
                        async for event in events:
                            fruitless = 0
                            yield self._record(event)
                except _ConnectionEndedError as end:
                    pause = self._pause_s(fruitless, end.asked_s)
                    fruitless += 1
                    log.info("%s: %s; again in %.1f s", self._name, end, pause)
                if self._on_reconnect is not None:
                    self._on_reconnect()
                await asyncio.sleep(pause)

    async def commit(self, position: Position) -> None:
        """Remember the id of the position in the checkpoint, if there is one; raises SourceError."""
        place = None
        while self._ids and self._ids[0][0] <= position.offset:
            place = self._ids.popleft()[1]
        if place and self._checkpoint is not None:
            await self._remember({"last_event_id": place, "since": self._since.isoformat()})

    async def close(self) -> None:
        """Do nothing: the reading closes the connection, and a commit is kept at once."""

    async def _resume(self) -> None:
        """Begin where the checkpoint says; the first beginning is kept too, for a crash before the first commit."""
        if self._checkpoint is None:
            return
        try:
            kept = await self._checkpoint.read()
        except CheckpointError as exc:
            raise SourceError(str(exc)) from exc
        if kept is None:
            await self._remember({"since": self._since.isoformat()})
            return
        place = orjson.loads(kept)
        self._last_id = place.get("last_event_id", "")
        if "since" in place:
            self._since = datetime.fromisoformat(place["since"])

    async def _remember(self, place: dict[str, str]) -> None:
        assert self._checkpoint is not None  # noqa: S101 (asked before)
        try:
            await self._checkpoint.write(orjson.dumps(place).decode())
        except CheckpointError as exc:
            raise SourceError(str(exc)) from exc

    async def _connection(self, session: aiohttp.ClientSession) -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events of one connection; raises _ConnectionEndedError at its end, however it ends."""
        parser = ServerSentEventParser(last_event_id=self._last_id)
        try:
            async with session.get(
                self._url, params=self._query(), headers=self._headers(), allow_redirects=False
            ) as answer:
                self._check(answer)
                async for chunk in answer.content.iter_any():
                    for event in parser.feed(chunk):
                        self._last_id = event.last_event_id
                        if event.type == "message":
                            yield event
                        else:  # EventStreams reports its own trouble so, and ends the connection
                            log.warning("%s: an event of type %.40r came", self._name, event.type)
        except EventTooLargeError as exc:
            # It would come again with every new connection.
            raise SourceError(f"{self._name}: {exc}") from exc
        except TimeoutError as exc:
            raise _ConnectionEndedError("nothing came for too long") from exc
        except aiohttp.ClientError as exc:
            raise _ConnectionEndedError(f"the connection failed ({type(exc).__name__})") from exc
        retry_s = None if parser.retry is None else min(parser.retry / 1000, LONGEST_PAUSE_S)
        raise _ConnectionEndedError("the server ended the connection", retry_s)

    def _headers(self) -> dict[str, str]:
        headers = {"accept": "text/event-stream"}
        return (
            headers | {"last-event-id": resume_id(self._last_id, self._since)} if self._last_id else headers
        )

    def _query(self) -> dict[str, str]:
        # Without it, what comes between two connections would be lost until the first event has come.
        since = self._since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {} if self._last_id else {"since": since}

    def _check(self, answer: aiohttp.ClientResponse) -> None:
        status = answer.status
        if status in _TRY_AGAIN or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            asked = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
            asked = None if asked is None else min(asked, LONGEST_PAUSE_S)
            raise _ConnectionEndedError(f"the server answers {status}", asked)
        if status != HTTPStatus.OK or answer.content_type != "text/event-stream":
            raise SourceError(
                f"{self._name}: expected a stream of events, not status {status} with {answer.content_type}"
            )

    def _record(self, event: ServerSentEvent) -> SourcedEvent | UnreadableRecord:
        self._yielded += 1
        position = Position(self._name, self._yielded)
        self._ids.append((self._yielded, event.last_event_id))
        try:
            message = orjson.loads(event.data)
        except orjson.JSONDecodeError:
            return UnreadableRecord(event.data.encode(), UnreadableReason.INVALID_JSON, position)
        if not isinstance(message, dict):
            return UnreadableRecord(event.data.encode(), UnreadableReason.NOT_AN_OBJECT, position)
        return SourcedEvent(message, position)

    def _pause_s(self, fruitless: int, asked_s: float | None) -> float:
        """Return a random pause, so that clients cut off together do not come back together."""
        longest = min(self.first_pause_s * 2 ** min(fruitless, _MOST_DOUBLINGS), LONGEST_PAUSE_S)
        return max(asked_s or 0.0, random.uniform(0, longest))  # noqa: S311 (no secret)
