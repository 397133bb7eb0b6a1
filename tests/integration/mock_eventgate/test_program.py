"""The mock EventGate as a program: it says where it listens, and ends when told to."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.integration.mock_eventgate.gate_client import ONE, Gate, prediction

ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def program(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the program; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "revertrisk.cli.app",
        "mock-eventgate",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def address(process: asyncio.subprocess.Process) -> str:
    """Return the address that it prints once it can be reached."""
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("mock EventGate listening on ")
    return line.split()[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_listens_and_ends(number: signal.Signals) -> None:
    """It prints its address once it can be reached, and exits 0 on SIGTERM and SIGINT."""
    async with program("--port", "0") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as session, session.get(f"{url}/v1/_test/events") as answer:
            assert answer.status == 201
            process.send_signal(number)
            rest, errors = await process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


async def test_bad_stream_config(tmp_path: Path) -> None:
    """A bad stream configuration stops the start with its reason."""
    path = tmp_path / "streams.yaml"
    path.write_text("my.stream: {}")
    async with program("--port", "0", "--stream-config", str(path)) as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert f"{path}: my.stream.schema_title: expected a schema title" in errors.decode()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--max-body", "0"), "max_body: expected a positive number, not 0"),
        (("--port", "99999"), "port: expected a number from 0 to 65535, not 99999"),
        (("--max-stream-seconds", "0"), "max_stream_seconds: expected a positive number, not 0.0"),
        (("--event-ids", "hash"), "Invalid value for '--event-ids'"),
        (("--port", "x"), "Invalid value for '--port'"),
    ],
)
async def test_bad_argument(arguments: tuple[str, ...], reason: str) -> None:
    """A bad argument stops the start with its reason, without a traceback."""
    async with program(*arguments) as process:
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert reason in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("kind", ["hang", "accept_then_hang"])
async def test_ends_with_requests_open(kind: str) -> None:
    """Requests that hang and streams that are being read do not hold it up, nor make a noise."""
    async with program("--port", "0") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as session:
            gate = Gate(session, url)
            await gate.set_faults({"kind": kind})
            hanging = asyncio.create_task(gate.post(prediction()))
            await gate.fired(kind)
            async with session.get(f"{url}/v2/stream/{ONE}") as stream:
                process.terminate()
                assert await stream.read() == b":ok\n\n"
            with pytest.raises(aiohttp.ClientError):
                await hanging
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_reset_connections() -> None:
    """A reset makes no noise on stderr, and the next request is served."""
    async with program("--port", "0") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as session:
            gate = Gate(session, url)
            await gate.set_faults({"kind": "reset", "next": 1}, {"kind": "accept_then_reset", "next": 1})
            for _ in range(2):
                with pytest.raises(aiohttp.ClientOSError):
                    await gate.post(prediction())
            assert await gate.post(prediction()) == 201
        process.terminate()
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")


async def test_stream_options() -> None:
    """What /v2/stream's event ids are made of, and when its responses end, can be chosen."""
    async with program("--port", "0", "--event-ids", "timestamp", "--max-stream-seconds", "0.01") as process:
        url = await address(process)
        async with aiohttp.ClientSession() as session:
            await Gate(session, url).post(prediction())
            async with session.get(f"{url}/v2/stream/{ONE}?since=0") as stream:
                assert b'"timestamp":1769860801251}' in await stream.read()


async def test_client_that_goes_away() -> None:
    """A client that leaves in the middle of its body does not disturb the next one."""
    async with program("--port", "0") as process:
        url = await address(process)
        host, port = url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        head = "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n"
        writer.write(f"{head}[".encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with aiohttp.ClientSession() as session, session.get(f"{url}/_mock/stats") as answer:
            assert (await answer.json())["accepted"] == {}
        process.terminate()
        _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
