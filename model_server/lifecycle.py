"""Shutting down without losing a request (DESIGN 14).

A refused connection is final for change-propagation, so on SIGTERM the server first says that it is not
ready, continues to serve while the load balancers take notice, and only then closes its listener.
"""

import time


async def _no_grpc() -> None:
    """Wait for nothing."""


class Lifecycle:
    """Whether this process still wants new work."""

    def __init__(self, shutdown_delay: float) -> None:
        """``shutdown_delay`` is in seconds, from the signal to the closing of the listener."""
        self._shutdown_delay = shutdown_delay
        self._closes_at: float | None = None
        self.finish_grpc = _no_grpc
        """Takes no new calls over gRPC, and waits for those in flight; whoever listens for them sets it."""

    @property
    def draining(self) -> bool:
        """True from the signal on."""
        return self._closes_at is not None

    @property
    def should_close(self) -> bool:
        """True once the delay has passed."""
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def drain(self) -> None:
        """Begin to shut down; a second call closes at once."""
        delay = 0.0 if self.draining else self._shutdown_delay
        self._closes_at = time.monotonic() + delay
