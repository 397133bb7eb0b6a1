"""Each answer leaves in one piece, and nothing is held for longer than a turn of the event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, cast

import uvicorn
import uvloop

from model_server.kserve_shell.single_write import BODY_IS_HERE, CoalescingTransport, SingleWriteProtocol

LARGE = b"x" * 3_000_000


class Written:
    """Stands where the event loop's transport does, and notes each call that would be a system call."""

    def __init__(self) -> None:
        self.calls: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.calls.append(data)

    def close(self) -> None:
        self.calls.append(b"CLOSED")

    def is_closing(self) -> bool:
        return self.calls[-1:] == [b"CLOSED"]


def holding() -> tuple[Written, CoalescingTransport]:
    written = Written()
    return written, CoalescingTransport(cast("asyncio.Transport", written), asyncio.get_running_loop())


async def test_head_and_body_are_one_write() -> None:
    """Written in the same turn, as uvicorn does with every answer of ours."""
    written, transport = holding()
    transport.write(b"head ")
    transport.write(b"body")
    assert written.calls == [b"head body"]
    await asyncio.sleep(0)
    assert written.calls == [b"head body"]


async def test_what_comes_alone_leaves_at_the_end_of_the_turn() -> None:
    """A 100 Continue has nothing after it: the client waits for it before it sends more."""
    written, transport = holding()
    transport.write(b"continue")
    assert written.calls == []
    await asyncio.sleep(0)
    assert written.calls == [b"continue"]


async def test_closing_sends_what_is_held_first() -> None:
    """An answer to a broken request is one write and a close."""
    written, transport = holding()
    transport.write(b"400")
    transport.close()
    await asyncio.sleep(0)
    assert written.calls == [b"400", b"CLOSED"]
    assert transport.is_closing()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answers with its path, with a large body in three parts, or with whether the request's body was all there."""
    body = [scope["path"].encode()]
    if scope["path"] == "/large":
        body = [LARGE, b"", b"end"]
    elif scope["method"] == "POST":
        body = [b"whole" if scope.get(BODY_IS_HERE) else b"begun"]
        while (await receive())["more_body"]:
            pass
    length = str(sum(map(len, body))).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
    for number, part in enumerate(body, 1):
        await send({"type": "http.response.body", "body": part, "more_body": number < len(body)})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a uvicorn with our protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            application, http=SingleWriteProtocol, ws="none", lifespan="off", log_config=None
        )
        server = uvicorn.Server(config)
        task = asyncio.create_task(server.serve([listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=2 * len(LARGE))
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await task


def on_uvloop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in the event loop that is used in production."""

    @wraps(test)
    def run() -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test())

    return run


@on_uvloop
async def test_pipelined_requests_are_answered_in_order() -> None:
    """And each in full, over one connection."""
    async with serving() as (reader, writer):
        writer.write(b"".join(b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5)))
        for number in range(5):
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\n")
            assert await reader.readexactly(2) == b"/%d" % number


@on_uvloop
async def test_a_body_that_does_not_fit_the_sockets_buffer_arrives_whole() -> None:
    """What the kernel does not take at once is sent when it does; uvicorn is told to wait meanwhile."""
    async with serving() as (reader, writer):
        writer.write(b"GET /large HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        assert answer.partition(b"\r\n\r\n")[2] == LARGE + b"end"


@on_uvloop
async def test_a_request_says_whether_all_of_its_body_is_there() -> None:
    """Also the second one on a connection, and one without a body."""
    async with serving() as (reader, writer):
        for body in (b"at once", b""):
            writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await reader.readuntil(b"\r\n\r\n")
            assert await reader.readexactly(5) == b"whole"
        # This one is only sent once the application has asked for it.
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"later")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == b"begun"
