"""Servers that write what a test says, byte for byte, and what our HTTP client makes of it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from revertrisk.runtime.http_client import HttpClient, Origin
from revertrisk.runtime.http_connection import Response

HEAD = b"HTTP/1.1 200 OK\r\n"
LONG = b"x" * 300_000


@dataclass
class Peer:
    """A TCP server that answers each request on a connection with the next of its scripts, written in pieces."""

    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def origin(self) -> Origin:
        return Origin("http", "127.0.0.1", self.port)


CLOSE = b""
"""A piece of a script: close the connection here."""
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def serving(handle: Handler, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A TCP server on a port; it ends when its clients have gone and its connections are closed."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            await handle(reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls) as server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*tasks)


@asynccontextmanager
async def peer_of(*answers: Sequence[bytes]) -> AsyncIterator[Peer]:
    """Give the answers in turn, the last one for ever, whatever connection asks."""
    peer = Peer()
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer.connections += 1
        while True:
            peer.requests.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in left.pop(0) if len(left) > 1 else left[0]:
                if piece == CLOSE:
                    return
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)

    async with serving(answer) as port:
        peer.port = port
        yield peer


async def ask(http: HttpClient, origin: Origin, *, seconds: float = 5) -> Response:
    url = f"{origin.scheme}://{origin.authority}/w/api.php?a=b"
    return await http.endpoint("GET", url, {"User-Agent": "tests"}).send(timeout=seconds)


def with_length(body: bytes, *headers: bytes) -> bytes:
    return (
        HEAD
        + b"".join(header + b"\r\n" for header in headers)
        + b"Content-Length: %d\r\n\r\n" % len(body)
        + body
    )


HELLO = [with_length(b"hello")]
IN_PIECES = [
    HEAD + b"transfer-encoding: Chunked\r\n\r\n",
    b"5;a=b\r\nhel",
    b"lo\r\n0\r\n",
    b"X: y\r\n\r\n",
]
CUT_SHORT = [HEAD + b"Content-Length: 10\r\n\r\nhello", CLOSE]


@dataclass(frozen=True)
class SilentPeer:
    """A server that takes every request and answers none."""

    origin: Origin
    asked: asyncio.Semaphore
    """Acquired, it waits for a request that nobody has waited for yet."""


@asynccontextmanager
async def silent_peer() -> AsyncIterator[SilentPeer]:
    """A server whose connections end with it."""
    taken: list[asyncio.BaseTransport] = []
    asked = asyncio.Semaphore(0)

    class Silent(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            taken.append(transport)

        def data_received(self, _: bytes) -> None:
            asked.release()

    async with await asyncio.get_running_loop().create_server(Silent, "127.0.0.1", 0) as server:
        yield SilentPeer(Origin("http", "127.0.0.1", server.sockets[0].getsockname()[1]), asked)
        await asyncio.sleep(0)  # one that has just connected is taken yet
        for transport in taken:
            transport.close()
        await asyncio.sleep(0)
