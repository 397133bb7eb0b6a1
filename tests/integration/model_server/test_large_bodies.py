"""Large requests cannot take all memory: those that are too much together are told to come again."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import orjson
import pytest

from model_server.admission import MAX_HELD_BODY_BYTES
from tests.fakes.clients import Client

LARGE = 9_900_000
"""Below what one body may be."""
ENOUGH = math.ceil(MAX_HELD_BODY_BYTES / LARGE)
V1, V2 = "/v1/models/revertrisk-language-agnostic:predict", "/v2/models/revertrisk-language-agnostic/infer"


@asynccontextmanager
async def unfinished(server: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    """A request of which all but the last byte of a large body is sent."""
    parts = urlsplit(server)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        writer.write(f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {LARGE}\r\n\r\n".encode())
        writer.write(b" " * (LARGE - 1))
        yield reader
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("path", [V1, V2])
async def test_large_bodies_together_are_refused_and_small_ones_are_not(
    client: Client, scorer: str, path: str
) -> None:
    """503 for one of them at once, before it is complete; a score meanwhile; and room again once they have gone."""
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(unfinished(scorer, path)) for _ in range(ENOUGH)]
        answers = [asyncio.create_task(reader.readuntil(b"}")) for reader in readers]
        done, waiting = await asyncio.wait(answers, return_when=asyncio.FIRST_COMPLETED)
        head, _, body = done.pop().result().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert orjson.loads(body)["code"] == "overloaded"
        assert (await client.predict(scorer, {"lang": "en", "rev_id": 456789})).status == 200
        for answer in waiting:
            answer.cancel()
        await asyncio.wait(answers)
    while (reply := await client.predict(scorer, b" " * LARGE)).status == 503:
        assert reply.body["code"] == "overloaded"  # until the server has noticed that they have gone
    assert (reply.status, reply.body["code"]) == (400, "invalid_json")
