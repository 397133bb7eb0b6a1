"""The HTTP face of the mock MediaWiki: every wiki's API and diffs, and ``/_mock/…`` for tests and people.

The wiki is chosen by the ``Host`` header, whatever its port, as behind Wikimedia's internal proxies. A loopback
host means the wiki that the history names as its default.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, closing, contextmanager
from pathlib import Path

import uvloop
from aiohttp import web

from mock_mediawiki.api import ActionApi
from mock_mediawiki.api_route import ApiRoute
from mock_mediawiki.fault_board import WikiFaultBoard
from mock_mediawiki.faults import fault_reader
from mock_mediawiki.pages.diff_page import DiffRoutes
from mock_mediawiki.parameters import API_PATH
from mock_mediawiki.request_log import LogRoutes, RequestLog
from mock_mediawiki.samples import SampleHistory
from revertrisk.mock_server.faults import FaultRoutes
from revertrisk.mock_server.http import MOCK_PREFIX
from revertrisk.runtime.logs import configure_logging_from_environment
from revertrisk.runtime.web_server import serve_until_signal, serving_app
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import cache_folder, indexed_export
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.exports.site import wikis_of_export
from revertrisk.wiki.history import History
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
    return serving_app(app, host, port, guarded=MOCK_PREFIX)


def wikis_of(dump: Path | None, wiki_id: str | None = None) -> WikiTable:
    """Return the shipped wiki table, with the wiki of an export that goes by ``wiki_id``.

    :raises ExportError: if the export cannot be used, or a name is given without one.
    """
    wikis = WikiTable.load()
    if dump is not None:
        return wikis_of_export(dump, wikis, wiki_id)[1]
    if wiki_id is not None:
        raise ExportError("--wiki-id: is the name of an export's wiki, and needs --dump")
    return wikis


@contextmanager
def open_history(dump: Path | None, wikis: WikiTable, wiki_id: str | None = None) -> Iterator[History]:
    """Hold the history of an export, indexed the first time, or of the sample pages where none is given.

    :raises ExportError: if the export cannot be used; it is a ValueError.
    :raises OSError: if the export cannot be read or its index not be written.
    """
    if dump is None:
        yield SampleHistory.shipped(wikis)
        return
    with closing(ExportHistory(indexed_export(dump, cache_folder(os.environ), wikis, wiki_id))) as history:
        yield history


def run(host: str, port: int, dump: Path | None, wiki_id: str | None) -> None:
    """Serve until SIGTERM or SIGINT, and say on stdout where, once connections are accepted.

    :raises ValueError: if the export cannot be used (an ExportError), or the port cannot be one.
    :raises OSError: if the export cannot be read, its index not be written, or the address not be listened on.
    """
    configure_logging_from_environment("WARNING", sys.stderr)
    wikis = wikis_of(dump, wiki_id)
    with open_history(dump, wikis, wiki_id) as history:
        app = create_app(ActionApi(history), wikis, history.default_wiki_id)
        uvloop.run(serve_until_signal("mock MediaWiki", listening(app, host, port)))
