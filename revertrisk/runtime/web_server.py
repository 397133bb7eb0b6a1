"""What our web servers share: JSON answers, protection against other web pages, and serving until a signal."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from ipaddress import IPv6Address, ip_address
from typing import Any, Final

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from revertrisk.runtime.headers import header_text
from revertrisk.runtime.signals import on_signals

_LAST_PORT: Final = 65_535
_WRONG_HOST: Final = (
    "Host: expected localhost, the address that this server listens on, or a name without a dot such as a service's; "
    "by another name, send 'Host: localhost'"
)


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


def asked_host(request: web.Request) -> str:
    """Return the host in the Host header, in lower case and without its port."""
    host = (header_text(request.headers, hdrs.HOST) or "").lower()
    return host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]


def own_page_guard(bound_host: str, prefix: str) -> Middleware:
    """Return a middleware that refuses requests of other web sites to ``prefix`` and the paths below it.

    A page of another site can send a request to this machine (with its own ``Origin``), or let a name of its domain
    resolve to this machine (with that name as ``Host``). In a container the ``Host`` is a service's name. A name
    without a dot cannot be a web site's, and is accepted if the connection is not over loopback. An empty prefix
    guards all paths.
    """

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path == prefix or request.path.startswith(f"{prefix}/"):
            if not _is_own_host(request, bound_host.lower()):
                return json_answer({"error": _WRONG_HOST}, status=403)
            origin = header_text(request.headers, hdrs.ORIGIN)
            if origin is not None and origin.lower() != f"http://{request.headers[hdrs.HOST]}".lower():
                return json_answer({"error": "Origin: expected none, or this server's own"}, status=403)
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


@asynccontextmanager
async def serving_app(
    app: web.Application, host: str, port: int, *, guarded: str = "", auto_decompress: bool = True
) -> AsyncIterator[str]:
    """Serve an application while the context is open, and yield its base URL. Port 0 takes a free port.

    The path ``guarded`` and those below it refuse requests of other web sites (`own_page_guard`); by default all do.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: the port is not a port number.

    """
    if not 0 <= port <= _LAST_PORT:  # uvloop would use it modulo 65,536
        raise ValueError(f"port: expected a number from 0 to {_LAST_PORT}, not {port}")
    app.middlewares.insert(0, own_page_guard(host, guarded))
    runner = web.AppRunner(
        app,
        access_log=None,
        auto_decompress=auto_decompress,
        shutdown_timeout=1.0,
        handler_cancellation=True,  # a request that hangs ends when its client disconnects
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        yield f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
    finally:
        await runner.cleanup()


async def serve_until_signal(name: str, listening: AbstractAsyncContextManager[str]) -> None:
    """Serve until SIGTERM or SIGINT; print the address on stdout once connections are accepted."""
    stop = asyncio.Event()
    with on_signals(stop.set):
        async with listening as url:
            print(f"{name} listening on {url}", flush=True)  # noqa: T201 - the line that callers wait for
            await stop.wait()
