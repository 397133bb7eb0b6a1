"""The route ``/v2/stream/<streams>``: serves accepted events as Wikimedia's EventStreams does.

The answer is Server-Sent Events, or one JSON document a line for ``Accept: application/json``.
Statuses, headers, the opening comment and the error bodies are those of EventStreams and its KafkaSSE.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import hdrs, web

from mock_eventgate.gate import Gate
from mock_eventgate.positions import (
    END,
    PositionError,
    StreamPosition,
    read_last_event_id,
    read_since,
    resolve,
)
from mock_eventgate.reader import EventIds, TopicReader
from mock_eventgate.store import PARTITION, ProducedEvent
from mock_eventgate.streams import DATACENTRES

_HEADERS: Final = {"Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}
_CHUNK: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class _Framing:
    """How events are written."""

    content_type: str
    opening: bytes
    keep_alive: bytes
    frame: Callable[[bytes, list[dict[str, Any]]], bytes]


_SSE: Final = _Framing(
    "text/event-stream",
    b":ok\n\n",
    b":keep-alive\n\n",
    lambda data, event_id: b"event: message\nid: %b\ndata: %b\n\n" % (orjson.dumps(event_id), data),
)
_JSON_LINES: Final = _Framing("application/json", b"\n", b"\n", lambda data, _: data + b"\n")


class _RefusedError(Exception):
    """A refused request; ``problem`` is the JSON document of the answer."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(status)
        self.status = status
        self.problem = problem


class EventStreams:
    """The handler of ``/v2/stream/<streams>``.

    After ``keep_alive`` seconds without an event it writes a comment. After ``max_seconds``, if set, it ends the
    response, as EventStreams does after 15 minutes.
    """

    def __init__(
        self, gate: Gate, *, event_ids: EventIds, keep_alive: float, max_seconds: float | None
    ) -> None:
        self._gate = gate
        self._event_ids = event_ids
        self._keep_alive = keep_alive
        self._max_seconds = max_seconds
        self._is_closing = False

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Write the events of the streams in the path, joined by commas, until the client disconnects."""
        try:
            positions = self._positions(request, self._topics(request))
        except _RefusedError as refused:
            body = orjson.dumps(refused.problem) + b"\n"
            return web.Response(
                status=refused.status,
                headers=_HEADERS,
                body=body,
                content_type="application/json",
                charset="utf-8",
            )
        reader = TopicReader(self._gate, positions, self._event_ids)
        wants_json = request.headers.get("Accept", "").startswith("application/json")
        framing = _JSON_LINES if wants_json else _SSE
        response = web.StreamResponse(headers=_HEADERS)
        response.content_type, response.charset = framing.content_type, "utf-8"
        await response.prepare(request)
        if request.method == hdrs.METH_HEAD:
            return response
        with suppress(ConnectionError):  # the client disconnected
            with suppress(TimeoutError):
                async with asyncio.timeout(self._max_seconds):
                    await response.write(framing.opening)
                    await self._follow(reader, response, framing)
            await response.write_eof()
        return response

    def close(self) -> None:
        """End all responses: the server is shutting down."""
        self._is_closing = True
        self._gate.arrivals.ring()

    async def _follow(self, reader: TopicReader, response: web.StreamResponse, framing: _Framing) -> None:
        while not self._is_closing:
            chunk = bytearray()
            for event, event_id in reader.read():
                chunk += framing.frame(_data(event), event_id)
                if len(chunk) >= _CHUNK:
                    break
            if chunk:
                await response.write(bytes(chunk))  # waits for a slow client
            if not reader.is_at_end:
                await asyncio.sleep(0)
                continue
            try:
                async with asyncio.timeout(self._keep_alive):
                    await self._gate.arrivals.wait()
            except TimeoutError:
                await response.write(framing.keep_alive)

    def _topics(self, request: web.Request) -> list[str]:
        names = request.match_info["streams"].split(",")
        unknown = [name for name in names if self._gate.streams.get(name) is None]
        if unknown:
            raise _problem(request, "not_found", "Stream Not Found", f"Invalid streams: {','.join(unknown)}")
        datacentres = dict.fromkeys((*DATACENTRES, self._gate.store.datacentre))
        return [f"{datacentre}.{name}" for name in dict.fromkeys(names) for datacentre in datacentres]

    def _positions(self, request: web.Request, topics: list[str]) -> list[StreamPosition]:
        last_event_id = request.headers.get("Last-Event-ID")
        since = request.query.get("since")
        timestamp = None
        if since:
            try:
                timestamp = read_since(since)
            except ValueError:
                detail = (
                    f"since timestamp is not a UTC milliseconds unix epoch and was not parseable: '{since}'"
                )
                raise _problem(request, "invalid_timestamp", "Invalid timestamp", detail) from None
        if last_event_id is not None:
            try:
                return resolve(read_last_event_id(last_event_id, topics), self._gate.store)
            except PositionError as error:
                raise _assignment_refused(error, topics) from None
        offset = END if timestamp is None else None
        return resolve(
            [StreamPosition(topic, PARTITION, offset=offset, timestamp=timestamp) for topic in topics],
            self._gate.store,
        )


def _data(event: ProducedEvent) -> bytes:
    document = orjson.loads(event.value)
    document["meta"] |= {"topic": event.topic, "partition": PARTITION, "offset": event.offset}
    return orjson.dumps(document)


def _problem(request: web.Request, problem_type: str, title: str, detail: str) -> _RefusedError:
    """Return EventStreams' own error answer."""
    problem = {
        "status": 400,
        "type": problem_type,
        "title": title,
        "detail": detail,
        "method": request.method,
        "uri": request.path_qs,
    }
    return _RefusedError(400, problem)


def _assignment_refused(error: PositionError, topics: list[str]) -> _RefusedError:
    """Return KafkaSSE's error answer to a Last-Event-ID."""
    if error.topics:
        status, name, more = 404, "TopicNotAvailableError", {"availableTopics": topics}
    else:
        status, name, more = 400, "InvalidAssignmentError", {}
    problem = {"message": str(error), "origin": "KafkaSSE", "name": name, **more, "statusCode": status}
    return _RefusedError(status, problem)
