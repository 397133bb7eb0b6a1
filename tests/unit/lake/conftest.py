"""Lakes in a folder of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revertrisk.lake.engine import Connection, new_engine, table_relation
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace


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
