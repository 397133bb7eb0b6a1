"""Runs programs of this distribution as child processes: starts them, waits until they listen, stops them."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 60.0
"""The longest time until a program listens; importing torch and KServe takes some seconds."""
STOP_TIMEOUT_S = 15.0
_ADDRESS = re.compile(r"(?:on http://127\.0\.0\.1:|\"server\":\{[^{}]*\"port\":)(\d+)")
_LOG_TAIL = 2000


class ProgramError(Exception):
    """A program did not start; the message holds the end of its log."""


@dataclass(frozen=True, slots=True)
class Program:
    """A running program, its address and its log file."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path


@contextmanager
def running(
    arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Program]:
    """Run ``revertrisk ARGUMENTS`` while the context lasts; its output goes to the log file.

    ``environment`` is added to this process's own.

    Raises:
        ProgramError: it ended before it listened, or did not listen in time. The message has the end of the log.

    """
    command = [sys.executable, "-m", "revertrisk.cli.app", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            # Ctrl-C reaches only this process, which stops the programs after it has read the mock EventGate's counts.
            process_group=0,
        )
    try:
        yield Program(process, f"http://{LOOPBACK}:{_port(process, log)}", log)
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """Send SIGTERM, after `STOP_TIMEOUT_S` SIGKILL, and return the exit status."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def stop_children() -> None:
    """Stop all child processes, also one whose start was interrupted by a signal."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        child.terminate()
    _, alive = psutil.wait_procs(children, timeout=STOP_TIMEOUT_S)
    for child in alive:
        child.kill()


def _port(process: subprocess.Popen[bytes], log: Path) -> int:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < give_up_at:
        text = log.read_text(errors="replace")
        found = _ADDRESS.search(text)
        if found is not None:
            return int(found[1])
        if process.poll() is not None:
            raise ProgramError(f"ended with status {process.returncode}:\n{text[-_LOG_TAIL:]}")
        time.sleep(0.05)
    raise ProgramError(
        f"did not listen within {START_TIMEOUT_S:.0f} s:\n{log.read_text(errors='replace')[-_LOG_TAIL:]}"
    )
