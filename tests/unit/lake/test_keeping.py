"""Compaction, forgetting, pruning, erasure and the check of a lake."""

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from revertrisk.lake import Reader
from revertrisk.lake import tables as tables_module
from revertrisk.lake.bots import Bot, shipped_bots, write_bots
from revertrisk.lake.check import check, wait_for_new_places
from revertrisk.lake.engine import files_relation, new_engine
from revertrisk.lake.erasure import Erasure, erase, parse_erasure
from revertrisk.lake.errors import LakeError, LakeUsageError
from revertrisk.lake.maintenance import (
    compact_table,
    forget_actors,
    forget_titles,
    maintain,
    make_room,
    prune,
)
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.schema import PREDICTION, REVERT, REVERTED, REVISION, TABLES, Table
from revertrisk.lake.tables import Change, Lake, files_by_partition, merge
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import (
    MULTILINGUAL,
    WIKIS,
    as_lines,
    author_hidden,
    edits,
    page_change,
    prediction,
)
from tests.fakes.lake_oracle import differences
from tests.unit.lake.conftest import batch_of, tables_of

KNOWN = list(edits(200, days=4, users=12))
EVENTS = [page_change(edit) for edit in KNOWN] + [prediction(edit) for edit in KNOWN]
LATER = datetime(2027, 1, 1, tzinfo=UTC).date()


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


def test_an_erased_actor_is_in_no_row_and_no_byte(filled: Lake, writer_of_filled: LakeWriter) -> None:
    """No file of the folder has the key or the name, not even in the log; figures without names are unchanged."""
    actor = next(edit for edit in KNOWN if edit.user == 2)
    own_page = page_change(actor, kind="edit", after_s=5, rev_id=5)
    own_page["page"] |= {"page_id": 99_999, "page_title": "User_talk:User_2/Archive"}
    writer_of_filled.write(batch_of(as_lines([own_page])))
    assert filled.actor_keys is not None
    key = filled.actor_keys.of(actor.wiki_id, "User 2")
    tables = tables_of(filled)
    figures = ["SELECT * FROM reverted ORDER BY ALL", "SELECT * FROM prediction ORDER BY ALL"]
    before = [tables.execute(query).fetchall() for query in figures]
    edits_of_actor = f"SELECT count(*) FROM revision WHERE actor_key = '{key}'"
    assert tables.execute(edits_of_actor).fetchall() != [(0,)]

    done = erase(filled, Erasure(actors=((actor.wiki_id, "User 2"),)), grace_s=0)

    assert done.remaining == []
    assert done.rows > 1
    assert done.files > 0
    tables = tables_of(filled)
    assert tables.execute(edits_of_actor).fetchall() == [(0,)]
    assert [tables.execute(query).fetchall() for query in figures] == before
    assert tables.execute("SELECT title FROM page_event WHERE page_id = 99999").fetchall() == [(None,)]
    everything = new_engine()
    for table in TABLES:
        for path in Path(filled.root, table.name).rglob("*.parquet"):
            rows = files_relation(everything, table, [str(path)], is_older=False).fetchall()
            assert not any(key in row for row in rows)
    for path in Path(filled.root).rglob("*"):
        assert path.is_dir() or key.encode() not in path.read_bytes()
    writer_of_filled.write(batch_of(as_lines(EVENTS)))
    assert tables_of(filled).execute(edits_of_actor).fetchall() == [(0,)], (
        "a replay must not bring the actor back"
    )


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


@pytest.mark.parametrize("name", ["user 2", " User_2 ", "User  2", "_User 2_"])
def test_an_actor_is_erased_however_the_name_is_written(filled: Lake, name: str) -> None:
    """Spaces, underscores and the first letter are taken as MediaWiki takes them."""
    actor = next(edit for edit in KNOWN if edit.user == 2)
    done = erase(filled, parse_erasure([f"{actor.wiki_id}:{name}"], [], []), grace_s=0)
    assert done.rows > 0
    assert (done.not_found, done.remaining) == ([], [])


def test_whoever_is_not_found_is_said(filled: Lake) -> None:
    """Each actor without a row is named; a wiki that neither the program nor the lake knows is refused."""
    actor = next(edit for edit in KNOWN if edit.user == 2)
    names = [f"{actor.wiki_id}:{name}" for name in ("User 2", "user_2000", "en>example")]
    done = erase(filled, parse_erasure(names, [], []), grace_s=0)
    assert done.not_found == [f"{actor.wiki_id}:User 2000", f"{actor.wiki_id}:en>example"]
    with pytest.raises(
        LakeUsageError, match="expected the id of a wiki, such as enwiki, not 'en', 'nowikii'"
    ):
        erase(filled, parse_erasure(["en:User 2"], ["nowikii:3"], []), grace_s=0)


def test_a_wiki_that_is_newer_than_the_program_can_be_erased_from(
    filled: Lake, writer_of_filled: LakeWriter
) -> None:
    """Where the lake has rows of a wiki, they can be erased."""
    writer_of_filled.write(batch_of(as_lines([page_change(replace(KNOWN[0], wiki_id="newwiki"))])))
    done = erase(filled, parse_erasure([], [], [f"newwiki:{KNOWN[0].rev_id}"]), grace_s=0)
    assert done.rows > 0


def test_an_erased_page_and_revision_are_gone(filled: Lake) -> None:
    """Every row of them leaves every table, and every old file with them."""
    page, revision = KNOWN[3], KNOWN[-1]
    what = parse_erasure((), [f"{page.wiki_id}:{page.page_id}"], [f"{revision.wiki_id}:{revision.rev_id}"])
    done = erase(filled, what, grace_s=0)
    assert done.remaining == []
    tables = tables_of(filled)
    for table in (REVISION, PREDICTION, REVERT, REVERTED):
        left = tables.execute(
            f"SELECT count(*) FROM {table.name} WHERE page_id = {page.page_id} OR rev_id = {revision.rev_id}"
        )
        assert left.fetchall() == [(0,)]


def test_an_erased_revert_undoes_nothing_any_more(filled: Lake) -> None:
    """What it undid is not reverted, or by the next revert; what was derived is as if it had never been."""
    reverts = (
        tables_of(filled).execute("SELECT DISTINCT first_revert_id FROM reverted ORDER BY ALL").fetchall()
    )
    gone = [edit for edit in KNOWN if (edit.rev_id,) in reverts[::2]]
    what = parse_erasure((), (), [f"{edit.wiki_id}:{edit.rev_id}" for edit in gone])
    assert erase(filled, what, grace_s=0).remaining == []
    assert list(check(filled)) == []
    left = tables_of(filled).execute("SELECT DISTINCT first_revert_id FROM reverted").fetchall()
    assert not {edit.rev_id for edit in gone} & {rev_id for (rev_id,) in left}


def test_an_erasure_that_ended_between_two_commits_is_repeated(
    filled: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The edits that another revert also undid get its row, whichever days were done already."""
    reverts = (
        tables_of(filled).execute("SELECT DISTINCT first_revert_id FROM reverted ORDER BY ALL").fetchall()
    )
    gone = [edit for edit in KNOWN if (edit.rev_id,) in reverts[::2]]
    what = parse_erasure((), (), [f"{edit.wiki_id}:{edit.rev_id}" for edit in gone])
    merge_days, done = tables_module._merge, list[Table]()  # noqa: SLF001 - one commit

    def end_after_some(lake: Lake, table: Table, *more: Any) -> int:
        if table is REVERTED:
            done.append(table)
            if len(done) > 5:  # some days are done
                raise LakeError("the disk is full")
        return merge_days(lake, table, *more)

    with monkeypatch.context() as broken:
        broken.setattr(tables_module, "MERGE_BYTES", 1)
        broken.setattr(tables_module, "_merge", end_after_some)
        with pytest.raises(LakeError):
            erase(filled, what, grace_s=0)
    assert erase(filled, what, grace_s=0).remaining == []
    assert list(check(filled)) == []


def test_no_event_brings_back_what_was_erased(filled: Lake, writer_of_filled: LakeWriter) -> None:
    """Copies of old events, late ones and new ones about the erased add no row of it; other rows are as they were."""
    of_actor = next(edit for edit in KNOWN if edit.user == 2)
    page = next(edit for edit in KNOWN if edit.page_id != of_actor.page_id)
    other = next(edit for edit in KNOWN if edit.page_id not in {of_actor.page_id, page.page_id})
    actors = tuple((wiki, "User 2") for wiki in WIKIS)
    pages, revisions = ((page.wiki_id, page.page_id),), ((other.wiki_id, other.rev_id),)
    assert erase(filled, Erasure(actors, pages, revisions), grace_s=0).remaining == []
    queries = {
        table.name: f"SELECT * FROM {table.name} ORDER BY ALL" for table in TABLES if table.name != "place"
    }
    before = {name: tables_of(filled).execute(query).fetchall() for name, query in queries.items()}
    own_page = page_change(replace(of_actor, rev_id=1))
    own_page["page"] |= {"page_title": "User_talk:User_2/Archive", "page_id": 77}
    saved_later = datetime(2030, 1, 1, tzinfo=UTC)
    about_it = [
        page_change(of_actor, kind="undelete", after_s=200_000_000),
        page_change(replace(page, rev_id=2)),
        author_hidden(page),
        author_hidden(other),
        prediction(other, MULTILINGUAL, suffix=".backfill"),
    ]
    new = [
        own_page,
        page_change(replace(of_actor, rev_id=3, page_id=78)),
        page_change(replace(of_actor, rev_id=4, page_id=79, moment=saved_later)),
    ]
    writer_of_filled.write(batch_of(as_lines([*EVENTS, *about_it, *new])))
    tables = tables_of(filled)
    added = {
        name: set(tables.execute(query).fetchall()) - set(before[name]) for name, query in queries.items()
    }
    assert [
        name for name, query in queries.items() if set(before[name]) - set(tables.execute(query).fetchall())
    ] == ["revision"]
    assert {name: len(rows) for name, rows in added.items() if rows} == {"revision": 4, "page_event": 4}
    assert tables.execute(
        "SELECT rev_id, actor_key IS NOT NULL, user_kind, title FROM revision JOIN page_event USING (wiki_id, rev_id) "
        f"WHERE rev_id < 5 OR (rev_id = {of_actor.rev_id} AND page_event.kind = 'undelete') ORDER BY ALL"
    ).fetchall() == [
        (1, False, "unknown", None),
        (3, False, "unknown", "Page_78"),
        (4, True, "registered", "Page_79"),
        (of_actor.rev_id, False, "unknown", f"Page_{of_actor.page_id}"),
    ]
    assert list(check(filled)) == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((["enwiki"], [], []), "actor: expected WIKI:NAME"),
        (([], ["enwiki:Main Page"], []), "page: expected WIKI:ID"),
        (([], [], ["12"]), "revision: expected WIKI:ID"),
    ],
)
def test_what_is_to_be_erased_must_be_named_with_its_wiki(
    arguments: tuple[list[str], list[str], list[str]], words: str
) -> None:
    """A flag that cannot be used is said with its form."""
    with pytest.raises(LakeUsageError, match=words):
        parse_erasure(*arguments)


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
