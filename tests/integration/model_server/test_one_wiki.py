"""A burst of one wiki waits for its turn, and leaves places to the others."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.edited_wikis import EditedWikis

SLOTS = 80
"""Requests that change-propagation has under way at most: 16 workers, 5 each."""
SHARE = 133
"""Of the default QUEUE_LIMIT of 200, what one wiki gets."""


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """As many connections as there are callers."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        yield Client(session)


@pytest.fixture(scope="module")
def server(start_server: StartServer, wikis: EditedWikis, gate: str) -> Iterator[str]:
    """A server with the default limits that waits long for MediaWiki."""
    with start_server(
        WIKI_URL=wikis.url,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        AIOHTTP_CLIENT_TIMEOUT="60",
        REQUEST_DEADLINE="120",
    ) as program:
        yield program.url


async def test_s7_a_burst_of_one_wiki_waits_and_another_wiki_is_served(
    client: Client, server: str, wikis: EditedWikis
) -> None:
    """One wiki gets 133 of 200 places, more than a dispatcher's 80; one more is refused, and another wiki served."""
    async with client.session.put(
        f"{wikis.url}/_mock/faults", json=[{"kind": "delay", "seconds": 3600, "wiki_id": "enwiki"}]
    ):
        pass
    callers = [
        asyncio.create_task(client.predict(server, {"event": wikis.plain_edit()})) for _ in range(SHARE + 1)
    ]
    # MediaWiki answers none of them: the first to be answered is the one that is refused, once all others wait.
    done, waiting = await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
    refused = await done.pop()
    assert (refused.status, refused.body["code"]) == (503, "overloaded")
    assert refused.body["error"] == "too many requests for this wiki are being served"
    assert (await client.predict(server, {"event": wikis.event(1, "dewiki")})).outcome == "produced"
    assert (len(done), len(waiting)) == (0, SHARE)
    assert not any(task.done() for task in waiting)
    async with client.session.delete(f"{wikis.url}/_mock/faults"):
        pass
    assert {reply.outcome for reply in await asyncio.gather(*waiting)} == {"produced"}
    assert len(waiting) > SLOTS
