"""The load generator: so many connections, each with one request under way, for so long."""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast


class BadAnswerError(Exception):
    """The server answered with something else than 200."""


def quantile(values: Sequence[float], share: float) -> float:
    """Return the least value that so large a share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


@dataclass(slots=True)
class Shot:
    """What one run of the load generator saw."""

    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    """In seconds, one for each request."""
    numbers: list[int] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    def __init__(self, requests: Iterator[tuple[int, bytes]], shot: Shot, stop_at: float) -> None:
        self._requests = requests
        self._shot = shot
        self._stop_at = stop_at
        self._received = bytearray()
        self._is_over = False
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's is of no such class
        self._ask()

    def _ask(self) -> None:
        asked = next(self._requests, None) if time.perf_counter() < self._stop_at else None
        if asked is None:
            self._is_over = True
            self._transport.close()
            return
        self._number, request = asked
        self._started = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(self._received) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 200"):
            self.done.set_exception(BadAnswerError(bytes(self._received).decode()))
            self._transport.close()
            return
        self._shot.latencies.append(time.perf_counter() - self._started)
        self._shot.numbers.append(self._number)
        self._received.clear()
        self._ask()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            if exc is None and self._is_over:
                self.done.set_result(None)
            else:
                self.done.set_exception(exc or ConnectionResetError("the server closed the connection"))


async def shoot(
    port: int, requests: Iterator[tuple[int, bytes]], *, concurrency: int, seconds: float
) -> Shot:
    """Ask for so many seconds, or while there are requests, and wait for the last answers.

    Raises :class:`BadAnswerError` at the first answer that is not 200.
    """
    shot = Shot()
    loop = asyncio.get_running_loop()
    started = time.perf_counter()
    connections = [
        (
            await loop.create_connection(
                lambda: _Connection(requests, shot, started + seconds), "127.0.0.1", port
            )
        )[1]
        for _ in range(concurrency)
    ]
    await asyncio.gather(*(connection.done for connection in connections))
    shot.seconds = time.perf_counter() - started
    return shot
