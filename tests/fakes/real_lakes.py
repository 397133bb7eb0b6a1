"""Fixtures: the events of real exports, and a lake of one page's whole history, each made once for all processes."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from mock_mediawiki.app import open_history
from mock_mediawiki.page_changes import write_page_changes
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.engine import Connection
from revertrisk.lake.open_or_create import make_lake, open_lake
from revertrisk.lake.tables import Lake
from revertrisk.wiki.table import WikiTable
from tests.fakes.lakes import write_lines
from tests.fakes.real_data import EDITS, PAGE, SHARED

BOTS: Final = ("ClueBot", "VoABot II", "AntiVandalBot", "Tawkerbot2", "Tawkerbot4", "MartinBot")
"""The anti-vandal bots that edited the page of `PAGE`."""
_PLACEHOLDERS: Final = {
    "{DBS}": "('enwiki')",
    "{BOTS}": str(BOTS),
    "{START_DATE}": "2005-01-01",
    "{END_DATE}": "2010-12-31",
}
EventsOfExport = Callable[[str], Path]


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the real data, which is not part of the project."""
    if not EDITS.is_dir():
        pytest.skip("the real data is not here: expected a folder `shared` beside the project")
    return SHARED


@pytest.fixture(scope="session")
def events_of_export(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> EventsOfExport:
    """Return the file of page_change events of a real export."""

    def events_of(name: str) -> Path:
        with _to_make(tmp_path_factory, f"{name}.events.jsonl") as (path, part):
            if part is not None:
                wikis = WikiTable.load()
                with open_history(EDITS / name, wikis) as history, part.open("wb") as out:
                    write_page_changes(history, wikis, out)
        return path

    return events_of


@pytest.fixture(scope="session")
def page_lake(events_of_export: EventsOfExport, tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """The lake of the events of `PAGE`, and the list of its bots. It is for reading: a test that writes copies it."""
    with _to_make(tmp_path_factory, "page_lake") as (path, part):
        if part is not None:
            shutil.rmtree(part, ignore_errors=True)  # of a process that failed here
            part.mkdir()
            lake = make_lake(str(part / "lake"), str(part / "key"))
            write_lines(lake, events_of_export(PAGE).read_bytes().splitlines(), batch=5000)
            write_bots(lake, [Bot(wiki_id="enwiki", name=name) for name in BOTS])
    return open_lake(str(path / "lake"))


@contextmanager
def _to_make(factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, Path | None]]:
    """Yield a path that all processes of this run share; and where to make it, if this one has to."""
    folder = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path, part = folder / name, folder / f"{name}.part"
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if path.exists():
            yield path, None
        else:
            yield path, part
            part.rename(path)


def notebook_query(engine: Connection, name: str) -> str:
    """Return a query of the 2023 notebook, with its placeholders filled in for this engine's `mediawiki_history`."""
    ((snapshot,),) = engine.execute("SELECT any_value(snapshot) FROM wmf.mediawiki_history").fetchall()
    text = (SHARED / "data/queries" / f"{name}.sql").read_text()
    for placeholder, value in (_PLACEHOLDERS | {"{MW_SNAPSHOT}": snapshot}).items():
        text = text.replace(placeholder, value)
    return text
