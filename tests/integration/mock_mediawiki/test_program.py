"""The mock MediaWiki and the event generator as processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

SERVE = "from pathlib import Path; from mock_mediawiki.__main__ import run; run('127.0.0.1', 0, {dump})"
WRITE = """
import sys
from event_platform.wikis import WikiTable
from mock_mediawiki.page_changes import write_page_changes
from mock_mediawiki.samples import SampleHistory
wikis = WikiTable.load()
write_page_changes(SampleHistory.shipped(wikis), wikis, sys.stdout.buffer)
"""
EXPORT = (
    "<mediawiki><siteinfo><dbname>svwiki</dbname></siteinfo><page><title>Träd</title><ns>0</ns><id>1</id>"
    "<revision><id>5</id><timestamp>2026-01-01T00:00:00Z</timestamp><contributor><ip>::1</ip></contributor>"
    "<text>ett träd</text></revision></page></mediawiki>"
)


@contextmanager
def serving(cache: Path, dump: Path | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a mock and give its process and the address it printed."""
    code = SERVE.format(dump="None" if dump is None else f"Path({str(dump)!r})")
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"mock MediaWiki on (http://127\.0\.0\.1:\d+)\n", line)
        assert found is not None, line + (process.stderr.read() if process.stderr else "")
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


def page_title(address: str, page_id: int) -> str:
    """Ask a mock, on its loopback host, what a page is called."""
    query = f"action=query&format=json&formatversion=2&prop=info&pageids={page_id}"
    with urllib.request.urlopen(f"{address}/w/api.php?{query}", timeout=10) as response:
        return str(json.load(response)["query"]["pages"][0]["title"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_prints_its_address_serves_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    """The first line tells the address; SIGTERM and SIGINT end it quietly with status 0."""
    with serving(tmp_path) as (process, address):
        assert page_title(address, 123) == "Foo"

        process.send_signal(number)
        _, errors = process.communicate(timeout=20)

        assert (process.returncode, errors) == (0, "")


def test_it_serves_an_export_under_the_export_s_wiki(tmp_path: Path) -> None:
    """With a dump the loopback host means the wiki of the export; its index lands in the cache folder."""
    dump = tmp_path / "dump.xml"
    dump.write_text(EXPORT, encoding="utf-8")

    with serving(tmp_path / "cache", dump) as (_, address):
        assert page_title(address, 1) == "Träd"

    assert [file.suffix for file in (tmp_path / "cache/revertrisk").iterdir()] == [".sqlite"]


def test_events_may_be_cut_off_by_their_reader() -> None:
    """A reader that takes one line and leaves makes no error."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITE], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["page_change_kind"] == "edit"
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=20) == 0
