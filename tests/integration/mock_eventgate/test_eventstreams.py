"""``/v2/stream/…`` as clients of Wikimedia's EventStreams see it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from yarl import URL

from mock_eventgate import Options, listening
from revertrisk.streams.sse import ServerSentEvent, ServerSentEventParser
from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate, prediction

EQIAD_ONE, CODFW_ONE, EQIAD_OTHER = f"eqiad.{ONE}", f"codfw.{ONE}", f"eqiad.{OTHER}"
AT = 1_769_860_801_250
"""The time of `prediction` in milliseconds."""


def at(milliseconds: int, wiki_id: str, stream: str = ONE) -> dict[str, Any]:
    """Return a prediction so many milliseconds after the usual one, at most 749."""
    event = prediction(stream, wiki_id)
    event["meta"]["dt"] = f"2026-01-31T12:00:01.{250 + milliseconds}Z"
    return event


def wiki_ids(events: list[ServerSentEvent]) -> list[str]:
    """Return the wikis of events, by which the tests tell them apart."""
    return [json.loads(event.data)["wiki_id"] for event in events]


class Reader:
    """An open response, read event by event."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.response = response
        self.raw = b""
        self._parser = ServerSentEventParser()
        self._events: list[ServerSentEvent] = []

    async def until(self, text: bytes) -> bytes:
        """Read until a text has come, and return everything so far."""
        while text not in self.raw:
            await self._more()
        return self.raw

    async def events(self, count: int) -> list[ServerSentEvent]:
        """Return the next so many events."""
        while len(self._events) < count:
            await self._more()
        events, self._events = self._events[:count], self._events[count:]
        return events

    async def rest(self) -> list[ServerSentEvent]:
        """Return all events until the server ends the response."""
        self._events += self._parser.feed(await self.response.read())
        return self._events

    async def _more(self) -> None:
        chunk = await self.response.content.readany()
        assert chunk, "the response ended early"
        self.raw += chunk
        self._events += self._parser.feed(chunk)


@asynccontextmanager
async def reading(gate: Gate, path: str = ONE, last_event_id: Any = None) -> AsyncIterator[Reader]:
    """Open a stream; once this is entered, the server has noted where to begin."""
    headers = {} if last_event_id is None else {"Last-Event-ID": json.dumps(last_event_id)}
    async with gate.session.get(f"{gate.url}/v2/stream/{path}", headers=headers) as response:
        assert response.status == 200, await response.text()
        reader = Reader(response)
        await reader.until(b":ok\n\n")
        yield reader


@asynccontextmanager
async def gate_with(**options: Any) -> AsyncIterator[Gate]:
    """Run a mock EventGate with options."""
    async with aiohttp.ClientSession() as session, listening(options=Options(**options)) as url:
        yield Gate(session, url)


async def test_what_goes_over_the_wire(gate: Gate) -> None:
    """Headers, the opening comment and an event are EventStreams', with topic, partition and offset in meta."""
    event = prediction()
    event["meta"]["request_id"] = "r"
    async with reading(gate) as reader:
        headers = reader.response.headers
        assert headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert headers["Cache-Control"] == "no-cache"
        assert headers["Access-Control-Allow-Origin"] == "*"
        await gate.post([event, event])
        raw = await reader.until(b'"offset":1}')
        raw = await reader.until(b"}\n\n")
    opening, first, _ = raw.split(b"\n\n", 2)
    assert opening == b":ok"
    kind, event_id, data = first.split(b"\n")
    assert kind == b"event: message"
    places = [
        {"topic": EQIAD_ONE, "partition": 0, "offset": 1},
        {"topic": CODFW_ONE, "partition": 0, "offset": 0},
    ]
    assert event_id.decode() == f"id: {json.dumps(places, separators=(',', ':'))}"
    event["meta"] |= {"topic": EQIAD_ONE, "partition": 0, "offset": 0}
    assert json.loads(data.removeprefix(b"data: ")) == event


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        *((since, ["w0", "w1", "w2"]) for since in ("0", "-1", "-5", "1.5", "-0.5", f"{AT}.9")),
        ("9" * 20, []),
        (str(AT + 100), ["w1", "w2"]),
        ("2026-01-31T12:00:01.400Z", ["w2"]),
        ("2026-01-31T12:00:01.350Z", ["w1", "w2"]),
        ("2026-01-31T13:00:01.350%2B01:00", ["w1", "w2"]),
        ("2026-01-31T13:00:01.350+01:00", ["w1", "w2"]),
        ("2026-01-31T12:00:01", ["w0", "w1", "w2"]),
        ("2026-01-31", ["w0", "w1", "w2"]),
        ("2026-02-01", []),
        ("", []),
    ],
)
async def test_since(gate: Gate, since: str, expected: list[str]) -> None:
    """T8: ``since`` begins with the first event at or after a time, any number being one; without one, at the end."""
    await gate.post([at(100 * number, f"w{number}") for number in range(3)])
    async with gate.session.get(URL(f"{gate.url}/v2/stream/{ONE}?since={since}", encoded=True)) as response:
        reader = Reader(response)
        await reader.until(b":ok\n\n")
        await gate.post(prediction(wiki_id="new"))
        assert wiki_ids(await reader.events(len(expected) + 1)) == [*expected, "new"]


async def test_several_streams(gate: Gate) -> None:
    """Streams joined by commas come in one response, in the order of arrival; others do not."""
    async with reading(gate, f"{ONE},{OTHER}") as reader:
        await gate.post([prediction(ONE, "a"), prediction(OTHER, "b"), prediction(ONE, "c")])
        async with gate.session.get(f"{gate.url}/v1/_test/events"):
            pass
        await gate.post(prediction(OTHER, "d"))
        events = await reader.events(4)
    assert wiki_ids(events) == ["a", "b", "c", "d"]
    places = [
        {place["topic"]: place["offset"] for place in json.loads(event.last_event_id)} for event in events
    ]
    assert [(place[EQIAD_ONE], place[EQIAD_OTHER]) for place in places] == [(1, 0), (1, 1), (2, 1), (2, 2)]
    assert {len(place) for place in places} == {4}


@pytest.mark.parametrize("received", range(1, 7))
async def test_resuming_by_offset(gate: Gate, received: int) -> None:
    """Wherever the connection is cut, the last event's id brings exactly the events after it."""
    names = [f"w{number}" for number in range(8)]
    async with reading(gate, f"{ONE},{OTHER}") as reader:
        # All in the same millisecond, in both topics.
        await gate.post([prediction((ONE, OTHER)[number % 2], name) for number, name in enumerate(names[:6])])
        events = await reader.events(received)
    await gate.post([prediction(ONE, names[6]), prediction(OTHER, names[7])])
    # After the first event the other topic was still silent: what comes to it meanwhile is not lost either.
    async with reading(gate, f"{ONE},{OTHER}", json.loads(events[-1].last_event_id)) as reader:
        assert wiki_ids(await reader.events(8 - received)) == names[received:]


async def test_resuming_by_timestamp_misses_the_rest_of_the_millisecond() -> None:
    """EventStreams' own ids name the next millisecond: of two events in one, the second is lost by a cut between."""
    async with gate_with(event_ids="timestamp") as gate:
        async with reading(gate) as reader:
            await gate.post([at(0, "w0"), at(0, "same"), at(1, "w1")])
            (event,) = await reader.events(1)
        places = json.loads(event.last_event_id)
        assert places == [
            {"topic": EQIAD_ONE, "partition": 0, "timestamp": AT + 1},
            {"topic": CODFW_ONE, "partition": 0, "offset": -1},
        ]
        async with reading(gate, last_event_id=places) as reader:
            assert wiki_ids(await reader.events(1)) == ["w1"]
        async with reading(gate, last_event_id=[places[0] | {"timestamp": AT}]) as reader:
            assert wiki_ids(await reader.events(3)) == ["w0", "same", "w1"]


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ({"offset": 1}, ["w1", "w2", "new"]),
        ({"offset": 3}, ["new"]),
        ({"offset": 99}, ["new"]),
        ({"offset": -1}, ["new"]),
        ({"offset": -2}, ["w0", "w1", "w2", "new"]),
        ({"timestamp": AT + 1}, ["w1", "w2", "new"]),
        ({"timestamp": AT + 999}, ["new"]),
        ({"offset": 2, "timestamp": 0}, ["w2", "new"]),
    ],
)
async def test_last_event_id(gate: Gate, place: Any, expected: list[str]) -> None:
    """A Last-Event-ID begins at its offset or its time, wins over ``since``, and reads its topics only."""
    await gate.post([at(100 * number, f"w{number}") for number in range(3)])
    last = [{"topic": EQIAD_ONE, "partition": 0} | place]
    async with reading(gate, f"{ONE},{OTHER}?since=0", last) as reader:
        await gate.post([prediction(OTHER, "elsewhere"), prediction(wiki_id="new")])
        assert wiki_ids(await reader.events(len(expected))) == expected


@pytest.mark.parametrize("path", ["no.such.stream", f"{ONE},no.such.stream", "no.such.stream/"])
async def test_unknown_stream(gate: Gate, path: str) -> None:
    """A stream that does not exist is a 400 in EventStreams' words."""
    async with gate.session.get(f"{gate.url}/v2/stream/{path}?since=0") as answer:
        assert (answer.status, answer.content_type) == (400, "application/json")
        assert await answer.json() == {
            "status": 400,
            "type": "not_found",
            "title": "Stream Not Found",
            "detail": "Invalid streams: no.such.stream",
            "method": "GET",
            "uri": f"/v2/stream/{path}?since=0",
        }


@pytest.mark.parametrize("since", ["yesterday", "-", "1.5.1", "2026-13-01"])
async def test_bad_since(gate: Gate, since: str) -> None:
    """A time that is none is a 400 that repeats it."""
    async with gate.session.get(f"{gate.url}/v2/stream/{ONE}?since={since}") as answer:
        problem = await answer.json()
    assert (answer.status, problem["type"], problem["title"]) == (
        400,
        "invalid_timestamp",
        "Invalid timestamp",
    )
    assert problem["detail"].endswith(f"was not parseable: '{since}'")


PLACE = {"topic": EQIAD_ONE, "partition": 0}


@pytest.mark.parametrize(
    "header",
    [
        *("", "17", "{}", "[]", "[1", '["a"]', "[{}]", json.dumps([PLACE])),
        json.dumps([{"topic": EQIAD_ONE, "offset": 1}]),
        *(
            json.dumps([PLACE | wrong])
            for wrong in (
                {"offset": "1"},
                {"offset": -3},
                {"partition": True, "offset": 1},
                {"timestamp": 1.5},
            )
        ),
    ],
)
async def test_bad_last_event_id(gate: Gate, header: str) -> None:
    """A Last-Event-ID that was no event's id is a 400."""
    async with gate.session.get(f"{gate.url}/v2/stream/{ONE}", headers={"Last-Event-ID": header}) as answer:
        problem = await answer.json()
    assert (answer.status, problem["name"], problem["origin"]) == (400, "InvalidAssignmentError", "KafkaSSE")


async def test_topic_of_another_stream(gate: Gate) -> None:
    """A Last-Event-ID leads to no other streams' topics."""
    place = json.dumps([{"topic": EQIAD_OTHER, "partition": 0, "offset": 0}])
    async with gate.session.get(f"{gate.url}/v2/stream/{ONE}", headers={"Last-Event-ID": place}) as answer:
        assert answer.status == 404
        assert await answer.json() == {
            "message": f"Topics {EQIAD_OTHER} are not available for consumption.",
            "origin": "KafkaSSE",
            "name": "TopicNotAvailableError",
            "availableTopics": [EQIAD_ONE, CODFW_ONE],
            "statusCode": 404,
        }


@pytest.mark.parametrize(("stream", "status"), [(ONE, 200), ("no.such.stream", 400)])
async def test_head_and_options(gate: Gate, stream: str, status: int) -> None:
    """T8: HEAD has the headers of GET and ends, OPTIONS names the methods, as Express answers them."""
    url = f"{gate.url}/v2/stream/{stream}"
    async with gate.session.head(url) as answer:
        assert (answer.status, await answer.read()) == (status, b"")
        assert answer.content_type == ("text/event-stream" if status == 200 else "application/json")
    async with gate.session.options(url) as answer:
        assert (answer.status, answer.headers["Allow"], await answer.text()) == (200, "GET,HEAD", "GET,HEAD")


@pytest.mark.parametrize("path", ["/v2/stream", "/v2/stream/", "/v2", f"/v2/stream/{ONE}/more"])
async def test_no_such_route(gate: Gate, path: str) -> None:
    """There is no list of streams here, nor anything else."""
    async with gate.session.get(gate.url + path) as answer:
        assert (answer.status, answer.content_type) == (404, "text/html")


async def test_json_lines(gate: Gate) -> None:
    """For ``Accept: application/json`` there is one event a line, and nothing of SSE."""
    await gate.post([prediction(wiki_id=f"w{number}") for number in range(3)])
    url = f"{gate.url}/v2/stream/{ONE}?since=0"
    async with gate.session.get(url, headers={"Accept": "application/json"}) as response:
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        lines = [await response.content.readline() for _ in range(4)]
    assert lines[0] == b"\n"
    assert [json.loads(line)["wiki_id"] for line in lines[1:]] == ["w0", "w1", "w2"]
    assert json.loads(lines[3])["meta"]["offset"] == 2


async def test_keep_alive() -> None:
    """While nothing happens, comments are written that a client does not take for events."""
    async with gate_with(keep_alive=0.01) as gate, reading(gate) as reader:
        stats = await gate.read("stats")
        assert (stats["requests"], stats["connections"]) == (0, 0)  # which are of EventGate's own routes
        await reader.until(b":keep-alive\n\n" * 3)
        await gate.post(prediction())
        assert wiki_ids(await reader.events(1)) == ["nnwiki"]


async def test_responses_that_end() -> None:
    """Where responses end after some time, they end properly, and what was sent was complete."""
    async with gate_with(max_stream_seconds=0.05) as gate, reading(gate, f"{ONE}?since=0") as reader:
        await gate.post(prediction())
        assert wiki_ids(await reader.rest()) == ["nnwiki"]


async def test_after_a_reset_the_reader_goes_on(gate: Gate) -> None:
    """When all events are forgotten, a reader goes on with those that come then."""
    async with reading(gate) as reader:
        await gate.post([prediction(wiki_id="a"), prediction(wiki_id="b")])
        await reader.events(2)
        await gate.forget()
        await gate.post(prediction(wiki_id="c"))
        (event,) = await reader.events(1)
    assert wiki_ids([event]) == ["c"]
    assert json.loads(event.last_event_id)[0] == {"topic": EQIAD_ONE, "partition": 0, "offset": 1}


async def test_from_the_other_datacentre() -> None:
    """The gate's own datacentre has the events; the other topic is there and empty."""
    async with gate_with(datacentre="codfw") as gate, reading(gate) as reader:
        await gate.post(prediction())
        (event,) = await reader.events(1)
    assert [(place["topic"], place["offset"]) for place in json.loads(event.last_event_id)] == [
        (EQIAD_ONE, 0),
        (CODFW_ONE, 1),
    ]


async def test_a_client_that_goes_leaves_nothing_behind(gate: Gate) -> None:
    """When a reader goes, its response ends, although nothing is being written."""
    before = len(asyncio.all_tasks())
    async with aiohttp.ClientSession() as leaving:
        responses = [await leaving.get(f"{gate.url}/v2/stream/{ONE}") for _ in range(10)]
        assert len(asyncio.all_tasks()) >= before + 10
        for response in responses:
            response.close()
    while len(asyncio.all_tasks()) > before:
        await asyncio.sleep(0)


async def test_a_slow_reader_costs_no_memory() -> None:
    """For a reader that does not keep up nothing is stored: it misses what the store has dropped."""
    async with gate_with(max_events=10, max_body=1 << 20) as gate:
        address = urlsplit(gate.url)
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
            slow.connect((address.hostname, address.port))
            slow.sendall(f"GET /v2/stream/{ONE} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            slow.setblocking(False)
            loop, received = asyncio.get_running_loop(), b""
            while b":ok" not in received:
                received += await loop.sock_recv(slow, 4096)
            count = 200
            for number in range(count):
                await gate.post(prediction(wiki_id=f"w{number}", comment="x" * 200_000))
            while b'"offset":%d}' % (count - 1) not in received[-400_000:]:
                received += await loop.sock_recv(slow, 1 << 20)
    # 40 MB were produced. What came is what fitted into the sockets on the way, and the last ten.
    assert len(received) < 20_000_000
