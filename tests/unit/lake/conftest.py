"""Lakes in a folder of the test's own."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from revertrisk.lake.engine import Connection, new_engine, table_relation
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import as_lines, edits, page_change, prediction

KNOWN = list(edits(200, days=4, users=12))
EVENTS = [page_change(edit) for edit in KNOWN] + [prediction(edit) for edit in KNOWN]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return make_lake(str(tmp_path / "lake"), str(tmp_path / "key"))


@pytest.fixture
def writer(lake: Lake) -> Iterator[LakeWriter]:
    writer = LakeWriter(lake)
    yield writer
    writer.close()


def batch_of(lines: list[bytes], source: str = "test", begin: int = 0) -> Batch:
    """Return a batch whose records stand in a source one after the other."""
    places = [RecordPlace(source, begin + number) for number in range(len(lines))]
    return Batch(lines, places, resume={source: str(begin + len(lines))})


def tables_of(lake: Lake) -> Connection:
    """Return an engine with the newest version of each table."""
    connection = new_engine()
    for table in TABLES:
        table_relation(connection, lake, table).create_view(table.name, replace=True)
    return connection


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a lake in six batches, once; each test has a copy."""
    folder = tmp_path_factory.mktemp("written")
    writer = LakeWriter(make_lake(str(folder / "lake"), str(folder / "key")))
    for number in range(6):
        writer.write(batch_of(as_lines(EVENTS[number::6])))
    writer.close()
    return folder


@pytest.fixture
def filled(written: Path, tmp_path: Path) -> Lake:
    shutil.copytree(written, tmp_path / "copy")
    return make_lake(str(tmp_path / "copy/lake"), str(tmp_path / "copy/key"))


@pytest.fixture
def writer_of_filled(filled: Lake) -> Iterator[LakeWriter]:
    writer = LakeWriter(filled)
    yield writer
    writer.close()
