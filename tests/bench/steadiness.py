"""What a large page and saturation do to everybody else: latencies, health checks and the event loop's lag."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import aiohttp

from tests.bench.load import Shot, quantile, shoot
from tests.bench.loop_lag import LAG_METRIC
from tests.bench.processes import Server
from tests.bench.traffic import Edit, Traffic

LARGE_BYTES = 2_000_000
RATE = 100
"""Requests a second."""
LARGE_EVERY = RATE
"""One request in so many is for a large page: one a second."""
CALLERS = 64
HEALTH_SECONDS = 0.02
"""Between two health checks at saturation."""


@dataclass(frozen=True, slots=True)
class Slice:
    """What was seen in a few seconds at a steady rate."""

    numbers: tuple[int, ...]
    others_p99_ms: float
    """Of the requests for small pages."""
    large_p50_ms: float | None
    lag_ms: float
    """The longest that the server's event loop was late."""


@dataclass(frozen=True, slots=True)
class Health:
    """Health checks while as many callers as the server can bear wait for scores."""

    p50_ms: float
    p99_ms: float
    rate: float
    """Scores a second meanwhile."""


@dataclass(frozen=True, slots=True)
class Steadiness:
    """Everything that this module has measured."""

    model: str
    pairs: Sequence[tuple[Slice, Slice]]
    """Without the large page and with it, one after the other."""
    health: Health


def with_large_page(small: Sequence[Edit], large: Edit) -> Traffic:
    """Return traffic of which the last one's turn comes once in :data:`LARGE_EVERY` numbers."""
    return Traffic([*(small[number % len(small)] for number in range(LARGE_EVERY - 1)), large])


def is_large(number: int) -> bool:
    """Tell whether an event's number is a large page's turn."""
    return number % LARGE_EVERY == LARGE_EVERY - 1


async def steady(
    server: Server, path: str, traffic: Traffic, first: int, *, large: bool, seconds: float
) -> Slice:
    """Ask at a steady rate, with the large page among the others or without it."""
    small_ms: list[float] = []
    large_ms: list[float] = []
    wanted = (number for number in range(first, 10**11) if large or not is_large(number))
    numbers = [next(wanted) for _ in range(int(seconds * RATE))]
    server.metric(LAG_METRIC)  # which begins anew when it is read
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(number: int) -> None:
            began = time.perf_counter()
            url = f"http://127.0.0.1:{server.port}{path}"
            async with session.post(url, data=traffic.body(number)) as answer:
                await answer.read()
                answer.raise_for_status()
            (large_ms if is_large(number) else small_ms).append(1000 * (time.perf_counter() - began))

        await _at_a_rate(numbers, ask)
    lag = server.metric(LAG_METRIC)
    return Slice(
        tuple(numbers), quantile(small_ms, 0.99), quantile(large_ms, 0.5) if large_ms else None, 1000 * lag
    )


async def health_at_saturation(
    server: Server, requests: Iterator[tuple[int, bytes]], seconds: float
) -> tuple[Shot, Health]:
    """Check health all the time while the server has all that it can do."""
    latencies: list[float] = []

    async def check() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                began = time.perf_counter()
                async with session.get(f"http://127.0.0.1:{server.port}/v2/health/ready") as answer:
                    await answer.read()
                    answer.raise_for_status()
                latencies.append(1000 * (time.perf_counter() - began))
                await asyncio.sleep(HEALTH_SECONDS)

    checking = asyncio.create_task(check())
    shot = await shoot(server.port, requests, concurrency=CALLERS, seconds=seconds)
    checking.cancel()
    await asyncio.wait([checking])
    rate = len(shot.latencies) / shot.seconds
    return shot, Health(quantile(latencies, 0.5), quantile(latencies, 0.99), rate)


async def _at_a_rate(numbers: Iterable[int], ask: Callable[[int], Awaitable[None]]) -> None:
    began = time.perf_counter()
    async with asyncio.TaskGroup() as asking:
        for count, number in enumerate(numbers):
            await asyncio.sleep(max(0.0, began + count / RATE - time.perf_counter()))
            asking.create_task(ask(number))  # type: ignore[arg-type]  # it is a coroutine
