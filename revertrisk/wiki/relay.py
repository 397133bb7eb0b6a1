"""A relay that lets a model server reach wikis through a proxy, since the server reads no proxy from the environment.

A tool that starts a server starts the relay too. It listens on loopback, and its address is the server's ``WIKI_URL``.
It forwards a request to the wiki named in the ``Host`` header, through the environment's proxy. A host that is not in
the wiki table gets 403.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
from aiohttp import web

from revertrisk.runtime.proxies import proxy_of
from revertrisk.wiki.table import WikiTable

_TIMEOUT_S: Final = 30.0
_REQUEST_HEADERS: Final = ("user-agent", "content-type", "accept", "promise-non-write-api-action")
_RESPONSE_HEADERS: Final = ("content-type", "retry-after", "mediawiki-api-error")
_MAX_BODY_BYTES: Final = 1024 * 1024


def has_proxy_for_wikis(wikis: WikiTable) -> bool:
    """Return whether the environment has a proxy for any wiki; raises ProxyError."""
    return any(proxy_of(f"https://{wiki.domain}") is not None for wiki in wikis)


@contextmanager
def wiki_relay(wikis: WikiTable) -> Iterator[str]:
    """Relay in a thread while the context is open; yield the address for ``WIKI_URL``."""
    listener = socket.create_server(("127.0.0.1", 0))
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(_serve(listener, wikis, stop),), name="wiki-relay", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def _serve(listener: socket.socket, wikis: WikiTable, stop: asyncio.Event) -> None:
    domains = frozenset(wiki.domain for wiki in wikis)
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()) as session:

        async def answer(request: web.Request) -> web.Response:
            if request.host not in domains:
                return web.Response(status=403, text="the host is not in the wiki table\n")
            url = f"https://{request.host}{request.path_qs}"
            headers = {name: request.headers[name] for name in _REQUEST_HEADERS if name in request.headers}
            try:
                async with session.request(
                    request.method,
                    url,
                    data=await request.read(),
                    headers=headers,
                    proxy=proxy_of(url),
                    # A redirect can lead to any host. The server gets it as the answer.
                    allow_redirects=False,
                ) as wiki:
                    found = {name: wiki.headers[name] for name in _RESPONSE_HEADERS if name in wiki.headers}
                    return web.Response(status=wiki.status, body=await wiki.read(), headers=found)
            except (aiohttp.ClientError, TimeoutError):
                return web.Response(status=502, text="the wiki or the proxy could not be reached\n")

        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_route("*", "/w/api.php", answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.SockSite(runner, listener).start()
        await stop.wait()
        await runner.cleanup()
