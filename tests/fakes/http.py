"""Our HTTP client as tests need it."""

import asyncio
import ssl

from revertrisk.runtime.http_client import HttpClient

MAX_BODY_BYTES = 2**20


def open_http(connections: int = 10, tls: ssl.SSLContext | None = None) -> HttpClient:
    """A client with room for small answers."""
    return HttpClient(
        tls=tls or ssl.create_default_context(),
        connections_per_origin=connections,
        max_body_bytes=MAX_BODY_BYTES,
    )


def in_a_minute() -> float:
    """A deadline that no test reaches."""
    return asyncio.get_running_loop().time() + 60
