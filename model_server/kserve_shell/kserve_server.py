"""KServe's server, which drains before it closes (`model_server/lifecycle.py` says when)."""

import asyncio
import logging
import socket
from types import FrameType

from kserve.protocol.rest.server import _RefreshingServer
from uvicorn import Config

from model_server.kserve_shell.workers import shared_listener
from model_server.lifecycle import Lifecycle

logger = logging.getLogger(__name__)


class DrainingServer(_RefreshingServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's uvicorn server, which on a signal drains before it closes."""

    def __init__(self, config: Config, lifecycle: Lifecycle, *, shares_port: bool) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._shares_port = shares_port

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until the drain is over, on a port of its own or on the one that all workers share."""
        if self._shares_port:
            sockets = [shared_listener(self.config.host, self.config.port)]
        await super().serve(sockets)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so; uvicorn says nothing of sockets that it is given."""
        await super().startup(sockets)
        if sockets is not None:
            self._log_started_message(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take a signal: the first starts the drain, the next ends it."""
        self._captured_signals.append(sig)
        self._lifecycle.drain()

    async def on_tick(self, counter: int) -> bool:
        """Close once the drain is over; uvicorn asks ten times a second."""
        if self._lifecycle.should_close:
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def _wait_tasks_to_complete(self) -> None:
        """Wait for what is in flight, over gRPC too: what it all works with is closed next."""
        await asyncio.gather(self._lifecycle.finish_grpc(), super()._wait_tasks_to_complete())

    def _log_started_message(self, listeners: object) -> None:
        """Say where the server listens, with the real port where it was asked for any, and on which event loop."""
        event_loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        for server in self.servers:
            for listener in server.sockets:
                host, port = listener.getsockname()[:2]
                where = {"server.address": host, "server.port": port, "labels.event_loop": event_loop}
                logger.info("Listening", extra=where)
