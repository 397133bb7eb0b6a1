"""Several workers: the whole server in several processes on one port, with a parent that supervises them (E47).

KServe's own workers are not used; docs/decisions/0006 has the reasons. Each worker is the same as a server with one
worker. It loads the model in a fresh interpreter, as CUDA requires, and listens on the port that all workers share; the
kernel distributes new connections. The parent serves no requests. It passes signals on. A worker that dies stops the
server: the parent stops the other workers, and ends.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from model_server.settings import ServerSettingsError
from revertrisk.runtime.signals import handle_signals

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The folder of the workers' metrics; prometheus_client reads this variable when it is imported."""
FAILED = 1

logger = logging.getLogger(__name__)


class Workers:
    """Processes that do the same work and end together."""

    def __init__(self, work: Callable[..., int], *arguments: Any) -> None:
        """Take the function that every process calls with the arguments; it returns the exit status."""
        self._work = work
        self._arguments = arguments
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._stopping = False

    def run(self, count: int) -> int:
        """Run ``count`` workers until a signal stops them; return the exit status.

        It is 0 if all of them ended without an error after a signal, otherwise that of a worker that failed.
        """
        handle_signals(self._stop)
        with private_metrics():
            try:
                for _ in range(count):
                    self._start()
                was_stopped = self._await_first_end()
            finally:
                self._stop_all()
        codes = [process.exitcode for process in self._processes]
        clean = (0, -signal.SIGTERM)  # -SIGTERM if the signal came before a worker had set its handler
        failed = [code for code in codes if code not in clean]
        if was_stopped and not failed:
            return 0
        return next((code for code in failed if code is not None and code > 0), FAILED)

    def _start(self) -> None:
        process = multiprocessing.get_context("spawn").Process(
            target=_begin, args=(self._work, self._arguments), name=f"worker-{len(self._processes) + 1}"
        )
        process.start()
        self._processes.append(process)
        if self._stopping:  # the signal came before the process was in the list
            process.terminate()

    def _await_first_end(self) -> bool:
        """Wait until a worker has ended; return whether a signal stopped it."""
        ended = wait([process.sentinel for process in self._processes])
        if self._stopping:
            return True
        for process in self._processes:
            if process.sentinel in ended:
                process.join()  # the exit status is available shortly after the end
                logger.error("A worker has ended; stopping", extra={"process.exit_code": process.exitcode})
        return False

    def _stop(self) -> None:
        """Pass a signal on; a second signal ends the workers' drain at once, as with one worker."""
        self._stopping = True
        for process in self._processes:
            process.terminate()

    def _stop_all(self) -> None:
        if not self._stopping:
            self._stop()
        for process in self._processes:
            process.join()


def _begin(work: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    """Do a worker's work in its own process."""
    # In its own process group, so that Ctrl-C reaches only the parent, which passes it on: a second signal would end
    # the drain at once.
    os.setpgid(0, 0)
    _end_with_parent()
    sys.exit(work(*arguments))


def _end_with_parent() -> None:
    """Stop as on a signal if the parent dies, since no other process would stop this worker then."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a worker has a parent

    def watch() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()


@contextmanager
def private_metrics() -> Iterator[None]:
    """Let processes that are started in the context write their metrics to a new folder, from which they are merged.

    Raises:
        ServerSettingsError: the folder cannot be created.

    """
    try:
        fresh = tempfile.TemporaryDirectory(prefix="revertrisk-metrics-")
    except OSError:
        raise ServerSettingsError("TMPDIR: several workers need a folder to write their metrics to") from None
    with fresh as folder:
        os.environ[METRICS_FOLDER] = folder
        try:
            yield
        finally:
            del os.environ[METRICS_FOLDER]


def shared_listener(host: str, port: int) -> socket.socket:
    """Return a socket bound to a port that other processes of this user can bind as well.

    It does not listen yet, so the kernel sends it no connection.

    Raises:
        OSError: the port or the address cannot be bound.

    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener
