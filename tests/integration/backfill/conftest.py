"""Backfills over the sample pages and over a real export, with a server on a backfill's stream."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from revertrisk.cli.programs import running
from tests.fakes.backfills import BACKFILL_STREAM, Command
from tests.fakes.clients import StartServer
from tests.fakes.real_data import EDITS, PAGE


@pytest.fixture(scope="package")
def export_wiki(shared: Path, logs: Path) -> Iterator[str]:
    """A MediaWiki with the whole history of one page, 15,180 revisions."""
    with running(
        ["mock-mediawiki", "--port", "0", "--dump", str(EDITS / PAGE)], logs / "export.log"
    ) as program:
        yield program.url


@pytest.fixture(scope="package")
def backfill_server(start_server: StartServer, gate: str, sample_wiki: str) -> Iterator[str]:
    """A server on a backfill's stream, over the sample pages."""
    with start_server(WIKI_URL=sample_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=BACKFILL_STREAM) as program:
        yield program.url


@pytest.fixture(scope="package")
def export_server(start_server: StartServer, gate: str, export_wiki: str) -> Iterator[str]:
    """A server on a backfill's stream, over the export."""
    with start_server(WIKI_URL=export_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=BACKFILL_STREAM) as program:
        yield program.url


@pytest.fixture
def command(tmp_path: Path) -> Callable[[str, str], Command]:
    """Make the command for a wiki and a target, which asks nothing and hardly waits."""

    def make(wiki_url: str, target: str) -> Command:
        return Command(
            tmp_path,
            ("--wiki-url", wiki_url, "--target", target, "--yes", "--rate", "500", "--concurrency", "5"),
        )

    return make
