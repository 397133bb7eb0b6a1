"""Puts the mock MediaWiki together and runs it."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop
from aiohttp import web

from event_platform.wikis import WikiTable
from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app
from mock_mediawiki.export_history import ExportHistory
from mock_mediawiki.history import History
from mock_mediawiki.index import cache_folder, indexed_export
from mock_mediawiki.samples import SampleHistory


def open_history(dump: Path | None, wikis: WikiTable) -> History:
    """Open the history of an export, indexing it the first time, or of the sample pages where none is given.

    :raises ExportError: if the export cannot be used.
    :raises OSError: if it cannot be read or its index not be written.
    """
    if dump is None:
        return SampleHistory.shipped(wikis)
    return ExportHistory(indexed_export(dump, cache_folder(os.environ), wikis))


def run(host: str, port: int, dump: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 takes a free one; the address is printed as one line.

    :raises ExportError: if the export cannot be used.
    :raises OSError: if it cannot be read, its index not be written, or the address not be listened on.
    """
    wikis = WikiTable.load()
    history = open_history(dump, wikis)
    uvloop.run(_serve(create_app(ActionApi(history), wikis, history.default_wiki_id), host, port))


async def _serve(app: web.Application, host: str, port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, shutdown_timeout=1)
        await site.start()
        address, bound = runner.addresses[0][:2]
        shown = f"[{address}]" if ":" in address else address
        print(f"mock MediaWiki on http://{shown}:{bound}", flush=True)  # noqa: T201 - how callers learn the port
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    arguments = sys.argv[1:]
    run("127.0.0.1", 8193, Path(arguments[0]) if arguments else None)
