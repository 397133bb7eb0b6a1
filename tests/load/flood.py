"""Callers who never end a head, on one connection after the other: memory, health and other callers stay as they were.

``python -m tests.load.flood --megabytes 150`` sends so many megabytes of each kind (head lines, trailers, one line, one
URL) to one server, while one caller asks for scores and one checks health. It prints the growth of the server's
memory, the slowest health check, and the caller's 99th percentile beside its calm value.

The exit status is 1 if memory grows by 20 MB, if a flood gets another answer than its refusal, or if a caller fails.
"""

import argparse
import asyncio
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
import psutil

from tests.bench.load import quantile
from tests.fakes.clients import MODEL
from tests.fakes.edited_wikis import EditedWikis, serving_edited_wikis
from tests.load.storm import Server
from tests.load.verdict import Verdict

PATH = f"/v1/models/{MODEL}:predict"
MOST_GROWTH_MB = 20
WATCHED_SECONDS = 5.0
"""Calm, and with each flood: enough requests for a 99th percentile."""
PAUSE_SECONDS = 0.01
PIECE = 240_000
FLOODS = {
    "head lines": (b"GET / HTTP/1.1\r\n", b"A: a\r\n" * (PIECE // 6), 431),
    "trailers": (
        f"POST {PATH} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n".encode(),
        b"A: a\r\n" * (PIECE // 6),
        431,
    ),
    "one line": (b"GET / HTTP/1.1\r\nA: ", b"a" * PIECE, 431),
    "one URL": (b"GET /", b"a" * PIECE, 414),
}
"""Each kind: how it begins, what it repeats, and the status of its refusal."""


def flood(port: int, begin: bytes, piece: bytes, size: int) -> Counter[str]:
    """Send ``size`` bytes, on a new connection whenever one is closed; return the answers, counted by status."""
    answers: Counter[str] = Counter()
    sent = 0
    while sent < size:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            with suppress(ConnectionError):
                connection.sendall(begin)
                while sent < size:
                    connection.sendall(piece)
                    sent += len(piece)
            with suppress(ConnectionError):
                answers[connection.recv(PIECE).decode("latin-1")[9:12]] += 1
    return answers


class Observer:
    """One caller who asks for scores, and one who checks health."""

    def __init__(self, session: aiohttp.ClientSession, url: str, wikis: EditedWikis) -> None:
        self._session = session
        self._url = url
        self._body = orjson.dumps({"event": wikis.event(1)})
        self.latencies: list[float] = []
        self.health: list[float] = []
        self.failures: Counter[str] = Counter()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Ask while the context lasts."""
        self.latencies, self.health = [], []
        tasks = [
            asyncio.create_task(self._ask("POST", PATH, self._body, self.latencies)),
            asyncio.create_task(self._ask("GET", "/v2/health/ready", None, self.health)),
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _ask(self, method: str, path: str, body: bytes | None, latencies: list[float]) -> None:
        while True:
            began = time.perf_counter()
            async with self._session.request(method, self._url + path, data=body) as answer:
                await answer.read()
                if answer.status != 200:
                    self.failures[f"{path} {answer.status}"] += 1
            latencies.append(1000 * (time.perf_counter() - began))
            await asyncio.sleep(PAUSE_SECONDS)


async def run(server: Server, wikis: EditedWikis, flooder: Executor, megabytes: int) -> dict[str, Any]:
    """Flood a server with each kind; return what was seen, with the problems found."""
    program = await server.start()
    port = urlsplit(server.url).port
    assert port is not None
    process = psutil.Process(program.process.pid)
    verdict = Verdict()
    report: dict[str, Any] = {}
    async with aiohttp.ClientSession() as session:
        observer = Observer(session, server.url, wikis)
        async with observer.watching():
            await asyncio.sleep(WATCHED_SECONDS)
        calm = quantile(observer.latencies, 0.99)
        memory = process.memory_info().rss
        for name, (begin, piece, status) in FLOODS.items():
            began = time.monotonic()
            async with observer.watching():
                answers = await asyncio.get_running_loop().run_in_executor(
                    flooder, flood, port, begin, piece, megabytes * 10**6
                )
                await asyncio.sleep(
                    max(0.0, 1.0 - (time.monotonic() - began))
                )  # enough requests for a quantile
            growth = (process.memory_info().rss - memory) / 1e6
            report[name] = {
                "seconds": round(time.monotonic() - began, 1),
                "memory_growth_mb": round(growth, 1),
                "slowest_health_ms": round(max(observer.health), 1),
                "p99_ms": round(quantile(observer.latencies, 0.99), 1),
                "p99_of_calm": round(quantile(observer.latencies, 0.99) / calm, 2),
                "answers": dict(answers),
            }
            verdict.require(
                f"growth of memory in MB under {name}", [growth] if growth >= MOST_GROWTH_MB else []
            )
            # A connection that is cut while it still sends may lose its answer; no other answer may come.
            verdict.require(f"answers to {name}", answers.keys() - {str(status), ""})
            verdict.require(f"no refusal of {name}", [] if answers[str(status)] else [answers])
    verdict.require("callers that failed", observer.failures)
    await server.stop()
    return {"calm_p99_ms": round(calm, 1)} | report | {"problems": verdict.problems}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what was seen as one JSON object, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--megabytes", type=int, default=150, help="how much each kind sends")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="revertrisk-flood-") as folder,
        ProcessPoolExecutor(1) as flooder,  # so that sending does not keep those who ask from running
        serving_edited_wikis() as wikis,
    ):
        flooder.submit(Counter).result()
        server = Server(Path(folder), {"WIKI_URL": wikis.url, "SHUTDOWN_DELAY_SECONDS": "0"})
        try:
            report = asyncio.run(run(server, wikis, flooder, options.megabytes))
        finally:
            server.close()
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
