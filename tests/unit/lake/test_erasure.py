"""Erasure of users, pages and revisions: what goes, what stays, and what does not come back."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from revertrisk.lake import tables as tables_module
from revertrisk.lake.check import check
from revertrisk.lake.engine import files_relation, new_engine
from revertrisk.lake.erasure import Erasure, erase, parse_erasure
from revertrisk.lake.errors import LakeError, LakeUsageError
from revertrisk.lake.schema import PREDICTION, REVERT, REVERTED, REVISION, TABLES, Table
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import LakeWriter
from tests.fakes.lake_events import MULTILINGUAL, WIKIS, as_lines, author_hidden, page_change, prediction
from tests.unit.lake.conftest import EVENTS, KNOWN, batch_of, tables_of


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
