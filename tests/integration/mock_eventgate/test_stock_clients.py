"""Clients that were written for Wikimedia's EventStreams work against ``/v2/stream/…`` as they are."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import requests_sse

from mock_eventgate import Options, listening
from revertrisk.streams.sse import ServerSentEventParser
from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate, prediction

NAMES = [f"w{number}" for number in range(300)]
CUTS = range(9_000, 1_000_000, 1_234)


@asynccontextmanager
async def gate_that_ends_responses() -> AsyncIterator[Gate]:
    """Run a mock EventGate that ends each response after a moment."""
    options = Options(max_stream_seconds=0.02)
    async with aiohttp.ClientSession() as session, listening(options=options) as url:
        yield Gate(session, url)


@asynccontextmanager
async def cutting_proxy(url: str, cuts: Iterable[int]) -> AsyncIterator[str]:
    """Run a proxy that cuts each connection after so many bytes of its answer, in the middle of anything."""
    address, after = urlsplit(url), iter(cuts)

    async def connection(client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        server, forth = await asyncio.open_connection(address.hostname, address.port)
        forth.write(await client.readuntil(b"\r\n\r\n"))
        left = next(after)
        while left > 0 and (data := await server.read(left)):
            back.write(data)
            left -= len(data)
        for writer in (back, forth):
            writer.close()

    async with await asyncio.start_server(connection, "127.0.0.1", 0) as proxy:
        host, port = proxy.sockets[0].getsockname()
        yield f"http://{host}:{port}"


async def produce(gate: Gate) -> None:
    """Post an event for each of `NAMES`, alternating between two streams."""
    for number, name in enumerate(NAMES):
        assert await gate.post(prediction((ONE, OTHER)[number % 2], name)) == 201


def read_with_requests_sse(url: str) -> tuple[list[str], int]:
    """Read the wikis of as many events as `NAMES`, as Wikitech's Python example does; count the connections."""
    names: list[str] = []
    connections: list[str] = []
    with requests_sse.EventSource(
        url,
        timeout=30,
        reconnection_time=timedelta(milliseconds=1),
        on_open=lambda: connections.append("open"),
    ) as stream:
        for event in stream:
            assert event.type == "message"
            names.append(json.loads(event.data)["wiki_id"])
            if len(names) == len(NAMES):
                break
    return names, len(connections)


async def test_requests_sse_resumes_after_each_end() -> None:
    """The library of Pywikibot and of Wikitech's example reads on through many ends, live, without loss."""
    async with gate_that_ends_responses() as gate:
        url = f"{gate.url}/v2/stream/{ONE},{OTHER}?since=0"
        reading = asyncio.create_task(asyncio.to_thread(read_with_requests_sse, url))
        await produce(gate)
        names, connections = await reading
    assert names == NAMES
    assert connections > 1


async def test_requests_sse_resumes_after_each_cut(gate: Gate) -> None:
    """Nor does it lose or repeat any where the connection breaks in the middle of an event."""
    await produce(gate)
    async with cutting_proxy(gate.url, CUTS) as url:
        names, connections = await asyncio.to_thread(
            read_with_requests_sse, f"{url}/v2/stream/{ONE},{OTHER}?since=0"
        )
    assert names == NAMES
    assert connections > 5


async def test_our_parser_resumes_after_each_cut(gate: Gate) -> None:
    """The project's own parser, with nothing but Last-Event-ID, does the same."""
    await produce(gate)
    names: list[str] = []
    last_event_id = ""
    async with cutting_proxy(gate.url, CUTS) as url:
        while len(names) < len(NAMES):
            headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
            parser = ServerSentEventParser(last_event_id=last_event_id)
            try:
                async with gate.session.get(
                    f"{url}/v2/stream/{ONE},{OTHER}?since=0", headers=headers
                ) as response:
                    async for chunk in response.content.iter_any():
                        names += [json.loads(event.data)["wiki_id"] for event in parser.feed(chunk)]
                        if len(names) == len(NAMES):
                            break
            except aiohttp.ClientError:
                pass
            last_event_id = parser.last_event_id
    assert names == NAMES


async def curl(*arguments: str) -> bytes:
    """Run curl until the response ends, and return what it printed."""
    process = await asyncio.create_subprocess_exec(
        "curl", "--silent", "--show-error", "--no-buffer", *arguments, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output


async def test_curl() -> None:
    """curl shows the events as they are, with or without the SSE framing."""
    async with gate_that_ends_responses() as gate:
        await gate.post(prediction())
        url = f"{gate.url}/v2/stream/{ONE}?since=2026-01-31T12:00:00Z"
        framed = await curl(url)
        lines = await curl("--header", "Accept: application/json", url)
    (event,) = ServerSentEventParser().feed(framed)
    document: Any = json.loads(event.data)
    assert framed.startswith(b":ok\n\nevent: message\nid: [{")
    assert document["meta"]["topic"] == f"eqiad.{ONE}"
    assert json.loads(lines) == document
