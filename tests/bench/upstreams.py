"""MediaWiki and EventGate for the benchmark: precomputed answers after a set latency, every event recorded.

A process of its own, told what to do over a pipe. One port for both: a GET is a query, a POST an event.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import cast
from urllib.parse import parse_qs, urlsplit

import uvloop

from tests.bench.traffic import Traffic

_ACCEPTED = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"


_UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"
_FAULTS = ("reset", "unavailable")


@dataclass(slots=True)
class _State:
    traffic: Traffic
    mediawiki_seconds: float = 0.0
    eventgate_seconds: float = 0.0
    fault_every: int = 0
    hanging: bytes | None = None
    """The host whose queries are not answered, in lower case."""
    held: list[Callable[[], None]] = field(default_factory=list)
    """Answers to queries for that host, to be sent when it is let go."""
    bodies: list[bytes] = field(default_factory=list)
    queries: int = 0
    answers: int = 0

    def fault(self) -> str | None:
        """Return what this answer has to suffer; every so many do, one kind after the other."""
        self.answers += 1
        if not self.fault_every or self.answers % self.fault_every:
            return None
        return _FAULTS[self.answers // self.fault_every % len(_FAULTS)]


class _Upstream(asyncio.Protocol):
    """One connection: whole requests in, answers out."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no such class

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end])
            length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
            size = end + 4 + int(length or 0)
            if len(self._received) < size:
                return
            body = bytes(self._received[end + 4 : size])
            del self._received[:size]
            fault = self._state.fault()
            if fault == "reset":
                self._transport.abort()
                return
            if fault == "unavailable":
                self._send([_UNAVAILABLE], 0.0)
            elif head.startswith(b"POST"):
                self._state.bodies.append(body)
                self._send([_ACCEPTED], self._state.eventgate_seconds)
            else:
                self._state.queries += 1
                self._answer_query(head)

    def _answer_query(self, head: bytes) -> None:
        answer = partial(self._send, self._document(head), self._state.mediawiki_seconds)
        hanging = self._state.hanging
        if hanging is not None and b"\r\nhost: " + hanging in head.lower():
            self._state.held.append(answer)
        else:
            answer()

    def _document(self, head: bytes) -> list[bytes]:
        query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
        pieces = self._state.traffic.answer(map(int, query["revids"][0].split("|")))
        answer_head = (
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: %d\r\n\r\n"
        )
        return [answer_head % sum(map(len, pieces)), *pieces]

    def _send(self, answer: list[bytes], seconds: float) -> None:
        if seconds:
            asyncio.get_running_loop().call_later(seconds, self._write, answer)
        else:
            self._write(answer)

    def _write(self, answer: list[bytes]) -> None:
        if not self._transport.is_closing():
            self._transport.writelines(answer)


def _serve(pipe: Connection) -> None:
    state = _State(Traffic([]))

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Upstream(state), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        stopped = loop.create_future()
        loop.add_reader(pipe.fileno(), _obey, pipe, state, stopped)
        await stopped

    asyncio.Runner(loop_factory=uvloop.new_event_loop).run(run())


def _obey(pipe: Connection, state: _State, stopped: asyncio.Future[None]) -> None:
    """Take one order: new edits, new latencies, or to hand over what was recorded."""
    os.set_blocking(pipe.fileno(), True)  # which the event loop has changed
    try:
        order, value = pipe.recv()
    except EOFError:
        if not stopped.done():
            stopped.set_result(None)
        return
    if order == "traffic":
        state.traffic = value
    elif order == "latency":
        state.mediawiki_seconds, state.eventgate_seconds = value
    elif order == "faults":
        state.fault_every = value
    elif order == "hang":
        state.hanging = value
        held, state.held = state.held, []
        for answer in held:
            answer()
    reply = None
    if order == "take":
        reply = (state.bodies, state.queries)
        state.bodies, state.queries = [], 0
    pipe.send(reply)


class Upstreams:
    """The benchmark's side of the pipe."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.url = f"http://127.0.0.1:{pipe.recv()}"

    def serve(self, traffic: Traffic) -> None:
        """Answer for this traffic from now on."""
        self._order("traffic", traffic)

    def wait(self, mediawiki_ms: int, eventgate_ms: int) -> None:
        """Set the latencies of every answer from now on."""
        self._order("latency", (mediawiki_ms / 1000, eventgate_ms / 1000))

    def fail(self, every: int) -> None:
        """Let every so many answers fail: by a reset connection and by a 503, in turn."""
        self._order("faults", every)

    def hang(self, host: str | None) -> None:
        """Hold all queries for a wiki's host from now on; None lets them go, and those that wait are answered."""
        self._order("hang", None if host is None else host.lower().encode())

    def take(self) -> tuple[list[bytes], int]:
        """Return the event bodies and the number of queries since the last time, and forget them."""
        return cast("tuple[list[bytes], int]", self._order("take", None))

    def _order(self, order: str, value: object) -> object:
        self._pipe.send((order, value))
        return self._pipe.recv()


@contextmanager
def upstreams() -> Iterator[Upstreams]:
    """Run the upstreams in a process of their own."""
    context = get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield Upstreams(here)
    finally:
        here.close()
        process.join(5)
        process.terminate()
