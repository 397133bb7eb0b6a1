"""``revertrisk serve`` as a copy of one process that has done the imports, which take five times as long as the rest.

Each is a process of its own, with its own environment and log, and ends as the program does.
"""

import multiprocessing
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from revertrisk.cli.programs import LOOPBACK, Program, _port, stop

_STARTS: Final = multiprocessing.get_context("forkserver")
_STARTS.set_forkserver_preload(
    ["revertrisk.cli.app", "revertrisk.scoring.classifier", "model_server.__main__"]
    + [f"model_server.kserve_shell.{name}" for name in ("model", "serving")]
)


class ForkedServer:
    """What programs and tests use of :class:`subprocess.Popen`."""

    def __init__(self, environment: Mapping[str, str], log: Path) -> None:
        """Start ``revertrisk serve`` with this environment and no other; what it says goes to the file."""
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._process = _STARTS.Process(target=_serve, args=(dict(environment), str(log), limits))
        self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("serve", timeout or 0)
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self._process.exitcode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@contextmanager
def running_server(log: Path, environment: Mapping[str, str]) -> Iterator[Program]:
    """Run a server while the context lasts, as :func:`revertrisk.cli.programs.running` does."""
    log.touch()
    process: Any = ForkedServer({**os.environ, **environment}, log)
    try:
        yield Program(process, f"http://{LOOPBACK}:{_port(process, log)}", log)
    finally:
        stop(process)


def _serve(environment: Mapping[str, str], log: str, limits: tuple[int, int]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    sys.path[:0] = [path for path in environment.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.argv = ["revertrisk", "serve"]
    nowhere, said = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_TRUNC)
    for descriptor, target in enumerate((nowhere, said, said)):
        os.dup2(target, descriptor)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    from revertrisk.cli.app import main  # noqa: PLC0415 - in the process that is forked, it is there already

    main()
