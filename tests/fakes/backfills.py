"""Backfills as processes of their own, against real mocks and servers."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BACKFILL_STREAM = "mediawiki.page_revert_risk_prediction_change.v1.backfill"


def made(since: str, until: str) -> tuple[str, ...]:
    """Return the flags for what was made from one day to another."""
    return ("--from", f"{since}T00:00:00Z", "--to", f"{until}T00:00:00Z")


ALL_TIME = ("--all-revisions", *made("2001-01-01", "2026-12-31"))


@dataclass(frozen=True)
class Ended:
    """What a backfill printed, and how it ended."""

    status: int
    documents: dict[str, Any]
    log: str
    """Its standard error."""

    @property
    def plan(self) -> dict[str, Any]:
        plan: dict[str, Any] = self.documents["plan"]
        return plan

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = self.documents["report"]
        return report

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]


@dataclass(frozen=True)
class Command:
    """``revertrisk backfill`` with flags; its files are in a folder of the test."""

    folder: Path
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def having(self, *flags: str) -> "Command":
        return Command(self.folder, (*self.flags, *flags), self.environment)

    async def start(self, *flags: str) -> asyncio.subprocess.Process:
        environment = {
            name: value for name, value in os.environ.items() if name not in ("WIKI_URL", "WIKIS_FILE")
        }
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "revertrisk.cli.app",
            "backfill",
            *self.flags,
            *flags,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])} | self.environment,
        )

    async def run(self, *flags: str, stdin: str = "") -> Ended:
        process = await self.start(*flags)
        return await ended(process, stdin)


async def ended(process: asyncio.subprocess.Process, stdin: str = "") -> Ended:
    """Wait for the end of a backfill."""
    out, err = await process.communicate(stdin.encode())
    documents: dict[str, Any] = {}
    for line in out.decode().splitlines():
        documents |= json.loads(line)
    assert process.returncode is not None
    return Ended(process.returncode, documents, err.decode())
