"""Read EventStreams, Wikimedia's Server-Sent Events: without end, across every disconnect.

Each event carries an id, a JSON array of places in Kafka, that is sent back as ``Last-Event-ID``. Sent back as it is,
it can lose events, so it is sent a little earlier (:func:`resume_id`); a few events may come again, with the same
``meta.id``.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson

from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.instants import iso_z
from revertrisk.runtime.proxies import proxy_of
from revertrisk.streams.base import (
    Position,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
    read_record,
)
from revertrisk.streams.checkpoints import SourceCheckpoint, SourceCheckpointError
from revertrisk.streams.resuming_stream import (
    FIRST_PAUSE_S,
    IDLE_TIMEOUT_S,
    Question,
    StreamRefusedError,
    follow,
)
from revertrisk.streams.sse import ServerSentEvent

PUBLIC_EVENTSTREAMS: Final = "https://stream.wikimedia.org/v2/stream/"
_NAMES: Final = re.compile(r"[A-Za-z0-9._,-]+")
REWIND_MS: Final = 1
"""The millisecond that EventStreams adds to the time of the last event."""


def resume_id(last_event_id: str, *, since: datetime, rewind_ms: int) -> str:
    """Return the ``Last-Event-ID`` to resume with: its times lie ``rewind_ms`` earlier, places by offset stay.

    A time means the millisecond after the last event, and would pass over others of the same one, or that stand behind
    it with an earlier time. The end (offset -1) of a topic that has brought nothing yet means its end when the
    connection is made, and would pass over what comes until then: it becomes the time since when it has been empty.
    """
    try:
        places = orjson.loads(last_event_id)
    except orjson.JSONDecodeError:
        return last_event_id  # the server says what is wrong with it
    if not isinstance(places, list):
        return last_event_id
    return orjson.dumps([_earlier(place, since, rewind_ms) for place in places]).decode()


def _earlier(place: Any, since: datetime, rewind_ms: int) -> Any:
    match place:
        case {"timestamp": int(timestamp)}:
            return place | {"timestamp": max(0, timestamp - rewind_ms)}
        case {"offset": -1}:
            rest = {name: value for name, value in place.items() if name != "offset"}
            return rest | {"timestamp": int(since.timestamp() * 1000)}
    return place


def earliest_time(last_event_id: str) -> datetime | None:
    """Return the earliest time in a ``Last-Event-ID``, None where it has none."""
    try:
        places = orjson.loads(last_event_id)
    except orjson.JSONDecodeError:
        return None
    times = [
        place["timestamp"]
        for place in (places if isinstance(places, list) else [])
        if isinstance(place, dict) and type(place.get("timestamp")) is int
    ]
    return datetime.fromtimestamp(min(times) / 1000, UTC) if times else None


def read_stream(  # noqa: PLR0913 - what a client of EventStreams has to know
    session: aiohttp.ClientSession,
    url: str,
    *,
    since: datetime,
    last_event_id: str = "",
    rewind_ms: int = REWIND_MS,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    first_pause_s: float = FIRST_PAUSE_S,
    on_reconnect: Callable[[], None] | None = None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the messages behind ``last_event_id`` for ever, or those from ``since`` on; an address may have its own.

    Raises what :func:`revertrisk.streams.resuming_stream.follow` raises.
    """

    def ask(last_event_id: str) -> Question:
        if last_event_id:
            return Question(resume_id(last_event_id, since=since, rewind_ms=rewind_ms))
        if "since" in parse_qs(urlsplit(url).query):
            return Question()
        # Without it, what comes between two connections would be lost until the first event has come.
        return Question(query={"since": iso_z(since)})

    return follow(
        session,
        url,
        ask,
        last_event_id=last_event_id,
        idle_timeout_s=idle_timeout_s,
        first_pause_s=first_pause_s,
        on_reconnect=on_reconnect,
    )


def stream_url(where: str) -> str:
    """Return the address of streams that are named, of Wikimedia's server, or of what is an address already.

    Raises:
        ValueError: it is neither.
        ProxyError: the environment's proxy for it cannot be used.

    """
    url = PUBLIC_EVENTSTREAMS + where if _NAMES.fullmatch(where) else where
    if not is_base_address(url):
        raise ValueError("expected eventstreams:STREAM or eventstreams:https://host/v2/stream/STREAM")
    proxy_of(url)
    return url


class EventStreamsSource:
    """One URL of EventStreams; its position is a count of events, and its checkpoint an event's id."""

    def __init__(  # noqa: PLR0913 - what a client of EventStreams has to know
        self,
        url: str,
        *,
        user_agent: str,
        since: datetime | None = None,
        checkpoint: SourceCheckpoint | None = None,
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
        async with aiohttp.ClientSession(
            headers={"user-agent": self._user_agent}, cookie_jar=aiohttp.DummyCookieJar()
        ) as session:
            following = read_stream(
                session,
                self._url,
                since=self._since,
                last_event_id=self._last_id,
                idle_timeout_s=self._idle_timeout_s,
                first_pause_s=self.first_pause_s,
                on_reconnect=self._on_reconnect,
            )
            async with aclosing(following) as events:
                try:
                    async for event in events:
                        yield self._record(event)
                except StreamRefusedError as exc:
                    raise SourceError(f"{self._name}: {exc}") from exc

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
        except SourceCheckpointError as exc:
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
        except SourceCheckpointError as exc:
            raise SourceError(str(exc)) from exc

    def _record(self, event: ServerSentEvent) -> SourcedEvent | UnreadableRecord:
        self._yielded += 1
        self._ids.append((self._yielded, event.last_event_id))
        data, position = event.data.encode(), Position(self._name, self._yielded)
        if not event.is_whole:
            return UnreadableRecord(data, UnreadableReason.TOO_LONG, position, event.last_event_id)
        record = read_record(data, position)
        return record if isinstance(record, SourcedEvent) else replace(record, place=event.last_event_id)
