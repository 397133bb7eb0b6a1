"""HTTP for the mocks: reads limited JSON documents, refuses wrong requests to ``/_mock/``, resets connections."""

import socket
import struct
from typing import Any, Final

import orjson
from aiohttp import web

_MAX_DOCUMENT: Final = 100 * 1024
MOCK_PREFIX: Final = "/_mock"
# SO_LINGER on, for 0 seconds: closing sends RST instead of FIN.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def bad_request(message: str) -> web.HTTPBadRequest:
    """Return the error to raise for a wrong request to ``/_mock/``; ``message`` names the field."""
    return web.HTTPBadRequest(text=orjson.dumps({"error": message}).decode(), content_type="application/json")


async def read_document(request: web.Request) -> Any:
    """Return the JSON in a request to ``/_mock/``.

    Raises:
        HTTPBadRequest: it is larger than 100 kB, or not JSON.

    """
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MAX_DOCUMENT:
            raise bad_request(f"body: expected at most {_MAX_DOCUMENT} bytes")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise bad_request("body: expected JSON") from None


def reset_connection(request: web.Request) -> None:
    """Close a request's connection with a TCP reset."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()
