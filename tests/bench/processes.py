"""Server processes: started on a core of their own, and their CPU time read from outside."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.fakes.loopback import held_port

ROOT = Path(__file__).parents[2]
START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    name: str
    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time of the process, all its threads included.

        The same as in /proc/<pid>/stat, but in nanoseconds instead of hundredths of a second: this is the clock
        that clock_getcpuclockid(3) names, and its number is how Linux makes it from a process id.
        """
        return time.clock_gettime((~self.pid << 3) | 2)

    def memory_mb(self) -> float:
        """Return the most memory that the process has held so far, in megabytes."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        (kibibytes,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(kibibytes) * 1024 / 1e6

    def metric(self, name: str) -> float:
        """Return a metric without labels from the server's /metrics, 0 if it is not there."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith(f"{name} "):
                    return float(line.partition(" ")[2])
        return 0.0


@contextmanager
def on_core(core: int | None) -> Iterator[None]:
    """Let this process, and those started meanwhile, run on one core only; None means anywhere."""
    before = os.sched_getaffinity(0)
    if core is not None:
        os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def running(
    commands: Mapping[str, Sequence[str]],
    core: int | None,
    logs: Path,
    roots: Mapping[str, Path] = MappingProxyType({}),
) -> Iterator[dict[str, Server]]:
    """Start servers side by side, each with ``--port`` added, and stop them at the end.

    Each runs in this checkout, or in the one that ``roots`` has for its name, and imports its code from there.
    """
    with ExitStack() as stack:
        servers = {}
        for name, command in commands.items():
            port = stack.enter_context(held_port())
            log = stack.enter_context((logs / f"{name}.log").open("wb"))
            root = roots.get(name, ROOT)
            with on_core(core):
                process = subprocess.Popen(
                    [sys.executable, *command, "--port", str(port)],
                    cwd=root,
                    env={**os.environ, "PYTHONPATH": str(root)},
                    stdout=log,
                    stderr=log,
                )
            stack.callback(_stop, process)
            servers[name] = Server(name, port, process.pid)
        for server in servers.values():
            _await_ready(server, logs)
        yield servers


def _await_ready(server: Server, logs: Path) -> None:
    give_up = time.monotonic() + START_SECONDS
    while time.monotonic() < give_up:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    sys.exit(f"{server.name} did not start:\n{(logs / f'{server.name}.log').read_text()[-4000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
