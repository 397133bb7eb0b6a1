"""KServe's server classes, with a shutdown that loses no request (:class:`Lifecycle`).

While the server serves, uvicorn handles signals (:class:`DrainingServer`); before and after that KServe's model server
does (:class:`SignalledModelServer`). A stop at any time is a clean exit.
"""

import asyncio
import logging
import os
import socket
from types import FrameType
from typing import Any

import kserve
from kserve.model_repository import ModelRepository
from kserve.protocol.rest.server import _RefreshingServer
from uvicorn import Config

from model_server.kserve_shell.workers import shared_listener
from model_server.server_context import Lifecycle
from revertrisk.runtime.signals import handle_signals

ONE_MODEL = "this server has one model, which it loads before it listens and keeps to the end"
"""Why models cannot be loaded or unloaded."""

logger = logging.getLogger(__name__)


class DrainingServer(_RefreshingServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's uvicorn server, which drains after a signal before it closes."""

    def __init__(self, config: Config, lifecycle: Lifecycle, *, shares_port: bool) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._shares_port = shares_port

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the drain is over, on its own port or on the port that all workers share."""
        if self._shares_port:
            sockets = [shared_listener(self.config.host, self.config.port)]
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and log it; uvicorn logs nothing for sockets that it is given."""
        await super().startup(sockets)
        if sockets is not None:
            self._log_started_message(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Handle a signal: the first starts the drain, the next ends it."""
        self._captured_signals.append(sig)
        self._lifecycle.drain()

    async def on_tick(self, counter: int) -> bool:
        """Close when the drain is over; uvicorn calls this ten times a second."""
        if self._lifecycle.should_close:
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def _wait_tasks_to_complete(self) -> None:
        """Wait for requests in flight, also over gRPC: the resources that they use are closed next."""
        await asyncio.gather(self._lifecycle.finish_grpc(), super()._wait_tasks_to_complete())

    def _log_started_message(self, listeners: object) -> None:
        """Log the address, with the actual port if port 0 was set, and the event loop."""
        event_loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                where = {"server.address": host, "server.port": port, "labels.event_loop": event_loop}
                logger.info("Listening", extra=where)


class SignalledModelServer(kserve.ModelServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's model server with another signal handler; its own assumes that everything already runs.

    uvicorn passes signals on after its listener has closed.
    """

    def __init__(self, lifecycle: Lifecycle, **options: Any) -> None:
        super().__init__(**options)
        self._lifecycle = lifecycle
        lifecycle.finish_grpc = self._finish_grpc

    def register_signal_handler(self) -> None:
        """Replace the signal handler of the start."""
        handle_signals(self._on_signal)

    def _on_signal(self) -> None:
        if self._lifecycle.draining:
            # Again, since the end of the grace period may have cut off the first call.
            asyncio.ensure_future(self._finish_grpc())  # noqa: RUF006 - the loop ends with it
        else:
            os._exit(0)  # nothing is served yet; `_end_on_signal` in model_server/__main__.py has the reason

    async def _finish_grpc(self) -> None:
        if self._grpc_server is not None:
            await self._grpc_server.stop()


class SealedRepository(ModelRepository):  # type: ignore[misc]  # kserve ships no types
    """One model, loaded before the server starts and kept to the end.

    After an unload every later event would get a final 404. KServe unloads all models on a signal, before requests in
    flight are done; here that has no effect.
    """

    def __init__(self, lifecycle: Lifecycle) -> None:
        super().__init__()
        self._lifecycle = lifecycle

    def unload(self, name: str) -> None:
        """Raise KeyError, which gives callers "not found"; do nothing while the server shuts down."""
        if not self._lifecycle.draining:
            raise KeyError(name)

    def load(self, name: str) -> bool:
        """Raise KeyError, as for an unknown model."""
        raise KeyError(name)
