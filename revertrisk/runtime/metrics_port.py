"""Serves a program's Prometheus metrics on a port."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

log = logging.getLogger(__name__)


class MetricsPortError(Exception):
    """A port cannot be listened on; the message names the port and the reason."""


@contextmanager
def serving_metrics(registry: CollectorRegistry, port: int | None) -> Iterator[None]:
    """Serve the metrics while the context is open; port 0 is a free port, None serves nothing.

    Raises:
        MetricsPortError: the port cannot be listened on.

    """
    if port is None:
        yield
        return
    try:
        server, thread = start_http_server(port, registry=registry)
    except OSError as exc:
        raise MetricsPortError(f"{port} cannot be listened on: {exc.strerror}") from exc
    except OverflowError as exc:
        raise MetricsPortError(f"expected a number from 0 to 65535, not {port}") from exc
    log.info("metrics on port %d of all interfaces, at /metrics", server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
