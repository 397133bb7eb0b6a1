"""The HTTP face of the mock MediaWiki: ``/w/api.php`` for every wiki, and ``/_mock/…`` for tests to read back.

The wiki is chosen by the ``Host`` header, whatever its port, as behind Wikimedia's internal proxies. A loopback
host means the wiki that the history names as its default.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import orjson
from aiohttp import web

from event_platform.wikis import Wiki, WikiTable
from mock_mediawiki.api import ActionApi
from mock_mediawiki.parameters import ApiError, Parameters
from mock_mediawiki.request_log import RequestLog

API_PATH: Final = "/w/api.php"
_LAST_PORT: Final = 65_535
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_NO_WIKI: Final = (
    "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>No wiki found</title>"
    "<h1>No wiki found</h1><p>There is no wiki at this address.</p></html>"
)
_DOCREF: Final = "See https://{domain}" + API_PATH + " for API usage."


def create_app(api: ActionApi, wikis: WikiTable, default_wiki_id: str) -> web.Application:
    """Make the application. ``default_wiki_id`` answers on a loopback host."""
    handlers = _Handlers(api, wikis, default_wiki_id, RequestLog())
    app = web.Application()
    app.router.add_get(API_PATH, handlers.api)
    app.router.add_post(API_PATH, handlers.api)
    app.router.add_get("/_mock/stats", handlers.stats)
    app.router.add_get("/_mock/requests", handlers.requests)
    app.router.add_delete("/_mock/requests", handlers.forget)
    return app


@asynccontextmanager
async def listening(app: web.Application, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve an application while the context lasts, and yield its base URL. Port 0 takes a free one.

    :raises OSError: if the address cannot be listened on.
    :raises ValueError: if the port is not a port's number.
    """
    if not 0 <= port <= _LAST_PORT:  # uvloop would wrap it
        raise ValueError(f"port: expected a number from 0 to {_LAST_PORT}, not {port}")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        yield f"http://[{address}]:{bound}" if ":" in address else f"http://{address}:{bound}"
    finally:
        await runner.cleanup()


class _Handlers:
    def __init__(self, api: ActionApi, wikis: WikiTable, default_wiki_id: str, log: RequestLog) -> None:
        self._api = api
        self._wikis = wikis
        self._default_wiki_id = default_wiki_id
        self._log = log

    async def api(self, request: web.Request) -> web.Response:
        host = _host(request)
        values = {name: value for name, value in request.query.items() if isinstance(value, str)}
        if request.method == "POST":
            form = await request.post()
            values |= {name: value for name, value in form.items() if isinstance(value, str)}
        self._log.add(request.transport, host, request.headers.get("User-Agent", ""), values)
        wiki = self._wiki(host)
        if wiki is None:
            return web.Response(status=404, text=_NO_WIKI, content_type="text/html")
        try:
            return _json(self._api.answer(wiki, Parameters(values)))
        except ApiError as exc:
            error = {"code": exc.code, "info": exc.info, **exc.more}
            error["docref"] = _DOCREF.format(domain=wiki.domain)
            # As in MediaWiki, an error is an answer: HTTP status 200.
            return _json(
                {"error": error, "servedby": "mock-mediawiki"}, headers={"MediaWiki-API-Error": exc.code}
            )

    async def stats(self, _request: web.Request) -> web.Response:
        return _json(self._log.stats())

    async def requests(self, _request: web.Request) -> web.Response:
        return _json(self._log.last())

    async def forget(self, _request: web.Request) -> web.Response:
        self._log.clear()
        return web.Response(status=204)

    def _wiki(self, host: str) -> Wiki | None:
        if host in _LOOPBACK:
            return self._wikis.by_id(self._default_wiki_id)
        return self._wikis.by_domain(host)


def _host(request: web.Request) -> str:
    """Return the host that was asked for, without its port."""
    host = request.headers.get("Host", "").lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _json(body: Any, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), content_type="application/json", charset="utf-8", headers=headers
    )
