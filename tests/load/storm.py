"""What goes wrong during a chaos run: faults of both upstreams, and a server that is killed and started again."""

import asyncio
import random
import signal
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import orjson

from revertrisk.cli.programs import LOOPBACK, Program, running
from tests.fakes.loopback import held_port

KILL_AFTER_SECONDS = (1.0, 6.0)
"""Between the moment when a server listens and its end."""
SHARE = 0.02
"""Of the requests that each fault strikes."""
INVISIBLE_SECONDS = 2.0

WIKI_FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503, "retry_after": 1},
    {"kind": "delay", "seconds": 0.5},
    {"kind": "hang"},
    {"kind": "cut"},
    {"kind": "html"},
    {"kind": "not_json"},
    {"kind": "rate_limited", "retry_after": 1},
    {"kind": "maxlag", "retry_after": 1},
    {"kind": "api_error", "code": "readonly"},
    {"kind": "api_error", "code": "internal_api_error_DBQueryError"},
    {"kind": "reset"},
    {"kind": "redirect", "location": "http://127.0.0.1:9/"},
    {"kind": "invisible", "seconds": INVISIBLE_SECONDS},
]
GATE_FAULTS: list[dict[str, Any]] = [
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "delay", "seconds": 0.5},
    {"kind": "hang"},
    {"kind": "accept_then_hang"},
    {"kind": "reset"},
    {"kind": "accept_then_reset"},
    {"kind": "partial"},
]


class Server:
    """A model server at one address that can be killed, and is started again at the same address."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._port = self._stack.enter_context(held_port())
        self._environment = environment | {
            "HTTP_HOST": LOOPBACK,
            "HTTP_PORT": str(self._port),
            "ENABLE_GRPC": "false",
            "LOG_FORMAT": "ecs",
        }
        self.program: Program | None = None
        self.starts = 0

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def logs(self) -> list[Path]:
        return sorted(self._folder.glob("server-*.log"))

    async def start(self) -> Program:
        """Start it, and return once it listens."""
        self.starts += 1
        log = self._folder / f"server-{self.starts:03}.log"
        self.program = await asyncio.to_thread(
            self._stack.enter_context, running(["serve"], log, self._environment)
        )
        return self.program

    async def kill(self) -> None:
        """End it without a word, as an out-of-memory kill does."""
        assert self.program is not None
        self.program.process.kill()
        await asyncio.to_thread(self.program.process.wait)

    async def stop(self) -> int:
        """End it as Kubernetes does, and return its exit status."""
        assert self.program is not None
        self.program.process.send_signal(signal.SIGTERM)
        return await asyncio.to_thread(self.program.process.wait, 60)

    def close(self) -> None:
        self._stack.close()


async def set_faults(session: aiohttp.ClientSession, upstream: str, faults: list[dict[str, Any]]) -> None:
    """Replace the faults of a mock."""
    async with session.put(f"{upstream}/_mock/faults", data=orjson.dumps(faults)) as answer:
        answer.raise_for_status()


def seeded(faults: list[dict[str, Any]], chance: random.Random) -> list[dict[str, Any]]:
    """Give each fault its share, and a seed of its own."""
    return [fault | {"rate": SHARE, "seed": chance.randrange(10**6)} for fault in faults]


def hide(rev_ids: Iterable[int]) -> list[dict[str, Any]]:
    """Make faults that hide user and comment of these revisions."""
    return [
        {"kind": "hide", "parts": ["user", "comment"], "after": 0, "rev_id": rev_id} for rev_id in rev_ids
    ]


async def storm(server: Server, chance: random.Random, seconds: float, over: asyncio.Event) -> int:
    """Kill and restart the server until the time or the work is over; return how often it was killed."""
    kills = 0
    ends = asyncio.get_running_loop().time() + seconds
    while not over.is_set():
        pause = chance.uniform(*KILL_AFTER_SECONDS)
        try:
            async with asyncio.timeout_at(min(ends, asyncio.get_running_loop().time() + pause)):
                await over.wait()
        except TimeoutError:
            if asyncio.get_running_loop().time() >= ends:
                break
            await server.kill()
            kills += 1
            await server.start()
    return kills
