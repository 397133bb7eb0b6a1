"""Compaction, forgetting, pruning and the check of a lake."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, shipped_bots, write_bots
from revertrisk.lake.check import check, wait_for_new_places
from revertrisk.lake.erasure import Erasure, erase
from revertrisk.lake.errors import LakeError
from revertrisk.lake.maintenance import (
    compact_table,
    forget_actors,
    forget_titles,
    maintain,
    make_room,
    prune,
)
from revertrisk.lake.schema import PREDICTION, REVERTED, REVISION, TABLES
from revertrisk.lake.tables import Change, Lake, files_by_partition, merge
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import (
    WIKIS,
    as_lines,
    page_change,
    prediction,
)
from tests.fakes.lake_oracle import differences
from tests.unit.lake.conftest import EVENTS, KNOWN, batch_of, tables_of

LATER = datetime(2027, 1, 1, tzinfo=UTC).date()


@pytest.mark.parametrize("today", [LATER, date(2026, 10, 4)], ids=["closed days", "today"])
def test_a_compaction_changes_no_row(filled: Lake, today: date) -> None:
    """After it a table has few files, and the same rows; what was there for the readers goes after the grace."""
    maintain(filled, today=today, actor_key_days=10_000)
    assert differences(tables_of(filled), EVENTS) == []
    for table in TABLES:
        files = files_by_partition(filled, table)
        assert sum(files.values()) <= len(files) + 40
    assert max(files_by_partition(filled, PREDICTION).values()) == (1 if today == LATER else 6)
    before = len(_parquet_files(filled))
    maintain(filled, today=today, actor_key_days=10_000, grace=timedelta(0))
    assert len(_parquet_files(filled)) < before
    assert list(check(filled)) == []


def test_a_full_disk_gets_room_from_replaced_files(filled: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaced files go before their time, and no row with them; else the disk is said to be full."""
    maintain(filled, today=LATER, actor_key_days=10_000)
    before = len(_parquet_files(filled))
    disk = sum(path.stat().st_size for path in Path(filled.root).rglob("*") if path.is_file())

    def usage(root: str) -> SimpleNamespace:
        used = sum(path.stat().st_size for path in Path(root).rglob("*") if path.is_file())
        return SimpleNamespace(total=disk, used=used, free=disk - used)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    with pytest.raises(LakeError, match="the disk is full"):
        make_room(filled)
    assert len(_parquet_files(filled)) == before
    make_room(filled, grace=timedelta(0))
    assert len(_parquet_files(filled)) < before
    assert differences(tables_of(filled), EVENTS) == []


def test_a_reader_during_writes_compaction_and_erasure_sees_every_row_once(
    lake: Lake, writer: LakeWriter
) -> None:
    """Every answer is one moment of the table: never a double, never fewer than before, never an error."""
    done = threading.Event()
    seen: list[tuple[int, int]] = []

    def read() -> None:
        while not done.is_set():
            reader = Reader(lake.root)
            row = reader.query(
                "SELECT count(*), count(DISTINCT (wiki_id, rev_id)) FROM prediction"
            ).fetchone()
            assert row is not None
            seen.append((row[0], row[1]))
            reader.close()

    thread = threading.Thread(target=read)
    thread.start()
    try:
        for number in range(4):
            writer.write(batch_of(as_lines(EVENTS[number::4])))
            compact_table(lake, PREDICTION, LATER)
            erase(lake, Erasure(actors=(("enwiki", "User 2"),)), grace_s=0)
    finally:
        done.set()
        thread.join()
    assert seen
    assert all(rows == keys for rows, keys in seen)
    assert seen == sorted(seen)


def test_old_actor_keys_go_and_what_was_derived_stays(filled: Lake) -> None:
    """After ACTOR_KEY_DAYS only listed bots have keys before the day; `reverted` and user kinds are as they were."""
    tables = tables_of(filled)
    derived = "SELECT * FROM reverted ORDER BY ALL"
    kinds = "SELECT user_kind, count(*) FROM revert GROUP BY ALL ORDER BY ALL"
    before = [tables.execute(query).fetchall() for query in (derived, kinds)]
    write_bots(filled, [Bot(wiki_id=wiki, name="User 10") for wiki in WIKIS])
    day = date(2026, 10, 3)
    assert forget_actors(filled, day) > 0
    tables = tables_of(filled)
    for table in ("revision", "revert"):
        left = tables.execute(
            f"SELECT min(day) FROM {table} ANTI JOIN bot USING (wiki_id, actor_key) WHERE actor_key IS NOT NULL"
        )
        assert left.fetchall() == [(day,)]
    bots_edits = tables.execute(
        f"SELECT count(*) FROM revision SEMI JOIN bot USING (actor_key) WHERE day < DATE '{day}'"
    )
    assert bots_edits.fetchall()[0][0] > 0
    assert [tables.execute(query).fetchall() for query in (derived, kinds)] == before
    assert list(check(filled)) == []


def test_a_deleted_page_loses_its_title_in_every_row(lake: Lake, writer: LakeWriter) -> None:
    """The view shows none at once, the next maintenance nulls it; a page that came back keeps its own."""
    gone, back = KNOWN[0], next(edit for edit in KNOWN if edit.page_id != KNOWN[0].page_id)
    writer.write(
        batch_of(
            as_lines(
                [
                    page_change(gone),
                    page_change(back),
                    page_change(gone, kind="delete", after_s=50),
                    page_change(back, kind="delete", after_s=50),
                    page_change(back, kind="undelete", after_s=90),
                ]
            )
        )
    )
    reader = Reader(lake.root)
    assert dict(reader.query("SELECT page_id, title FROM page").fetchall()) == {
        gone.page_id: None,
        back.page_id: f"Page_{back.page_id}",
    }
    assert forget_titles(lake) == 1
    assert forget_titles(lake) == 0
    titles = tables_of(lake).execute("SELECT DISTINCT page_id, title FROM page_event WHERE title IS NOT NULL")
    assert titles.fetchall() == [(back.page_id, f"Page_{back.page_id}")]


def test_pruning_deletes_whole_days(filled: Lake) -> None:
    """What lies before the day is gone, what does not is as it was; a month that has not ended before it stays."""
    day = date(2026, 10, 3)
    later = tables_of(filled).execute(f"SELECT count(*) FROM revision WHERE day >= DATE '{day}'").fetchall()
    assert prune(filled, day) > 0
    tables = tables_of(filled)
    assert tables.execute("SELECT min(day) FROM revision").fetchall() == [(day,)]
    assert tables.execute("SELECT count(*) FROM revision").fetchall() == later
    assert tables.execute("SELECT count(*) FROM page_event").fetchall() == [(len(KNOWN),)]


def test_no_writer_forgets_actors_while_another_reads_an_old_export(lake: Lake, writer: LakeWriter) -> None:
    """Keys of old edits stay until the source that brings them has ended, or has brought nothing for long."""
    old = [page_change(replace(edit, moment=edit.moment - timedelta(days=3000))) for edit in KNOWN]
    writer.write(batch_of(as_lines(old), source="export"))
    writer.write(batch_of(as_lines(map(prediction, KNOWN)), source="export", begin=1000))
    writer.write(batch_of(as_lines(map(page_change, KNOWN)), source="live"))
    today = datetime.now(UTC).date()
    keys = "SELECT count(actor_key) FROM revision WHERE day < DATE '2020-01-01'"
    maintain(lake, today=today)
    assert tables_of(lake).execute(keys).fetchall() != [(0,)]
    maintain(lake, today=today, ended={"export"})
    assert tables_of(lake).execute(keys).fetchall() == [(0,)]


DAMAGED: dict[str, Callable[[Lake], object]] = {
    "query": lambda lake: Reader(lake.root).query("SELECT sum(rev_id) FROM revision").fetchall(),
    "check": lambda lake: list(check(lake)),
    "writer": lambda lake: LakeWriter(lake).write(batch_of(as_lines(EVENTS))),
    "place": lambda lake: LakeWriter(lake).place("test"),
    "maintenance": maintain,
    "erasure": lambda lake: erase(lake, Erasure(actors=(("enwiki", "User 2"),)), grace_s=0),
    "list of bots": lambda lake: write_bots(lake, shipped_bots()),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_file_is_the_lakes_fault(filled: Lake, what: str) -> None:
    """A data file that was cut off is said by every reader and writer, as what is wrong with the lake: status 1."""
    write_bots(filled, [Bot(wiki_id="enwiki", name="User 10")])
    for path in Path(filled.root).rglob("*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(LakeError) as told:
        DAMAGED[what](filled)
    assert told.value.exit_status == 1
    assert filled.root in str(told.value)


def test_the_check_finds_what_is_wrong(filled: Lake) -> None:
    """A derived row that differs, one that is missing, and a hidden author who is told, are each one finding."""
    engine = tables_of(filled)
    row = engine.execute("SELECT day, rev_id FROM reverted ORDER BY ALL LIMIT 1").fetchall()[0]
    wrong = engine.sql(f"SELECT * REPLACE (7.5 AS seconds_to_revert) FROM reverted WHERE rev_id = {row[1]}")
    merge(filled, REVERTED, wrong, [row[0]], Change({"seconds_to_revert": "s.seconds_to_revert"}))
    told = engine.sql(
        f"SELECT * REPLACE (TIMESTAMPTZ '2027-01-01' AS author_hidden_dt) FROM revision WHERE rev_id = {row[1]}"
    )
    merge(filled, REVISION, told, [row[0]], Change({"author_hidden_dt": "s.author_hidden_dt"}))
    found = check(filled, wait=lambda _lake, _version: None)
    assert sorted(finding.partition(":")[0] for finding in found) == [
        "reverted",
        "reverted",
        "revision",
    ]


def test_a_batch_that_is_being_written_is_no_finding(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not agree between two tables counts only where it stays so when the writer's batch is done."""
    batch = batch_of(as_lines(EVENTS))
    cut = LakeWriter(lake)
    monkeypatch.setattr(cut, "_write_reverted", _end)
    with pytest.raises(KeyboardInterrupt):
        cut.write(batch)
    again = LakeWriter(lake)
    again.write(batch_of([], source="other"))  # a writer is at work

    def finish(lake: Lake, version: int) -> None:
        again.write(batch)
        wait_for_new_places(lake, version)

    (finding,) = check(lake, wait=lambda _lake, _version: None)
    assert "rows are missing or different" in finding
    assert list(check(lake, wait=finish)) == []


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def _parquet_files(lake: Lake) -> list[Path]:
    return list(Path(lake.root).rglob("*.parquet"))
