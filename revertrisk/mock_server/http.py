"""JSON answers, bounded documents, who may ask for ``/_mock/``, connections that are reset, and serving."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from revertrisk.runtime.headers import header_text
from revertrisk.runtime.signals import on_signals

_MAX_DOCUMENT: Final = 100 * 1024
_LAST_PORT: Final = 65_535
MOCK_PREFIX: Final = "/_mock"
_WRONG_HOST: Final = (
    "Host: expected localhost, the address that the mock listens on, or a name without a dot such as a service's; "
    "by another name, send 'Host: localhost'"
)
# SO_LINGER on, for 0 seconds: closing sends RST instead of FIN.
_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)


def json_answer(
    document: Any,
    *,
    status: int = 200,
    reason: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return a document as JSON; ``reason`` is the HTTP reason phrase, by default the status' own."""
    return web.Response(
        body=orjson.dumps(document),
        status=status,
        reason=reason,
        headers=headers,
        content_type="application/json",
        charset="utf-8",
    )


def bad_request(message: str) -> web.HTTPBadRequest:
    """Return the error to raise for a request to ``/_mock/`` that cannot be used; the message names the field."""
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


def asked_host(request: web.Request) -> str:
    """Return the host that was asked for, in small letters and without its port."""
    host = (header_text(request.headers, hdrs.HOST) or "").lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def mock_guard(bound_host: str) -> Middleware:
    """Return a middleware that keeps other people's web pages away from ``/_mock/``.

    A page may send a request to this machine (with its own ``Origin``), and may make a name of its own lead here
    (with that name as ``Host``). In a container the mock is asked by a service's name: one without a dot cannot be a
    web site's, and passes where the connection does not come over loopback.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == MOCK_PREFIX or request.path.startswith(f"{MOCK_PREFIX}/"):
            if not _is_own_host(request, bound_host.lower()):
                return json_answer({"error": _WRONG_HOST}, status=403)
            origin = header_text(request.headers, hdrs.ORIGIN)
            if origin is not None and origin.lower() != f"http://{request.headers[hdrs.HOST]}".lower():
                return json_answer({"error": "Origin: expected none, or the mock's own"}, status=403)
        return await handler(request)

    return middleware


def _is_own_host(request: web.Request, bound_host: str) -> bool:
    host = asked_host(request)
    if not host:
        return False
    if host in {"localhost", bound_host}:
        return True
    own = ip_address((request.get_extra_info("sockname") or ("::",))[0].partition("%")[0])
    if isinstance(own, IPv6Address) and own.ipv4_mapped:
        own = own.ipv4_mapped
    try:
        address = ip_address(host)
    except ValueError:
        return "." not in host and not own.is_loopback
    return address.is_loopback or address == own


def reset_connection(request: web.Request) -> None:
    """End a request's connection with a TCP reset."""
    if request.transport is not None:
        connection = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        request.transport.abort()


@asynccontextmanager
async def serving_app(
    app: web.Application, host: str, port: int, *, auto_decompress: bool = True
) -> AsyncIterator[str]:
    """Serve an application while the context lasts, and yield its base URL. Port 0 takes a free one.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: the port is not a port's number.

    """
    if not 0 <= port <= _LAST_PORT:  # uvloop would wrap it
        raise ValueError(f"port: expected a number from 0 to {_LAST_PORT}, not {port}")
    app.middlewares.insert(0, mock_guard(host))
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=auto_decompress,
        shutdown_timeout=1.0,
        handler_cancellation=True,  # a request that hangs ends when its client goes
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        yield f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
    finally:
        await runner.cleanup()


async def serve_until_signal(name: str, listening: AbstractAsyncContextManager[str]) -> None:
    """Serve until SIGTERM or SIGINT; say on stdout where, once connections are accepted."""
    stop = asyncio.Event()
    with on_signals(stop.set):
        async with listening as url:
            print(f"{name} listening on {url}", flush=True)  # noqa: T201 - the line that callers wait for
            await stop.wait()
