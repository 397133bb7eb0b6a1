"""The dashboard as a program, told events through a pipe."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import orjson

ROOT = Path(__file__).resolve().parents[3]
COMMAND = (sys.executable, "-m", "revertrisk.cli.app", "dashboard")


class DashboardProgram:
    """A dashboard in a process of its own, that reads what a test tells it."""

    def __init__(self, *arguments: str, source: str = "jsonl:-") -> None:
        self._arguments = arguments
        self._source = source

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--source", self._source, *self._arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().decode().split()[-1]
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate()

    def tell(self, *events: Any) -> None:
        """Send events down the pipe."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(orjson.dumps(event) + b"\n" for event in events))
        self.process.stdin.flush()

    def end(self) -> None:
        """Close the pipe."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.stdin = None
