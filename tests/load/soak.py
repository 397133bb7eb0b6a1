"""A soak: our server at a steady rate, with pages of all sizes and a few faults, watched for growth.

Run it as a program: ``python tests/load/soak.py [--seconds 3600]``. It prints memory and open files by thirds of the
time, health, the event loop's lag, and answers and events by how they ended. It ends with status 1 if memory or open
files have grown, an event was not delivered, or an answer was something else than the faults explain.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

sys.path.insert(0, str(Path(__file__).parents[2]))

from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.bench.compute import supported
from tests.bench.load import quantile
from tests.bench.loop_lag import LAG_METRIC
from tests.bench.processes import Server, running
from tests.bench.traffic import Traffic, edits, rev_id
from tests.bench.upstreams import Upstreams, upstreams

MODEL = "revertrisk-multilingual"
LATENCY_MS = 20
SIZES = {100_000: 10, 500_000: 3, 2_000_000: 1}
"""How many edits of longer texts there are, by the texts' bytes; the others have what the samples have."""
FAULT_EVERY = 97
WARM_UP_SECONDS = 10.0
MOST_GROWTH = 1.05
"""Of the resident memory, from the first third to the last."""
MORE_FILES = 10
"""Open files that the last third may have above the first, each at its quietest moment.

A file that is never closed is open then too; how many connections a busy moment takes says nothing of that.
"""
TRIES = 5
RETRY_SECONDS = 1.0


@dataclass(slots=True)
class Watch:
    """What was seen; samples are (seconds since the start, value)."""

    memory: list[tuple[float, float]] = field(default_factory=list)
    files: list[tuple[float, float]] = field(default_factory=list)
    health: list[float] = field(default_factory=list)
    lag: list[float] = field(default_factory=list)
    """The longest that the event loop was late in each second."""
    statuses: Counter[str] = field(default_factory=Counter)
    sent: set[int] = field(default_factory=set)
    delivered: Counter[int] = field(default_factory=Counter)
    """Event ids seen by EventGate's stand-in, by the revision."""


class Soak:
    """One run."""

    def __init__(self, server: Server, behind: Upstreams, traffic: Traffic, rate: float) -> None:
        self._server = server
        self._behind = behind
        self._traffic = traffic
        self._rate = rate
        self._url = f"http://127.0.0.1:{server.port}/v1/models/{MODEL}"
        self.watch = Watch()

    async def run(self, seconds: float) -> None:
        """Send for so many seconds, then wait for what is under way."""
        self._started = time.perf_counter()
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            watching = [asyncio.create_task(self._look(session)), asyncio.create_task(self._look_at_lag())]
            async with asyncio.TaskGroup() as sending:
                for number in range(int(seconds * self._rate)):
                    await asyncio.sleep(max(0.0, self._started + number / self._rate - time.perf_counter()))
                    sending.create_task(self._send(session, number))
            for task in watching:
                task.cancel()
        self._collect()

    async def _send(self, session: aiohttp.ClientSession, number: int) -> None:
        """Send one event, and again while the server asks for that, as a dispatcher does."""
        self.watch.sent.add(rev_id(number))
        body = self._traffic.body(number)
        for _ in range(TRIES):
            async with session.post(f"{self._url}:predict", data=body) as answer:
                outcome = answer.headers.get("x-revertrisk-outcome", "")
                self.watch.statuses[f"{answer.status} {outcome}".strip()] += 1
                if answer.status != 503:
                    return
            await asyncio.sleep(RETRY_SECONDS)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        """Measure four times a second; a health check tells how far the event loop is behind."""
        process = Path(f"/proc/{self._server.pid}")
        page = os.sysconf("SC_PAGE_SIZE")
        while True:
            asked = time.perf_counter()
            async with session.get(self._url) as answer:
                await answer.read()
            self.watch.health.append(time.perf_counter() - asked)
            now = time.perf_counter() - self._started
            resident = int((process / "statm").read_text().split()[1]) * page
            self.watch.memory.append((now, resident / 1e6))
            self.watch.files.append((now, len(list((process / "fd").iterdir()))))
            self._collect()
            await asyncio.sleep(0.25)

    async def _look_at_lag(self) -> None:
        """Ask once a second how late the event loop was."""
        while True:
            await asyncio.sleep(1.0)
            self.watch.lag.append(await asyncio.to_thread(self._server.metric, LAG_METRIC))

    def _collect(self) -> None:
        bodies, _ = self._behind.take()
        self.watch.delivered.update(orjson.loads(body)["revision"]["rev_id"] for body in bodies)


def verdict(watch: Watch, seconds: float) -> list[str]:
    """Return what is wrong; empty if nothing is."""
    memory, files = _thirds(watch.memory, seconds), _thirds(watch.files, seconds)
    growth = statistics.median(memory[-1]) / statistics.median(memory[0])
    thirds = ", ".join(f"{statistics.median(third):.0f}" for third in memory)
    sys.stdout.write(
        f"memory by thirds: {thirds} MB, most {max(value for _, value in watch.memory):.0f} MB; "
        f"grown by a factor of {growth:.3f}\n"
        f"open files by thirds: {', '.join(f'{min(third):.0f} to {max(third):.0f}' for third in files)}\n"
        f"health check: {_spread(watch.health)}\n"
        f"event loop late by, in each second: {_spread(watch.lag)}\n"
        f"answers: {dict(watch.statuses)}\n"
        f"events: {len(watch.sent)} sent, {len(watch.delivered)} delivered, "
        f"{sum(watch.delivered.values()) - len(watch.delivered)} of them again after a lost answer\n"
    )
    wrong = []
    if growth > MOST_GROWTH:
        wrong.append(f"memory has grown by a factor of {growth:.3f}")
    if min(files[-1]) > min(files[0]) + MORE_FILES:
        wrong.append(
            f"open files have grown from {min(files[0]):.0f} to {min(files[-1]):.0f} at the quietest"
        )
    if watch.sent != watch.delivered.keys():
        wrong.append(f"{len(watch.sent - watch.delivered.keys())} events were not delivered")
    strange = [outcome for outcome in watch.statuses if outcome not in ("200 produced", "503")]
    if strange:
        wrong.append(f"unexpected answers: {strange}")
    return wrong


def _spread(seconds: list[float]) -> str:
    p50, p99, most = (1000 * quantile(seconds, share) for share in (0.5, 0.99, 1.0))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {most:.1f} ms"


def _thirds(samples: list[tuple[float, float]], seconds: float) -> list[list[float]]:
    """Divide samples by time, the warm-up left out."""
    begin = min(WARM_UP_SECONDS, seconds / 4)
    third = (seconds - begin) / 3
    return [
        [value for when, value in samples if begin + n * third <= when < begin + (n + 1) * third]
        for n in range(3)
    ]


def main() -> int:
    """Run the soak; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3600.0)
    parser.add_argument("--rate", type=float, default=20.0, help="events a second: about all of Wikipedia")
    arguments = parser.parse_args()
    wikis = WikiTable.load()
    history = SampleHistory.shipped(wikis)
    pages = edits(history, wikis, supported, most=200)
    for size, most in SIZES.items():
        pages += edits(history, wikis, supported, most=most, padded_to=size)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        behind = stack.enter_context(upstreams())
        traffic = Traffic(pages)
        behind.serve(traffic)
        behind.wait(LATENCY_MS, LATENCY_MS)
        behind.fail(FAULT_EVERY)
        command = ["tests/bench/our_server.py", "--upstream", behind.url, "--model", MODEL, "--watch-lag"]
        servers = stack.enter_context(running({"ours": command}, None, folder))
        soak = Soak(servers["ours"], behind, traffic, arguments.rate)
        asyncio.run(soak.run(arguments.seconds))
        wrong = verdict(soak.watch, arguments.seconds)
    for fault in wrong:
        sys.stdout.write(f"FAILED: {fault}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
