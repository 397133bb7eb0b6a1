"""SIGTERM under load, again and again: nothing that was sent in time is refused or lost.

``python -m tests.load.sigterm --times 20 --workers 2``. In each round a server under load gets a SIGTERM.
Every request that was written before it, or sent within the delay after it, must be answered 200 or 503, half of
them on connections of their own; the server must exit 0; and after the restart every event must have been accepted
exactly once.

The exit status is 0 if all holds, 1 if something does not.
"""

import argparse
import asyncio
import random
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import orjson

from revertrisk.cli.programs import running
from tests.fakes.clients import MODEL, STREAM
from tests.fakes.edited_wikis import EditedWikis, Event, serving_edited_wikis
from tests.load.storm import Server, set_faults
from tests.load.verdict import read_accepted

DELAY_SECONDS = 1.0
MARGIN_SECONDS = 0.25
"""Before the end of the delay nothing new is sent, so that what is sent is surely within it."""
SENDERS = 16
WRITTEN_JUST_BEFORE = 8
"""Requests written whole to sockets of their own immediately before the signal."""
WIKI_SECONDS = 0.1
"""How long MediaWiki takes, so that there is work in flight."""
PAGES_FOR_ONE = 200
"""Events for each round."""
LISTENING = b'"message":"Listening"'
"""In a worker's log line once it takes requests."""
PATH = f"/v1/models/{MODEL}:predict"


@dataclass
class Tally:
    """What happened in all rounds."""

    answers: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    came_back: list[Event] = field(default_factory=list)
    """Events that were answered 503, or not at all."""


class Round:
    """One server's life, from its start to its end by SIGTERM."""

    def __init__(
        self, server: Server, workers: int, waiting: deque[Event], tally: Tally, chance: random.Random
    ) -> None:
        self._server = server
        self._workers = workers
        self._waiting = waiting
        self._tally = tally
        self._chance = chance
        self._sending = True

    async def live(self) -> None:
        """Start, work, be told to stop, and check."""
        program = await self._server.start()
        while program.log.read_bytes().count(LISTENING) < self._workers:
            await asyncio.sleep(0.05)
        async with (
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as keeping,
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, force_close=True)) as fresh,
        ):
            senders = [
                asyncio.create_task(self._work(keeping if number % 2 else fresh)) for number in range(SENDERS)
            ]
            await asyncio.sleep(self._chance.uniform(0.1, 0.6))
            written = [await self._write() for _ in range(min(WRITTEN_JUST_BEFORE, len(self._waiting)))]
            program.process.send_signal(signal.SIGTERM)
            await asyncio.sleep(DELAY_SECONDS - MARGIN_SECONDS)
            self._sending = False
            await asyncio.gather(*senders, *(self._read(*request) for request in written))
        status = await asyncio.to_thread(program.process.wait, 60)
        if status != 0:
            self._tally.problems.append(f"exit status {status}")

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while self._sending and self._waiting:
            event = self._waiting.popleft()
            try:
                async with session.post(self._server.url + PATH, json={"event": event}) as answer:
                    await answer.read()
                    self._note(event, answer.status)
            except (aiohttp.ClientError, TimeoutError) as exc:
                self._note_loss(event, exc)

    async def _write(self) -> tuple[Event, asyncio.StreamReader, asyncio.StreamWriter]:
        """Write one whole request to a connection of its own."""
        event = self._waiting.popleft()
        body = orjson.dumps({"event": event})
        reader, writer = await asyncio.open_connection(*self._server.url.removeprefix("http://").split(":"))
        head = f"POST {PATH} HTTP/1.1\r\nHost: server\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        return event, reader, writer

    async def _read(self, event: Event, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await asyncio.wait_for(reader.readline(), 60)
            self._note(event, int(line.split()[1]))
        except (OSError, TimeoutError, IndexError, ValueError) as exc:
            self._note_loss(event, exc)
        finally:
            writer.close()

    def _note(self, event: Event, status: int) -> None:
        self._tally.answers[str(status)] += 1
        if status == 503:
            self._tally.came_back.append(event)
        elif status != 200:
            self._tally.problems.append(f"an answer with status {status}")

    def _note_loss(self, event: Event, error: Exception) -> None:
        self._tally.answers[type(error).__name__] += 1
        self._tally.problems.append(f"no answer: {type(error).__name__}")
        self._tally.came_back.append(event)


@contextmanager
def programs(folder: Path, pages: int, workers: int) -> Iterator[tuple[EditedWikis, str, Server]]:
    """Run a wiki, a gate and a server that is not started yet."""
    with (
        ExitStack() as stack,
        serving_edited_wikis(pages) as wikis,
        running(["mock-eventgate", "--port", "0"], folder / "gate.log") as gate,
    ):
        environment = {
            "WIKI_URL": wikis.url,
            "EVENTGATE_URL": gate.url,
            "EVENTGATE_STREAM": STREAM,
            "SHUTDOWN_DELAY_SECONDS": str(DELAY_SECONDS),
            "WORKERS": str(workers),
        }
        server = Server(folder, environment)
        stack.callback(server.close)
        yield wikis, gate.url, server


async def rounds(
    times: int, workers: int, chance: random.Random, wikis: EditedWikis, gate: str, server: Server
) -> tuple[Tally, int]:
    """Let a server live and die so many times; return what happened, and how many events are on the stream."""
    tally = Tally()
    waiting = deque(wikis.event(page) for page in wikis.plain)
    offered = len(waiting)
    async with aiohttp.ClientSession() as session:
        await set_faults(session, wikis.url, [{"kind": "delay", "seconds": WIKI_SECONDS}])
        for _ in range(times):
            if len(waiting) < PAGES_FOR_ONE // 4:
                tally.problems.append("too few events for so many rounds")
                break
            await Round(server, workers, waiting, tally, chance).live()
        await set_faults(session, wikis.url, [])
        await server.start()
        for event in list(tally.came_back):
            async with session.post(server.url + PATH, json={"event": event}) as answer:
                if answer.status != 200:
                    tally.problems.append(f"after the restart an answer with status {answer.status}")
        await server.stop()
        accepted = await read_accepted(session, gate)
    times_accepted = Counter(event["revision"]["rev_id"] for event in accepted)
    unknown = {event["revision"]["rev_id"] for event in waiting}
    if len(times_accepted) != offered - len(waiting) or times_accepted.keys() & unknown:
        tally.problems.append(f"{offered - len(waiting)} events were sent and {len(times_accepted)} accepted")
    if repeated := [rev_id for rev_id, times in times_accepted.items() if times > 1]:
        tally.problems.append(f"accepted more than once: {repeated[:5]}")
    return tally, len(accepted)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what it was like as one JSON object, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--workers", type=int, default=1, help="the server's WORKERS")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args(arguments)
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="revertrisk-sigterm-") as folder,
        programs(Path(folder), PAGES_FOR_ONE * options.times, options.workers) as (wikis, gate, server),
    ):
        tally, accepted = asyncio.run(
            rounds(
                options.times,
                options.workers,
                random.Random(options.seed),  # noqa: S311 - chance that repeats is what is wanted
                wikis,
                gate,
                server,
            )
        )
    report = {
        "seed": options.seed,
        "times": options.times,
        "workers": options.workers,
        "answers": dict(sorted(tally.answers.items())),
        "came_back": len(tally.came_back),
        "accepted": accepted,
        "seconds": round(time.monotonic() - started, 1),
        "problems": dict(Counter(tally.problems)),
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if tally.problems else 0


if __name__ == "__main__":
    sys.exit(main())
