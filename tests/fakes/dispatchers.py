"""Dispatchers as processes of their own."""

import asyncio
import json
import signal
from typing import Any, Protocol

PROGRAM = """
import json, logging, sys
from datetime import datetime
from pathlib import Path
from revertrisk.dispatcher import DispatchSettings, RetrySchedule, run

given = json.loads(sys.argv[1])
logging.basicConfig(level=given.pop("log", "WARNING"))
given["target"] = given["target"] or None
makers = {
    "rule_file": Path,
    "checkpoint": Path,
    "skips": Path,
    "kafka": tuple,
    "datacentres": tuple,
    "since": datetime.fromisoformat,
    "retries": lambda values: RetrySchedule(*values),
}
for name in makers.keys() & given:
    given[name] = makers[name](given[name])
dry_run = given.pop("dry_run", False)
sys.exit(run(DispatchSettings(**given), dry_run=dry_run))
"""


class Dispatcher:
    """A running dispatcher."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def kill(self) -> None:
        self.process.kill()
        await self.process.communicate()

    async def stop(self) -> tuple[int | None, dict[str, Any], str]:
        """Stop it as Kubernetes does; returns its status, its counts and what it logged."""
        self.process.send_signal(signal.SIGTERM)
        return await self.finished()

    async def give(self, lines: bytes) -> None:
        """Write to its standard input, which stays open."""
        assert self.process.stdin is not None
        self.process.stdin.write(lines)
        await self.process.stdin.drain()

    async def finished(self) -> tuple[int | None, dict[str, Any], str]:
        status, out, err = await self.printed()
        return status, json.loads(out) if out else {}, err

    async def printed(self) -> tuple[int | None, str, str]:
        """Close its standard input and wait for its end; returns its status and what it printed."""
        out, err = await self.process.communicate(b"" if self.process.stdin else None)
        return self.process.returncode, out.decode(), err.decode()


class StartDispatcher(Protocol):
    """Starts a dispatcher with these settings."""

    async def __call__(self, target: str, source: str, **settings: Any) -> Dispatcher: ...
