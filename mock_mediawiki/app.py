"""The mock MediaWiki as an aiohttp application: every wiki's API and diffs, and ``/_mock/…`` for tests and people.

The ``Host`` header without its port selects the wiki, as behind Wikimedia's internal proxies. A loopback host
selects the history's default wiki.
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
    """Return a new application with its own faults and counts. A loopback host selects ``default_wiki_id``.

    Its server needs ``handler_cancellation=True``, so that a request that hangs ends when its client disconnects.
    `listening` sets it.
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

    async def end_open_requests(_app: web.Application) -> None:
        board.replace([])

    app.on_shutdown.append(end_open_requests)
    return app


def listening(
    app: web.Application, host: str = "127.0.0.1", port: int = 0
) -> AbstractAsyncContextManager[str]:
    """Serve an application while the context is open, and yield its base URL. Port 0 takes a free port.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: the port is not a port number.

    """
    return serving_app(app, host, port, guarded=MOCK_PREFIX)


def wikis_of(dump: Path | None, wiki_id: str | None = None) -> WikiTable:
    """Return the shipped wiki table, and with ``dump`` also the export's wiki, named ``wiki_id`` if it is given.

    Raises:
        ExportError: the export cannot be used, or ``wiki_id`` is given without an export.

    """
    wikis = WikiTable.load()
    if dump is not None:
        return wikis_of_export(dump, wikis, wiki_id)[1]
    if wiki_id is not None:
        raise ExportError("--wiki-id: names the wiki of an export, so it needs --dump")
    return wikis


@contextmanager
def open_history(dump: Path | None, wikis: WikiTable, wiki_id: str | None = None) -> Iterator[History]:
    """Open the history of an export, or without ``dump`` that of the sample pages. A new export is indexed first.

    Raises:
        ExportError: the export cannot be used. It is a ValueError.
        OSError: the export cannot be read or its index cannot be written.

    """
    if dump is None:
        yield SampleHistory.shipped(wikis)
        return
    with closing(ExportHistory(indexed_export(dump, cache_folder(os.environ), wikis, wiki_id))) as history:
        yield history


def run(host: str, port: int, dump: Path | None, wiki_id: str | None) -> None:
    """Serve until SIGTERM or SIGINT; print the address on stdout once connections are accepted.

    Raises:
        ValueError: the export cannot be used (an ExportError), or the port is not a port number.
        OSError: the export cannot be read, its index cannot be written, or the address cannot be listened on.

    """
    configure_logging_from_environment("WARNING", sys.stderr)
    wikis = wikis_of(dump, wiki_id)
    with open_history(dump, wikis, wiki_id) as history:
        app = create_app(ActionApi(history), wikis, history.default_wiki_id)
        uvloop.run(serve_until_signal("mock MediaWiki", listening(app, host, port)))
