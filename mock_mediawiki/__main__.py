"""Run the mock MediaWiki: ``python -m mock_mediawiki --port 8193 --dump FILE``."""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import uvloop

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.mock_server.http import serve_until_signal
from revertrisk.runtime.logs import configure_logging_from_environment
from revertrisk.wiki.exports.history import ExportHistory
from revertrisk.wiki.exports.index import cache_folder, indexed_export
from revertrisk.wiki.exports.reader import ExportError
from revertrisk.wiki.exports.site import wikis_of_export
from revertrisk.wiki.history import History
from revertrisk.wiki.table import WikiTable

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 8193


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


def run(
    host: str = DEFAULT_HOST, port: int = DEFAULT_PORT, dump: Path | None = None, wiki_id: str | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 takes a free one; the address is printed as one line.

    :raises ValueError: if the export cannot be used (an ExportError), or the port cannot be one.
    :raises OSError: if the export cannot be read, its index not be written, or the address not be listened on.
    """
    configure_logging_from_environment("WARNING", sys.stderr)
    wikis = wikis_of(dump, wiki_id)
    with open_history(dump, wikis, wiki_id) as history:
        uvloop.run(_serve(history, wikis, host, port))


async def _serve(history: History, wikis: WikiTable, host: str, port: int) -> None:
    app = create_app(ActionApi(history), wikis, history.default_wiki_id)
    await serve_until_signal("mock MediaWiki", listening(app, host, port))


def main(argv: Sequence[str] | None = None) -> None:
    """Read the command line and `run`; a mistake in it ends the program with status 2 and its reason."""
    parser = argparse.ArgumentParser(prog="mock_mediawiki", description="A mock of MediaWiki's Action API.")
    parser.add_argument("--host", default=DEFAULT_HOST)
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0 takes a free one")
    parser.add_argument("--dump", type=Path, metavar="FILE", help="a MediaWiki XML export, packed or not")
    parser.add_argument(
        "--wiki-id", help="a name for the wiki of an export that names none of the wiki table"
    )
    arguments = parser.parse_args(argv)
    try:
        run(arguments.host, arguments.port, arguments.dump, arguments.wiki_id)
    except (ValueError, OSError) as error:  # export, address
        parser.error(str(error))


if __name__ == "__main__":
    main()
