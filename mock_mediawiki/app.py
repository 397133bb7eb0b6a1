"""The HTTP face of the mock MediaWiki: every wiki's API and diffs, and ``/_mock/…`` for tests and people.

The wiki is chosen by the ``Host`` header, whatever its port, as behind Wikimedia's internal proxies. A loopback
host means the wiki that the history names as its default.
"""

from contextlib import AbstractAsyncContextManager

from aiohttp import web

from mock_mediawiki.api import ActionApi
from mock_mediawiki.api_route import ApiRoute
from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.faults import fault_reader
from mock_mediawiki.pages.diff_page import DiffRoutes
from mock_mediawiki.parameters import API_PATH
from mock_mediawiki.request_log import LogRoutes, RequestLog
from revertrisk.mock_server.faults import FaultRoutes
from revertrisk.mock_server.http import serving_app
from revertrisk.wiki.table import WikiTable


def create_app(api: ActionApi, wikis: WikiTable, default_wiki_id: str) -> web.Application:
    """Make the application, with its own faults and counts. ``default_wiki_id`` answers on a loopback host.

    Requests that hang end with their client only where the server has ``handler_cancellation=True``, as
    `listening` has.
    """
    board, log = WikiFaultBoard(), RequestLog()
    route, faults, readback = (
        ApiRoute(api, wikis, default_wiki_id, board, log),
        FaultRoutes(board, fault_reader(wikis)),
        LogRoutes(log, board),
    )
    diffs = DiffRoutes(api.history, wikis, board)
    app = web.Application()
    for method, path, handler in (
        ("GET", API_PATH, route.answer),
        ("HEAD", API_PATH, route.answer),
        ("POST", API_PATH, route.answer),
        ("GET", "/_mock/diff/{wiki_id}/{rev_id}", diffs.mock_diff),
        ("GET", "/_mock/stats", readback.stats),
        ("GET", "/_mock/requests", readback.requests),
        ("DELETE", "/_mock/requests", readback.forget),
        ("GET", "/_mock/faults", faults.show),
        ("PUT", "/_mock/faults", faults.replace),
        ("POST", "/_mock/faults", faults.add),
        ("DELETE", "/_mock/faults", faults.clear),
    ):
        app.router.add_route(method, path, handler)

    async def let_go(_app: web.Application) -> None:
        board.replace([])

    app.on_shutdown.append(let_go)
    return app


def listening(
    app: web.Application, host: str = "127.0.0.1", port: int = 0
) -> AbstractAsyncContextManager[str]:
    """Serve an application while the context lasts, and yield its base URL. Port 0 takes a free one.

    :raises OSError: if the address cannot be listened on.
    :raises ValueError: if the port is not a port's number.
    """
    return serving_app(app, host, port)
