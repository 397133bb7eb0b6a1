"""Signals before, during and after serving: a stop is a clean exit whenever it comes."""

import asyncio
import signal
from typing import Any

import kserve

from model_server.lifecycle import Lifecycle


class SignalledModelServer(kserve.ModelServer):  # type: ignore[misc]  # kserve ships no types
    """KServe's model server, whose own signal handler assumes that everything already runs.

    While it serves, uvicorn takes signals (`kserve_server.py`); it hands them on when its listener has closed.
    """

    def __init__(self, lifecycle: Lifecycle, **options: Any) -> None:
        super().__init__(**options)
        self._lifecycle = lifecycle
        lifecycle.finish_grpc = self._finish_grpc

    def register_signal_handler(self) -> None:
        """Take over from the handler of the start-up."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        if self._lifecycle.draining:
            # Once more: the first time may have been cut short at the end of the grace period.
            asyncio.ensure_future(self._finish_grpc())  # noqa: RUF006 - the loop ends with it
        else:
            raise SystemExit(0)

    async def _finish_grpc(self) -> None:
        if self._grpc_server is not None:
            await self._grpc_server.stop()
