"""What is written is right whatever the order, the repetitions and the company."""

import errno
import fcntl
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.lake import writer as writer_module
from revertrisk.lake.check import check
from revertrisk.lake.schema import REVERT, REVISION, TABLES, Table
from revertrisk.lake.tables import Lake, merge
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import (
    as_lines,
    author_hidden,
    canary,
    edits,
    month,
    page_change,
    prediction,
    shuffled,
)
from tests.fakes.lake_oracle import differences
from tests.unit.lake.conftest import KNOWN, batch_of, tables_of


@pytest.mark.parametrize("batches", [1, 5])
def test_any_order_with_duplicates_equals_the_oracle(lake: Lake, writer: LakeWriter, batches: int) -> None:
    """Rows, keys and sums are those of a store with primary keys, in whichever order and batches the events come."""
    events = month(250)
    mixed = [*shuffled(events, batches), canary()]
    for number in range(batches):
        writer.write(batch_of(as_lines(mixed[number::batches])))
    assert differences(tables_of(lake), events) == []


def test_many_days_are_merged_in_several_commits_with_the_same_result(
    lake: Lake, writer: LakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A merge reads whole days, so its memory is bounded by the days of one commit."""
    events = month(16)
    writer.write(batch_of(as_lines(events[::2])))
    monkeypatch.setattr("revertrisk.lake.tables.MERGE_BYTES", 1)
    before = lake.table(REVISION).version()
    writer.write(batch_of(as_lines(events)))
    assert lake.table(REVISION).version() - before > 1
    assert differences(tables_of(lake), events) == []


def test_a_replay_adds_no_row_and_no_file(lake: Lake, writer: LakeWriter) -> None:
    """What is in the lake already changes no file of it."""
    lines = as_lines(month(100))
    writer.write(batch_of(lines))
    data = [table for table in TABLES if table.name != "place"]
    before = {table.name: sorted(lake.files(table)) for table in data}
    random.Random(1).shuffle(lines)  # noqa: S311 - no secret
    written = writer.write(batch_of(lines))
    assert written.rows == {}
    assert {table.name: sorted(lake.files(table)) for table in data} == before


@pytest.mark.parametrize("has_locks", [True, False])
def test_two_writers_at_once_equal_the_oracle(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, has_locks: bool
) -> None:
    """Writers of the same events of the same days at the same time lose nothing and double nothing.

    On one machine they take turns, and neither has to repeat a change.
    """
    if not has_locks:
        monkeypatch.setattr(fcntl, "flock", _refuse)
    caplog.set_level("INFO")
    events = month(120)

    def write(seed: int) -> None:
        writer = LakeWriter(lake)
        mixed = as_lines(shuffled(events, seed))
        for number in range(3):
            writer.write(batch_of(mixed[number::3], source=f"writer {seed}"))
        writer.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (1, 2)))
    assert differences(tables_of(lake), events) == []
    assert not (has_locks and "another writer's commit came first" in caplog.text)


def _refuse(*_: object) -> None:
    raise OSError(errno.ENOLCK, "No locks available")


def test_a_cut_off_batch_is_repeated_without_harm(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that ends between two tables leaves its place where it was; its batch again completes the rest."""
    events = month(80)
    lines = as_lines(events)
    cut = LakeWriter(lake)
    monkeypatch.setattr(cut, "_write_reverts", _end)
    with pytest.raises(KeyboardInterrupt):
        cut.write(batch_of(lines))
    again = LakeWriter(lake)
    assert again.place("test") is None
    again.write(batch_of(lines))
    assert again.place("test") == str(len(lines))
    assert differences(tables_of(lake), events) == []


def _end(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_author_who_is_hidden_while_a_revert_is_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes last clears the author, also if the other writer has reverts of another day only."""
    first, *_, last = (edit for edit in edits(200, days=6) if edit.reverts is not None)
    hiding, writing = LakeWriter(lake), LakeWriter(lake)
    events = [page_change(last), author_hidden(first), page_change(first)]
    done: list[str] = []

    def merge_after_the_hiding(into: Lake, table: Table, *more: Any) -> int:
        if table is REVERT and not done:
            done.append(table.name)
            hiding.write(batch_of(as_lines(events[:2]), source="hiding"))
        return merge(into, table, *more)

    monkeypatch.setattr(writer_module, "merge", merge_after_the_hiding)
    writing.write(batch_of(as_lines(events[2:]), source="writing"))
    assert done
    assert differences(tables_of(lake), events) == []
    assert list(check(lake)) == []
    found = tables_of(lake).execute("SELECT rev_id, actor_key IS NULL FROM revert ORDER BY rev_id").fetchall()
    assert found == [(first.rev_id, True), (last.rev_id, False)]


@pytest.mark.parametrize("hides_first", [True, False])
@pytest.mark.parametrize("by_page_change", [True, False])
def test_a_hidden_author_leaves_revision_and_revert(
    lake: Lake, writer: LakeWriter, hides_first: bool, by_page_change: bool
) -> None:
    """A hidden author's key, kind, bucket and flags are gone within the batch, or never written."""
    known = list(edits(60, pages=3))
    reverting = next(edit for edit in known if edit.reverts is not None)
    if by_page_change:
        hiding = page_change(reverting, kind="visibility_change", after_s=600, is_editor_visible=False)
    else:
        hiding = author_hidden(reverting)
    lines = as_lines(map(page_change, known))
    parts = [as_lines([hiding]), lines] if hides_first else [lines, as_lines([hiding])]
    for part in parts:
        writer.write(batch_of(part))
    tables = tables_of(lake)
    where = f"WHERE rev_id = {reverting.rev_id}"
    assert tables.execute(
        "SELECT kind, actor_key, user_kind, edit_bucket, registered_month, is_bot, is_privileged, is_autopatrolled "
        f"FROM revision {where}"
    ).fetchall() == [("edit", None, "unknown", "unknown", None, None, None, None)]
    assert tables.execute(f"SELECT actor_key, user_kind FROM revert {where}").fetchall() == [
        (None, "unknown")
    ]
    assert tables.execute("SELECT count(*) FROM revision WHERE actor_key IS NULL").fetchall() == [(1,)]


@pytest.mark.parametrize("hides_first", [True, False])
@pytest.mark.parametrize("clock", ["meta.dt", "all"])
def test_a_clock_that_is_ahead_keeps_no_author_from_being_hidden(
    lake: Lake, writer: LakeWriter, clock: str, hides_first: bool
) -> None:
    """An event of 2099 does not tell its author after each hiding; read again, it does not bring the author back."""
    edit = KNOWN[0] if clock == "meta.dt" else replace(KNOWN[0], moment=KNOWN[0].moment.replace(year=2099))
    event = page_change(edit)
    event["meta"]["dt"] = "2099-12-01T00:00:00Z" if clock == "meta.dt" else event["meta"]["dt"]
    hiding = author_hidden(edit)
    hiding["meta"]["dt"] = (KNOWN[0].moment + timedelta(hours=2)).isoformat()
    told = as_lines([event])
    for part in [as_lines([hiding]), told] if hides_first else [told, as_lines([hiding]), told]:
        writer.write(batch_of(part))
    query = "SELECT actor_key IS NOT NULL, user_kind FROM revision"
    assert tables_of(lake).execute(query).fetchall() == [(False, "unknown")]
    again = page_change(edit, kind="undelete", after_s=3 * 86_400)
    writer.write(batch_of(as_lines([again])))
    assert tables_of(lake).execute(query).fetchall() == [(True, "registered")]


def test_what_is_told_later_of_who_undid_reaches_the_edits_that_were_undone(
    lake: Lake, writer: LakeWriter
) -> None:
    """Where a later event tells the author of a revert, it is known whether the edit's author made it."""
    known = list(edits(60, pages=3, users=1))
    lines = as_lines(page_change(edit, is_editor_visible=edit.reverts is None) for edit in known)
    writer.write(batch_of(lines))
    query = "SELECT count(*), count(is_self), count(by_bot) FROM reverted"
    ((rows, *before),) = tables_of(lake).execute(query).fetchall()
    assert rows > 0
    assert before == [0, 0]
    told = as_lines(page_change(edit, kind="undelete", after_s=900) for edit in known if edit.reverts)
    writer.write(batch_of(told))
    ((_, *after),) = tables_of(lake).execute(query).fetchall()
    assert after[1] == rows
    assert writer.write(batch_of(lines + told)).rows == {}


def test_no_name_is_in_any_file(lake: Lake, writer: LakeWriter) -> None:
    """Neither user names nor addresses nor comments are in the data or the log."""
    writer.write(batch_of(as_lines(month(40))))
    for path in _files(lake):
        content = path.read_bytes()
        for name in (b"User 1", b"198.51.100", b"changed a sentence"):
            assert name not in content, path


def _files(lake: Lake) -> list[Any]:
    return [path for path in Path(lake.root).rglob("*") if path.is_file()]


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.timeout(60)
def test_a_revert_with_two_times_of_saving_ends_the_batch(
    lake: Lake, writer: LakeWriter, together: bool
) -> None:
    """A reverting revision whose rev_dt another event corrects, with another author, stands in both days, once each."""
    first = next(edit for edit in edits(60, pages=3) if edit.reverts is not None)
    second = replace(first, moment=first.moment + timedelta(days=2), user=first.user + 1)
    undone = replace(first, rev_id=first.reverts[1] if first.reverts else 0, reverts=None, number=1)
    events = [page_change(undone), page_change(first), page_change(second)]
    for part in [events] if together else [events[:2], events[2:], events[:1]]:
        writer.write(batch_of(as_lines(part)))
    tables = tables_of(lake)
    where = f"WHERE rev_id = {first.rev_id}"
    of_revert = tables.execute(f"SELECT day, actor_key FROM revert {where} ORDER BY day").fetchall()
    assert of_revert == tables.execute(f"SELECT day, actor_key FROM revision {where} ORDER BY day").fetchall()
    assert len({key for _, key in of_revert}) == len(of_revert) == 2
    assert tables.execute("SELECT count(*), min(first_revert_id) FROM reverted").fetchall() == [
        (1, first.rev_id)
    ]


def test_the_watermark_is_that_of_page_changes_by_a_right_clock(lake: Lake) -> None:
    """Predictions, hidings and times ahead of the writer's clock say nothing of how far reverts are known."""
    first, second, *_ = edits(10)
    writer = LakeWriter(lake, now=lambda: second.moment + timedelta(seconds=10))
    alive = canary() | {"meta": canary()["meta"] | {"dt": second.moment.isoformat()}}
    other = alive | {"meta": alive["meta"] | {"dt": (second.moment + timedelta(seconds=5)).isoformat()}}
    told = [
        ([page_change(first)], first.moment + timedelta(seconds=1)),
        (
            [prediction(second), author_hidden(first, after_s=200), other | {"$schema": PREDICTION_SCHEMA}],
            None,
        ),
        ([page_change(second, after_s=86_400), page_change(second, kind="move", after_s=10_000_000)], None),
        ([alive], second.moment),
    ]
    reached = None
    for events, wanted in told:
        assert writer.write(batch_of(as_lines(events))).watermark == wanted
        reached = wanted or reached
        assert tables_of(lake).execute("SELECT watermark FROM place").fetchall() == [(reached,)]
