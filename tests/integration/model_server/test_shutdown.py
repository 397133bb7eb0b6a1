"""SIGTERM: not ready at once, still serving for a while, then gone with status 0 (DESIGN 14)."""

import asyncio
import signal

import aiohttp
import pytest

from tests.fakes.clients import MODEL, Client, StartServer


async def readiness(client: Client, server: str) -> int:
    async with client.session.get(f"{server}/v2/health/ready") as answer:
        return answer.status


async def until_draining(client: Client, server: str) -> None:
    """Wait until the signal has arrived."""
    while await readiness(client, server) != 503:
        await asyncio.sleep(0)


async def test_a_draining_server_is_not_ready_but_serves(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """E45: a refused connection is final for change-propagation, so predictions go on while traffic moves away."""
    with start_server(WIKI_URL=sample_wiki, SHUTDOWN_DELAY_SECONDS="60") as program:
        assert await readiness(client, program.url) == 200
        program.process.send_signal(signal.SIGTERM)
        await until_draining(client, program.url)
        for path in ("/v2/health/ready", f"/v1/models/{MODEL}", f"/v2/models/{MODEL}/ready"):
            async with client.session.get(program.url + path) as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "not_ready")
        reply = await client.predict(program.url, {"lang": "en", "rev_id": 456789})
        assert (reply.status, reply.headers["connection"]) == (200, "close")
        program.process.send_signal(signal.SIGTERM)  # a second signal ends the delay
        assert await asyncio.to_thread(program.process.wait, 30) == 0


async def test_after_the_delay_the_server_is_gone(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """With nothing in flight it exits 0 as soon as the delay is over."""
    with start_server(WIKI_URL=sample_wiki) as program:
        program.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(program.process.wait, 30) == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            await readiness(client, program.url)
