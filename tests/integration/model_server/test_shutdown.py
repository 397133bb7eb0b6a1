"""SIGTERM: not ready at once, still serving for a while, then gone with status 0 (DESIGN 14)."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.fakes.clients import MODEL, Client, StartServer
from tests.fakes.loopback import held_port, serving


async def readiness(client: Client, server: str) -> int:
    async with client.session.get(f"{server}/v2/health/ready") as answer:
        return answer.status


async def until_draining(client: Client, server: str) -> None:
    """Wait until the signal has arrived."""
    while await readiness(client, server) != 503:
        await asyncio.sleep(0)


async def until_gone(client: Client, server: str) -> None:
    """Wait until the listener is closed."""
    with contextlib.suppress(aiohttp.ClientConnectionError):
        while await readiness(client, server):
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


async def test_s9_grpc_health_follows_readiness_and_who_watches_it_holds_nothing_up(
    start_server: StartServer, sample_wiki: str
) -> None:
    """S9: a watcher is told of the signal at once, and is let go when the delay is over."""
    import grpc  # noqa: PLC0415
    from grpc_health.v1 import health_pb2, health_pb2_grpc  # noqa: PLC0415

    answers = health_pb2.HealthCheckResponse
    with (
        held_port() as port,
        start_server(
            WIKI_URL=sample_wiki, ENABLE_GRPC="true", GRPC_PORT=str(port), SHUTDOWN_DELAY_SECONDS="60"
        ) as program,
    ):
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            watching = stub.Watch(health_pb2.HealthCheckRequest())
            assert (await watching.read()).status == answers.SERVING
            program.process.send_signal(signal.SIGTERM)
            assert (await watching.read()).status == answers.NOT_SERVING
            checked = await stub.Check(health_pb2.HealthCheckRequest())
            assert checked.status == answers.NOT_SERVING
            program.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(program.process.wait, 20) == 0  # the grace period is 30 s
        assert "UsageError" not in program.log.read_text()


async def test_after_the_delay_the_server_is_gone(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """With nothing in flight it exits 0 as soon as the delay is over."""
    with start_server(WIKI_URL=sample_wiki) as program:
        program.process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(program.process.wait, 30) == 0
        with pytest.raises(aiohttp.ClientConnectionError):
            await readiness(client, program.url)


async def test_what_is_still_in_flight_when_the_grace_is_over_is_told_to_come_back(
    client: Client, start_server: StartServer
) -> None:
    """Neither a bare 500 nor silence: 503, which the dispatcher retries."""
    arrived = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def hang(_: web.Request) -> web.Response:
        loop.call_soon_threadsafe(arrived.set)
        await asyncio.sleep(3600)
        raise AssertionError

    app = web.Application()
    app.router.add_get("/w/api.php", hang)
    with (
        serving(app) as wiki,
        start_server(
            WIKI_URL=wiki, AIOHTTP_CLIENT_TIMEOUT="60", REQUEST_DEADLINE="60", SHUTDOWN_GRACE_SECONDS="1"
        ) as program,
    ):
        request = asyncio.create_task(client.predict(program.url, {"lang": "en", "rev_id": 1}))
        await arrived.wait()
        program.process.send_signal(signal.SIGTERM)
        reply = await request
        assert (reply.status, reply.body["code"]) == (503, "not_ready")
        assert await asyncio.to_thread(program.process.wait, 30) == 0


async def test_a_grpc_call_in_flight_gets_its_answer(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """What it works with is closed when gRPC is done as well, and new calls are refused by then."""
    from kserve import InferenceGRPCClient, InferInput, InferRequest  # noqa: PLC0415 - slow to import

    arrived, released = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    async def answer_late(request: web.Request) -> web.Response:
        loop.call_soon_threadsafe(arrived.set)
        await asyncio.to_thread(released.wait)
        headers = {"Host": request.headers["Host"]}
        async with (
            aiohttp.ClientSession() as session,
            session.get(sample_wiki + request.path_qs, headers=headers) as answer,
        ):
            return web.json_response(await answer.json())

    app = web.Application()
    app.router.add_get("/w/api.php", answer_late)
    call = InferInput("request", [1], "BYTES", ['{"lang": "en", "rev_id": 456789}'])
    with (
        serving(app) as wiki,
        held_port() as port,
        start_server(WIKI_URL=wiki, ENABLE_GRPC="true", GRPC_PORT=str(port)) as program,
    ):
        async with InferenceGRPCClient(url=f"127.0.0.1:{port}") as grpc_client:
            request = InferRequest(model_name=MODEL, infer_inputs=[call])
            called = asyncio.create_task(grpc_client.infer(request))
            await arrived.wait()
            program.process.send_signal(signal.SIGTERM)
            await until_gone(client, program.url)
            await asyncio.sleep(0.5)  # in which a server that closes too early would do so
            released.set()
            outputs = {output.name: output.data for output in (await called).outputs}
        assert 0 < outputs["probability"][0] < 1
        assert await asyncio.to_thread(program.process.wait, 30) == 0


@pytest.mark.ci("kill loops")
@pytest.mark.parametrize("enable_grpc", ["false", "true"])
async def test_a_signal_at_any_moment_of_the_start_is_a_clean_exit(
    start_server: StartServer, sample_wiki: str, logs: Path, enable_grpc: str
) -> None:
    """A pod that is evicted while it starts does not look like a crash."""
    for pause in (0.05, 1.0, 2.0, 2.5, 3.0):
        log = logs / f"early-{enable_grpc}-{pause}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: ASYNC220 - forking takes a moment
                [sys.executable, "-m", "revertrisk.cli.app", "serve"],
                env={
                    **os.environ,
                    "HTTP_PORT": "0",
                    "GRPC_PORT": "0",
                    "ENABLE_GRPC": enable_grpc,
                    "SHUTDOWN_DELAY_SECONDS": "0",
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            await asyncio.sleep(pause)
            process.terminate()
            status = await asyncio.to_thread(process.wait, 30)
        # Before our own handler is there, Python has not begun; the signal then ends it as it ends any program.
        assert status in (0, -signal.SIGTERM), log.read_text()[-2000:]
