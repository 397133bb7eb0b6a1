"""An HTTP server on a loopback port that answers as a script says, and remembers everything it was sent."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True)
class Reply:
    """An answer; a dict becomes JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def outcome(cls, outcome: str) -> "Reply":
        """A model server's 200."""
        return cls(headers={"x-revertrisk-outcome": outcome})


class Misbehaviour(Enum):
    """What a server can do instead of answering."""

    RESET = auto()
    """Close the connection without a word."""
    CUT = auto()
    """Close it in the middle of the body of a 200."""
    HANG = auto()
    """Never answer."""
    GIBBERISH = auto()
    """Send something that is not HTTP."""


Answer = Reply | Misbehaviour
PRODUCED = Reply.outcome("produced")


@dataclass
class Seen:
    """One request as it came over the wire."""

    method: str
    raw_path: str
    headers: Mapping[str, str]
    raw_headers: list[tuple[str, str]]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


class ScriptedServer:
    """Asks ``script`` for each answer; by default everything is produced."""

    def __init__(self) -> None:
        self.script: Callable[[Seen], Answer] = lambda _: PRODUCED
        self.seen: list[Seen] = []
        self.forgetful = False
        """Do not keep what was seen: for a test that sends a great deal."""
        self.now = 0
        """Requests being answered at the moment."""
        self.most = 0
        """The largest ``now`` so far."""
        self.gate = asyncio.Event()
        """Answers wait for it; open unless a test closes it."""
        self.gate.set()
        self.closing = asyncio.Event()
        """The end of the server: what hangs until then is let go."""
        self.url = ""
        self._arrival = asyncio.Condition()

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with self._arrival:
            await self._arrival.wait_for(lambda: len(self.seen) >= count)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen(
            request.method,
            request.raw_path,
            request.headers,
            [(name.decode(), value.decode()) for name, value in request.raw_headers],
            await request.read(),
        )
        async with self._arrival:
            if not self.forgetful:
                self.seen.append(seen)
            self._arrival.notify_all()
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            answer = self.script(seen)
            await self.gate.wait()
            return await self._answer(request, answer)
        finally:
            self.now -= 1

    async def _answer(self, request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
        if isinstance(answer, Reply):
            is_bytes = isinstance(answer.body, bytes)
            body = answer.body if is_bytes else orjson.dumps(answer.body)
            return web.Response(status=answer.status, body=body, headers=answer.headers)
        if answer is Misbehaviour.HANG:
            await self.closing.wait()
        assert request.transport is not None
        if answer is Misbehaviour.GIBBERISH:
            request.transport.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
        if answer is Misbehaviour.CUT:
            response = web.StreamResponse(headers={"content-length": "1000", **PRODUCED.headers})
            await response.prepare(request)
            await response.write(b"{")
            request.transport.close()
            return response
        request.transport.close()
        return web.Response()


def bound_socket() -> socket.socket:
    """A loopback socket whose port is taken and refuses connections until somebody listens on it."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


def address_of(bound: socket.socket) -> str:
    """The base address of a server on this socket."""
    return f"http://127.0.0.1:{bound.getsockname()[1]}"


@asynccontextmanager
async def scripted_server(on: socket.socket | None = None) -> AsyncIterator[ScriptedServer]:
    """Run a scripted server, on a port of its own or on a bound socket."""
    scripted = ScriptedServer()
    runner = web.ServerRunner(web.Server(scripted.handle), shutdown_timeout=1)
    await runner.setup()
    bound = on or bound_socket()
    await web.SockSite(runner, bound).start()
    scripted.url = address_of(bound)
    try:
        yield scripted
    finally:
        scripted.gate.set()
        scripted.closing.set()
        await runner.cleanup()
