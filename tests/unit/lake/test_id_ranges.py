"""Which data files can hold an id."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from revertrisk.lake.engine import new_engine
from revertrisk.lake.id_ranges import REVERT_BY_ID, REVERT_BY_UNDONE_ID, REVISION_BY_ID, IdRanges
from revertrisk.lake.maintenance import compact_table
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import REVERT, REVISION
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import as_lines
from tests.unit.lake.conftest import EVENTS, KNOWN, batch_of

LATER = datetime(2027, 1, 1, tzinfo=UTC).date()
ONE_RANGE = "SELECT '{0}' AS wiki_id, {1} AS least, {1} AS greatest"


@pytest.mark.parametrize("folder", ["a b", "it's", "é #{a,b}", "filename=x"])
def test_the_files_are_those_of_the_newest_version(tmp_path: Path, folder: str) -> None:
    """Whatever the folder's name, files that were added are known and those that were replaced are not."""
    lake = make_lake(str(tmp_path / folder / "lake"), str(tmp_path / "key"))
    writer = LakeWriter(lake)
    for number in range(6):
        writer.write(batch_of(as_lines(EVENTS[number::6])))
    writer.close()
    engine = new_engine()
    ranges = IdRanges(engine, lake)
    assert ranges.refresh()
    assert not ranges.refresh()
    for table in (REVISION, REVERT):
        assert compact_table(lake, table, LATER) > 0
    assert ranges.refresh()
    reverting = next(edit for edit in KNOWN if edit.reverts is not None)
    assert reverting.reverts is not None
    for view, rev_id in (
        (REVISION_BY_ID, reverting.rev_id),
        (REVERT_BY_ID, reverting.rev_id),
        (REVERT_BY_UNDONE_ID, reverting.reverts[1]),
    ):
        table = REVISION if view == REVISION_BY_ID else REVERT
        known = engine.execute("SELECT DISTINCT file FROM id_range WHERE view = $1", [view]).fetchall()
        assert {file for (file,) in known} == set(lake.files(table))
        ranges.narrow(view, ONE_RANGE.format(reverting.wiki_id, rev_id))
        found = engine.execute(f"SELECT rev_id FROM {view}").fetchall()
        assert (reverting.rev_id,) in found


def test_a_read_that_failed_is_repeated(filled: Lake) -> None:
    """After a file could not be read, each file has its ranges once."""
    engine = new_engine()
    ranges = IdRanges(engine, filled)
    (file, *_) = filled.files(REVERT)
    away = Path(file).rename(f"{file}.away")
    with pytest.raises(Exception, match="No files found"):
        ranges.refresh()
    away.rename(file)
    assert ranges.refresh()
    assert engine.execute(
        "SELECT count(*) FROM (SELECT view, file, wiki_id FROM id_range GROUP BY ALL HAVING count(*) > 1)"
    ).fetchall() == [(0,)]
