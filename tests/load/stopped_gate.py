"""EventGate stands still under load: answers keep their deadline, memory its bounds, and nobody has to restart.

``python -m tests.load.stopped_gate --seconds 60`` stops the gate's process with SIGSTOP while more callers than the
server has places send events, and lets it go on after so many seconds. Meanwhile every answer must be a 503 that
comes within the deadline and health must answer; afterwards the same server must get every event on the stream.

The exit status is 0 if all holds, 1 if something does not.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import psutil

from revertrisk.cli.programs import Program, running
from tests.fakes.clients import MODEL, STREAM
from tests.fakes.edited_wikis import EditedWikis, Event, serving_edited_wikis
from tests.load.storm import Server
from tests.load.verdict import Verdict, as_sent, read_accepted

DEADLINE_SECONDS = 5.0
SLACK_SECONDS = 2.0
"""What a busy machine may add to a deadline before the caller sees the answer."""
CALLERS = 250
PLACES = 200
PAGES = 400
WARM_UP = 100
"""Events that are produced before the gate stops, so that what the server needs anyway is allocated."""
MOST_GROWTH_MB = 60
PATH = f"/v1/models/{MODEL}:predict"


@dataclass
class Observations:
    """What callers and the operator saw while the gate stood still."""

    answers: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    most_memory: int = 0
    unhealthy: int = 0
    problems: list[str] = field(default_factory=list)


class Scene:
    """A server, callers, and a gate that stops."""

    def __init__(
        self, session: aiohttp.ClientSession, server: Server, program: Program, gate: Program
    ) -> None:
        self._session = session
        self._server = server
        self._program = program
        self._process = psutil.Process(program.process.pid)
        self._gate = gate
        self._stopped = False
        self.seen = Observations()

    async def send(self, event: Event) -> int:
        """Send one event and return the status of its answer."""
        async with self._session.post(self._server.url + PATH, json={"event": event}) as answer:
            await answer.read()
            return answer.status

    async def stand_still(self, events: Sequence[Event], seconds: float) -> None:
        """Stop the gate under load, watch, and let it go on."""
        waiting = deque(events)
        self._gate.process.send_signal(signal.SIGSTOP)
        self._stopped = True
        try:
            callers = [asyncio.create_task(self._call(waiting)) for _ in range(CALLERS)]
            ends = time.monotonic() + seconds
            while time.monotonic() < ends:
                await self._look()
                await asyncio.sleep(0.5)
            self._stopped = False
            await asyncio.gather(*callers)
            await self._look()
        finally:
            self._gate.process.send_signal(signal.SIGCONT)

    async def _call(self, waiting: deque[Event]) -> None:
        while self._stopped:
            event = waiting.popleft()
            waiting.append(event)
            started = time.monotonic()
            async with self._session.post(self._server.url + PATH, json={"event": event}) as answer:
                body = orjson.loads(await answer.read())
                self.seen.answers[f"{answer.status} {body.get('code', '')}"] += 1
                self.seen.slowest = max(self.seen.slowest, time.monotonic() - started)
                if answer.status == 503:
                    await asyncio.sleep(int(answer.headers["retry-after"]))

    async def _look(self) -> None:
        self.seen.most_memory = max(self.seen.most_memory, self._process.memory_info().rss)
        for path in ("/v2/health/live", "/v2/health/ready"):
            async with self._session.get(self._server.url + path) as answer:
                self.seen.unhealthy += answer.status != 200


async def run(wikis: EditedWikis, gate: Program, server: Server, seconds: float) -> dict[str, Any]:
    """Play the scene; return what it was like, with the problems found."""
    program = await server.start()
    events = [wikis.event(page) for page in wikis.plain]
    verdict = Verdict()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        scene = Scene(session, server, program, gate)
        await asyncio.gather(*(scene.send(event) for event in events[:WARM_UP]))
        memory = psutil.Process(program.process.pid).memory_info().rss
        await scene.stand_still(events[WARM_UP:], seconds)
        seen = scene.seen
        recovery = Counter([await scene.send(event) for event in events])
        accepted = await read_accepted(session, gate.url)
    growth = (seen.most_memory - memory) / 2**20
    verdict.require(
        "answers that are not a 503 of this cause",
        seen.answers.keys() - {"503 eventgate_unavailable", "503 overloaded"},
    )
    verdict.require(
        "no answer of the cause itself", [] if seen.answers["503 eventgate_unavailable"] else [seen.answers]
    )
    verdict.require(
        "answers after the deadline",
        [seen.slowest] if seen.slowest > DEADLINE_SECONDS + SLACK_SECONDS else [],
    )
    verdict.require("growth of memory in MB", [growth] if growth > MOST_GROWTH_MB else [])
    verdict.require("health checks that failed", [seen.unhealthy] if seen.unhealthy else [])
    verdict.require("events that did not recover", recovery.keys() - {200})
    verdict.require(
        "a server that ended", [program.process.poll()] if program.process.poll() is not None else []
    )
    times = Counter(event["meta"]["id"] for event in accepted)
    verdict.require("events that are not on the stream", [len(times)] if len(times) != len(events) else [])
    contents = {as_sent(event) for event in accepted}
    verdict.require("duplicates that differ", [len(contents)] if len(contents) != len(times) else [])
    await server.stop()
    return {
        "answers": dict(sorted(seen.answers.items())),
        "slowest_seconds": round(seen.slowest, 2),
        "memory_growth_mb": round(growth, 1),
        "recovered": recovery[200],
        "accepted": len(accepted),
        "problems": verdict.problems,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print what it was like as one JSON object, and return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=20.0, help="how long the gate stands still")
    options = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="revertrisk-stopped-") as folder,
        serving_edited_wikis(PAGES) as wikis,
        running(["mock-eventgate", "--port", "0"], Path(folder) / "gate.log") as gate,
    ):
        environment = {
            "WIKI_URL": wikis.url,
            "EVENTGATE_URL": gate.url,
            "EVENTGATE_STREAM": STREAM,
            "AIOHTTP_CLIENT_TIMEOUT": "2",
            "REQUEST_DEADLINE": str(DEADLINE_SECONDS),
            "QUEUE_LIMIT": str(PLACES),
            "SHUTDOWN_DELAY_SECONDS": "0",
        }
        server = Server(Path(folder), environment)
        try:
            report = asyncio.run(run(wikis, gate, server, options.seconds))
        finally:
            server.close()
    report = {"seconds": options.seconds} | report
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 1 if report["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
