"""Two writers change one version of a table, without locks: each change is made on what is there, or made again."""

import errno
import fcntl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest
from deltalake import DeltaTable

from revertrisk.lake.engine import Relation, new_engine, table_relation
from revertrisk.lake.maintenance import compact_partition
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import PREDICTION, REVISION, Table
from revertrisk.lake.tables import Change, Lake, delete_partitions, merge
from tests.fakes.object_store import object_store

DAYS = (date(2026, 10, 1), date(2026, 10, 2))
DAY, OTHER_DAY = DAYS
ROWS = 200
"""Of each day."""

Work = Callable[[Lake], object]


@dataclass(frozen=True, slots=True)
class OtherWriterIsFirst(Lake):
    """A lake in which another writer's change is committed when a table has been opened and not yet changed."""

    others: list[Work] = field(default_factory=list)
    """One change for each time that a table is opened."""

    def table(self, table: Table) -> DeltaTable:
        """Open the newest version; afterwards it is the newest no longer, as long as there are others' changes."""
        opened = Lake.table(self, table)
        if self.others:
            self.others.pop(0)(Lake(self.root, self.lake_id, self.actor_keys))
        return opened


def before(lake: Lake, *others: Work) -> Lake:
    """Return the lake for one writer; each of the others' changes comes before one try of it."""
    return OtherWriterIsFirst(lake.root, lake.lake_id, lake.actor_keys, others=list(others))


@pytest.fixture(autouse=True)
def no_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no writer wait for another, as on a file system without locks."""
    monkeypatch.setattr(fcntl, "flock", _refuse)


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def rows(table: Table, begin: int = 0, end: int = ROWS, day: date = DAY) -> Relation:
    """Return rows of a table, of one day, with ids from ``begin`` to before ``end``; an engine is made for them."""
    told = {"day": f"DATE '{day}'", "wiki_id": "'enwiki'", "page_change_kind": "'edit'", "kind": "'edit'"}
    told |= {"rev_id": "id", "model_name": "'model'", "model_version": "'3'"}
    columns = ", ".join(
        f"CAST({told.get(each.name, 'NULL')} AS {each.type}) AS {each.name}" for each in table.columns
    )
    return new_engine().sql(f"SELECT {columns} FROM range({begin}, {end}) ids(id)")


def merging(table: Table, begin: int = 0, end: int = ROWS) -> Work:
    def work(lake: Lake) -> None:
        for day in DAYS:
            merge(lake, table, rows(table, begin, end, day), [day])

    return work


def marking(table: Table) -> Work:
    """Return a change of every row of a day."""
    change = Change({"page_id": "coalesce(t.page_id, 0) + 1"}, inserts=False)
    return lambda lake: merge(lake, table, rows(table), [DAY], change)


def compacting(table: Table, *sorted_by: str) -> Work:
    return lambda lake: compact_partition(lake, table, DAY, sorted_by)


def pruning(table: Table) -> Work:
    return lambda lake: delete_partitions(lake, table, OTHER_DAY)


def found(lake: Lake, table: Table) -> list[tuple[date, int, int, int]]:
    """Return of each day: rows, different keys, and how often its rows were marked."""
    relation = table_relation(new_engine(), lake, table)
    return (
        relation.aggregate("day, count(*), count(DISTINCT rev_id), coalesce(max(page_id), 0)")
        .order("day")
        .fetchall()
    )


@pytest.mark.parametrize("table", [PREDICTION, REVISION], ids=lambda table: table.name)
@pytest.mark.parametrize("begin", [0, ROWS // 2], ids=["empty", "filled"])
def test_two_merges_of_one_version_add_a_row_once(lake: Lake, table: Table, begin: int) -> None:
    """Rows that both writers bring are there once, whether or not the table had rows before."""
    if begin:
        merging(table, 0, begin)(lake)
    merging(table)(before(lake, merging(table), merging(table)))
    assert found(lake, table) == [(day, ROWS, ROWS, 0) for day in DAYS]


def test_so_it_is_in_an_object_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There, no writer can ever wait for another."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    with object_store(tmp_path / "store") as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        lake = make_lake("s3://bucket/lake", str(tmp_path / "key"))
        merging(PREDICTION, 0, ROWS // 2)(before(lake, merging(PREDICTION, 0, ROWS // 4)))
        merging(PREDICTION)(before(lake, merging(PREDICTION, ROWS // 2, ROWS)))
        compacting(PREDICTION)(before(lake, compacting(PREDICTION)))
        marking(PREDICTION)(before(lake, merging(PREDICTION)))
        assert found(lake, PREDICTION) == [(DAY, ROWS, ROWS, 1), (OTHER_DAY, ROWS, ROWS, 0)]


CHANGES = {
    "merge": merging(PREDICTION, ROWS // 2, ROWS * 2),
    "mark": marking(PREDICTION),
    "compact": compacting(PREDICTION),
    "sort": compacting(PREDICTION, "wiki_id", "rev_id"),
}


@pytest.mark.parametrize("winner", CHANGES)
@pytest.mark.parametrize("loser", CHANGES)
def test_any_two_changes_of_one_version_are_both_made_once(lake: Lake, winner: str, loser: str) -> None:
    """No row is doubled, lost or changed twice where the second change was begun before the first was committed."""
    for begin in range(0, ROWS, ROWS // 2):
        merging(PREDICTION, begin, begin + ROWS // 2)(lake)
    CHANGES[loser](before(lake, CHANGES[winner]))
    names = (winner, loser)
    number = ROWS * 2 if "merge" in names else ROWS
    assert found(lake, PREDICTION) == [
        (DAY, number, number, names.count("mark")),
        (OTHER_DAY, number, number, 0),
    ]


def test_a_pruned_day_does_not_come_back(lake: Lake) -> None:
    """What is compacted while its day is pruned is not written anew."""
    for begin in range(0, ROWS, ROWS // 2):
        merging(PREDICTION, begin, begin + ROWS // 2)(lake)
    compacting(PREDICTION)(before(lake, pruning(PREDICTION)))
    assert found(lake, PREDICTION) == [(OTHER_DAY, ROWS, ROWS, 0)]
