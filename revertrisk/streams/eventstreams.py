"""Reads EventStreams, Wikimedia's Server-Sent Events, without end and across disconnects.

Each event has an id, a JSON array of places in Kafka, which is sent back as ``Last-Event-ID``. Sent back unchanged it
can lose events, so its times are moved back a little (:func:`resume_id`). A few events can then come again, with the
same ``meta.id``.
"""

import re
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
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
    RawRecord,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
    parsed,
)
from revertrisk.streams.checkpoints import SourceCheckpoint, SourceCheckpointError
from revertrisk.streams.resuming_stream import (
    FIRST_PAUSE_S,
    IDLE_TIMEOUT_S,
    StreamRefusedError,
    StreamRequest,
    follow,
)
from revertrisk.streams.sse import ServerSentEvent

PUBLIC_EVENTSTREAMS: Final = "https://stream.wikimedia.org/v2/stream/"
_NAMES: Final = re.compile(r"[A-Za-z0-9._,-]+")
REWIND_MS: Final = 1
"""The millisecond that EventStreams adds to the time of the last event."""


def resume_id(last_event_id: str, *, since: datetime, rewind_ms: int) -> str:
    """Return the ``Last-Event-ID`` to resume with: its times are ``rewind_ms`` earlier, its offsets do not change.

    EventStreams sends the millisecond after the last event, which would skip other events of that millisecond, and
    events behind it with an earlier time. Offset -1, of a topic without an event so far, means the end at the next
    connection, which would skip events until then. So it is replaced by the time ``since`` which the topic is empty.
    """
    try:
        places = orjson.loads(last_event_id)
    except orjson.JSONDecodeError:
        return last_event_id  # the server reports the error in it
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
    """Return the earliest time in a ``Last-Event-ID``, or None."""
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


def read_stream(  # noqa: PLR0913 - the options of a client of EventStreams
    session: aiohttp.ClientSession,
    url: str,
    *,
    since: datetime,
    last_event_id: str = "",
    rewind_ms: int = REWIND_MS,
    idle_timeout_s: float = IDLE_TIMEOUT_S,
    first_pause_s: float = FIRST_PAUSE_S,
    on_reconnect: Callable[[], None] | None = None,
    on_open: Callable[[], None] | None = None,
) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the messages after ``last_event_id``, or from ``since``, without end; a ``since`` in the address wins.

    Raises what :func:`revertrisk.streams.resuming_stream.follow` raises.
    """

    def ask(last_event_id: str) -> StreamRequest:
        if last_event_id:
            return StreamRequest(resume_id(last_event_id, since=since, rewind_ms=rewind_ms))
        if "since" in parse_qs(urlsplit(url).query):
            return StreamRequest()
        # Without a time, events between two connections would be lost as long as no event has arrived.
        return StreamRequest(query={"since": iso_z(since)})

    return follow(
        session,
        url,
        ask,
        last_event_id=last_event_id,
        idle_timeout_s=idle_timeout_s,
        first_pause_s=first_pause_s,
        on_reconnect=on_reconnect,
        on_open=on_open,
    )


def stream_url(where: str) -> str:
    """Return the address of streams on Wikimedia's server, given by name; an address is returned unchanged.

    Raises:
        ValueError: it is neither names nor an address.
        ProxyError: the proxy in the environment for it is invalid.

    """
    url = PUBLIC_EVENTSTREAMS + where if _NAMES.fullmatch(where) else where
    if not is_base_address(url):
        raise ValueError("expected eventstreams:STREAM or eventstreams:https://host/v2/stream/STREAM")
    proxy_of(url)
    return url


class EventStreamsSource:
    """One URL of EventStreams; its offset is a count of events, and its checkpoint holds an event id."""

    def __init__(  # noqa: PLR0913 - the options of a client of EventStreams
        self,
        url: str,
        *,
        user_agent: str,
        since: datetime | None = None,
        checkpoint: SourceCheckpoint | None = None,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        first_pause_s: float = FIRST_PAUSE_S,
        on_reconnect: Callable[[], None] | None = None,
        on_open: Callable[[], None] | None = None,
    ) -> None:
        """Take the address, and the time to start from if the checkpoint is empty; by default it is now."""
        self._url = url
        self._name = f"eventstreams:{url}"
        self._user_agent = user_agent
        self._since = since or datetime.now(UTC)
        self._checkpoint = checkpoint
        self._idle_timeout_s = idle_timeout_s
        self.first_pause_s = first_pause_s
        """The longest pause after a connection with events; it doubles with each connection without."""
        self._on_reconnect = on_reconnect
        self._on_open = on_open
        self._last_id = ""
        self._yielded = 0
        self._ids: deque[tuple[int, str]] = deque()
        """The id of each event that has not been committed."""

    def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield events without end; raises SourceError as `records`."""
        return parsed(self.records())

    async def records(self) -> AsyncGenerator[RawRecord | UnreadableRecord, None]:
        """Yield records without end.

        Raises:
            SourceError: the server refuses the request permanently, or the checkpoint cannot be used.

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
                on_open=self._on_open,
            )
            async with aclosing(following) as events:
                try:
                    async for event in events:
                        yield self._record(event)
                except StreamRefusedError as exc:
                    raise SourceError(str(exc)) from exc

    async def commit(self, position: Position) -> None:
        """Store the id of the position in the checkpoint, if there is one; raises SourceError."""
        place = None
        while self._ids and self._ids[0][0] <= position.offset:
            place = self._ids.popleft()[1]
        if place and self._checkpoint is not None:
            await self._remember({"last_event_id": place, "since": self._since.isoformat()})

    async def close(self) -> None:
        """Do nothing: `records` closes the connection, and a commit is stored at once."""

    async def _resume(self) -> None:
        """Start from the checkpoint; if it is empty, store the start, for a crash before the first commit."""
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
        assert self._checkpoint is not None  # noqa: S101 - the callers checked it
        try:
            await self._checkpoint.write(orjson.dumps(place).decode())
        except SourceCheckpointError as exc:
            raise SourceError(str(exc)) from exc

    def _record(self, event: ServerSentEvent) -> RawRecord | UnreadableRecord:
        self._yielded += 1
        self._ids.append((self._yielded, event.last_event_id))
        data, position = event.data.encode(), Position(self._name, self._yielded)
        if not event.is_whole:
            return UnreadableRecord(data, UnreadableReason.TOO_LONG, position, event.last_event_id)
        return RawRecord(data, position, place=event.last_event_id)
