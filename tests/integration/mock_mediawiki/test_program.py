"""The mock MediaWiki and the event generator as processes of their own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

WRITE = """
import sys
from revertrisk.wiki.table import WikiTable
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
    options = ["--port", "0"] if dump is None else ["--port", "0", "--dump", str(dump)]
    process = subprocess.Popen(
        [sys.executable, "-m", "revertrisk.cli.app", "mock-mediawiki", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.fullmatch(r"mock MediaWiki listening on (http://127\.0\.0\.1:\d+)\n", line)
        assert found is not None, line + (process.stderr.read() if process.stderr else "")
        yield process, found[1]
    finally:
        process.kill()
        process.communicate()


def page_title(address: str, page_id: int) -> str:
    """Ask a mock, on its loopback host, what a page is called."""
    query = f"action=query&format=json&formatversion=2&prop=info&pageids={page_id}"
    connection = HTTPConnection(address.removeprefix("http://"), timeout=10)
    connection.request("GET", f"/w/api.php?{query}")
    title = str(json.load(connection.getresponse())["query"]["pages"][0]["title"])
    connection.close()
    return title


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


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--port", "65536"], "port: expected a number from 0 to 65535, not 65536"),
        (["--port", "0", "--dump", __file__], "line 1, column .* not a complete XML file"),
        (["--port", "0", "--dump", "/nowhere.xml"], "does not exist"),
    ],
)
def test_what_cannot_be_served_is_said_at_once(tmp_path: Path, options: list[str], problem: str) -> None:
    """A bad port or export ends the program with status 2 and one line of reason."""
    done = subprocess.run(
        [sys.executable, "-m", "revertrisk.cli.app", "mock-mediawiki", *options],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 2
    assert re.search(problem, done.stderr)
    assert "Traceback" not in done.stderr


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
