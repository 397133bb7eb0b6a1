"""Erases actors, pages and revisions from a lake, and then searches all its files for them.

First the erasure is recorded, so that no writer adds the data again. Then the rows are rewritten. Then readers get some
time to finish with the old files. After that, rows that a writer added before it had read the record are erased too,
and the old files are removed. Data in Kafka and in copies of the lake is not erased.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from revertrisk.lake.engine import Connection, make_table, new_engine, quoted, reports_damage, table_relation
from revertrisk.lake.erasures import (
    ERASED_ACTOR,
    ERASED_PAGE,
    ERASED_REVISION,
    numbered_name,
    record_erasures,
)
from revertrisk.lake.errors import LakeConfigurationError, LakeUsageError
from revertrisk.lake.id_ranges import ALL_IDS, REVERT_BY_ID, whole_tables
from revertrisk.lake.key import as_user_name
from revertrisk.lake.reverted import Step, reverted_change, reverted_rows
from revertrisk.lake.revision_rows import AUTHOR, WITHOUT_AUTHOR
from revertrisk.lake.schema import BOT, PAGE_EVENT, REVERT, REVERTED, REVISION, TABLES, Table, Type
from revertrisk.lake.storage import contains_any, files_under
from revertrisk.lake.tables import Change, Lake, merge, vacuum
from revertrisk.wiki.table import WikiTable

log = logging.getLogger(__name__)

GRACE_S: Final = 60.0
MAX_COMMIT: Final = timedelta(hours=1)
"""A file that no version names is removed only when it is older than this: a writer may still be writing it."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The actors, pages and revisions to erase."""

    actors: tuple[tuple[str, str], ...] = ()
    """Wiki id and user name; a renamed user needs an entry for each name."""
    pages: tuple[tuple[str, int], ...] = ()
    revisions: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True)
class Erased:
    """The result of an erasure."""

    rows: int = 0
    """The number of changed and deleted rows."""
    files: int = 0
    """The number of removed files."""
    not_found: list[str] = field(default_factory=list)
    """Actors without a row in the lake, as WIKI:NAME."""
    remaining: list[str] = field(default_factory=list)
    """Where erased data was still found, one line each."""


_MAX_DIGITS: Final = 18
"""Of the number of a page or a revision: it fits into a BIGINT."""


def parse_erasure(actors: Sequence[str], pages: Sequence[str], revisions: Sequence[str]) -> Erasure:
    """Read ``WIKI:NAME``, ``WIKI:PAGE_ID`` and ``WIKI:REV_ID``; raises LakeUsageError."""
    found: list[tuple[str, str]] = []
    numbers: dict[str, list[tuple[str, int]]] = {"page": [], "revision": []}
    for written in actors:
        wiki_id, colon, name = written.partition(":")
        if not (wiki_id and colon and as_user_name(name)):
            raise LakeUsageError("actor: expected WIKI:NAME, such as enwiki:Example")
        found.append((wiki_id, as_user_name(name)))
    for what, texts in (("page", pages), ("revision", revisions)):
        for written in texts:
            wiki_id, _, number = written.partition(":")
            if not (wiki_id and number.isascii() and number.isdigit() and len(number) <= _MAX_DIGITS):
                raise LakeUsageError(f"{what}: expected WIKI:ID, such as enwiki:12345, not {written!r}")
            numbers[what].append((wiki_id, int(number)))
    return Erasure(tuple(found), tuple(numbers["page"]), tuple(numbers["revision"]))


@reports_damage
def erase(lake: Lake, what: Erasure, *, grace_s: float = GRACE_S) -> Erased:
    """Erase, wait ``grace_s`` seconds, remove the old files, and search for what is left.

    The lake must be opened with its key.

    Raises:
        LakeUsageError: a wiki is neither in the table of wikis nor in the lake.
        LakeError: the lake cannot be written.

    """
    if lake.actor_keys is None:
        raise LakeConfigurationError(f"{lake.root}: the lake was opened without its key")
    keys = [
        {"wiki_id": wiki, "name": name, "actor_key": lake.actor_keys.of(wiki, name)}
        for wiki, name in what.actors
    ]
    engine = new_engine()
    done = Erased()
    now = datetime.now(UTC)
    try:
        _require_known_wikis(engine, lake, what)
        _make_lists(engine, what, keys)
        done.not_found = _actors_without_rows(engine, lake)
        named = [(ERASED_ACTOR, key["actor_key"]) for key in keys]
        named += [(ERASED_PAGE, numbered_name(*page)) for page in what.pages]
        named += [(ERASED_REVISION, numbered_name(*revision)) for revision in what.revisions]
        record_erasures(engine, lake, named, now)
        done.rows = _erase_rows(engine, lake, now)
        if grace_s:
            log.info("%d rows are erased; the old files are removed after %.0f s", done.rows, grace_s)
            time.sleep(grace_s)
            done.rows += _erase_rows(engine, lake, now)
        for table in TABLES:
            done.files += vacuum(lake, table, timedelta(0), also_unknown=False)
            done.files += vacuum(lake, table, MAX_COMMIT, also_unknown=True)
        done.remaining = _find_remaining(engine, lake, keys)
    finally:
        engine.close()
    return done


def _require_known_wikis(engine: Connection, lake: Lake, what: Erasure) -> None:
    wikis = WikiTable.load()
    unknown = {
        wiki_id for wiki_id, _ in (*what.actors, *what.pages, *what.revisions) if wikis.by_id(wiki_id) is None
    }
    for table in TABLES:
        # The lake can have a wiki that the table of wikis lacks.
        if unknown and "wiki_id" in table.column_names:
            rows = table_relation(engine, lake, table).project("wiki_id").distinct().fetchall()
            unknown -= {wiki_id for (wiki_id,) in rows}
    if unknown:
        raise LakeUsageError(
            f"expected the id of a wiki, such as enwiki, not {', '.join(map(repr, sorted(unknown)))}"
        )


def _actors_without_rows(engine: Connection, lake: Lake) -> list[str]:
    """Return the actors whose key is in no row and whose name is in no title."""
    found = []
    for table in (REVISION, REVERT, BOT, PAGE_EVENT):
        matches = _IS_OWN_PAGE if table is PAGE_EVENT else "t.actor_key = a.actor_key"
        table_relation(engine, lake, table).create_view("whole", replace=True)
        query = (
            f"SELECT a.actor_key FROM erased_actor a SEMI JOIN whole t ON t.wiki_id = a.wiki_id AND {matches}"
        )
        found += engine.execute(query).fetchall()
    rows = engine.execute(
        "SELECT wiki_id || ':' || name, actor_key FROM erased_actor ORDER BY ALL"
    ).fetchall()
    return [actor for actor, actor_key in rows if (actor_key,) not in found]


def _erase_rows(engine: Connection, lake: Lake, now: datetime) -> int:
    """Remove the actors from their rows, delete the rows of pages and revisions; return how many rows changed."""
    hide = {name: WITHOUT_AUTHOR.get(name, "NULL") for name in AUTHOR}
    # With this time, the author in an older event is ignored.
    hide["author_hidden_dt"] = f"CAST({quoted(now.isoformat())} AS TIMESTAMP)"
    by_key = "SEMI JOIN erased_actor USING (wiki_id, actor_key)"
    rows = _change(engine, lake, REVISION, by_key, Change(hide, inserts=False))
    of_revert = {"actor_key": "NULL", "user_kind": "'unknown'"}
    rows += _change(engine, lake, REVERT, by_key, Change(of_revert, inserts=False))
    rows += _change(engine, lake, BOT, by_key, Change(deletes=True, inserts=False))
    by_title = f"SEMI JOIN erased_actor a ON t.wiki_id = a.wiki_id AND {_IS_OWN_PAGE}"
    rows += _change(engine, lake, PAGE_EVENT, by_title, Change({"title": "NULL"}, inserts=False))
    deletes = Change(deletes=True, inserts=False)
    for table in TABLES:
        for column, name in (("page_id", "erased_page"), ("rev_id", "erased_revision")):
            if column in table.column_names:
                rows += _change(engine, lake, table, f"SEMI JOIN {name} USING (wiki_id, {column})", deletes)
    by_revert = "SEMI JOIN erased_revision r ON t.wiki_id = r.wiki_id AND t.first_revert_id = r.rev_id"
    table_relation(engine, lake, REVERTED).create_view("undone", replace=True)
    engine.execute(
        "CREATE OR REPLACE TEMP TABLE touched_page AS "
        f"SELECT DISTINCT t.wiki_id, t.page_id FROM undone t {by_revert}"
    )
    if not engine.execute("FROM touched_page LIMIT 1").fetchall():
        return rows
    # Another revert can have undone the same edits. The rows without one are deleted last: an erasure that ended early
    # finds the pages by these rows when it is repeated.
    affected = Step(
        REVERT_BY_ID,
        ALL_IDS,
        f"CREATE OR REPLACE TEMP TABLE affected_revert AS SELECT * FROM {REVERT_BY_ID} "
        "SEMI JOIN touched_page USING (wiki_id, page_id)",
    )
    again = reverted_rows(engine, (affected,), whole_tables(engine, lake))
    days = [day for (day,) in engine.execute("SELECT DISTINCT day FROM reverted_now").fetchall()]
    rows += merge(lake, REVERTED, again, days, reverted_change())
    return rows + _change(engine, lake, REVERTED, by_revert, deletes)


_IS_OWN_PAGE: Final = (
    "(contains(replace(t.title, '_', ' ') || '/', ':' || a.name || '/') "
    "OR replace(t.title, '_', ' ') = a.name)"
)
"""True for titles of the actor's user page, talk page and their subpages."""


def _make_lists(engine: Connection, what: Erasure, keys: Sequence[dict[str, str]]) -> None:
    actor = {"wiki_id": "VARCHAR", "name": "VARCHAR", "actor_key": "VARCHAR"}
    make_table(engine, "erased_actor", keys, actor)
    pages = [{"wiki_id": wiki, "page_id": page} for wiki, page in what.pages]
    make_table(engine, "erased_page", pages, {"wiki_id": "VARCHAR", "page_id": "BIGINT"})
    revisions = [{"wiki_id": wiki, "rev_id": rev} for wiki, rev in what.revisions]
    make_table(engine, "erased_revision", revisions, {"wiki_id": "VARCHAR", "rev_id": "BIGINT"})


def _change(engine: Connection, lake: Lake, table: Table, which: str, change: Change) -> int:
    table_relation(engine, lake, table).create_view("whole", replace=True)
    engine.execute(f"CREATE OR REPLACE TEMP TABLE erased AS SELECT t.* FROM whole t {which}")
    partitions = []
    if table.partition is not None:
        partitions = [
            part for (part,) in engine.execute(f"SELECT DISTINCT {table.partition} FROM erased").fetchall()
        ]
        if not partitions:
            return 0
    return merge(lake, table, engine.table("erased"), partitions, change)


def _find_remaining(engine: Connection, lake: Lake, keys: Sequence[dict[str, str]]) -> list[str]:
    """Return a line for each find: rows in a Parquet file, or an actor's name or key in the bytes of any file."""
    remaining = []
    tables = {f"{lake.root}/{table.name}/": table for table in TABLES}
    files = list(files_under(lake.root))
    for path in files:
        table = next((table for root, table in tables.items() if path.startswith(root)), None)
        # A checkpoint of Delta's log is a Parquet file too, with other columns.
        if table is not None and path.endswith(".parquet") and "/_delta_log/" not in path:
            remaining += _find_remaining_in_rows(engine, table, path)
    sought = [
        text.encode()
        for key in keys
        for text in (key["actor_key"], key["name"])
        if len(text) > _MAX_CHANCE_CHARS
    ]
    remaining += [f"{path}: the name or its key" for path in files if contains_any(lake.root, path, sought)]
    return remaining


_MAX_CHANCE_CHARS: Final = 3
"""Names of up to this length are not searched in bytes: they would be found by chance."""


def _find_remaining_in_rows(engine: Connection, table: Table, path: str) -> list[str]:
    names = {
        name for (name,) in engine.execute(f"SELECT name FROM parquet_schema({quoted(path)})").fetchall()
    }
    texts = [each.name for each in table.columns if each.type is Type.VARCHAR and each.name in names]
    conditions = [f"t.{name} = a.actor_key" for name in texts]
    if "title" in names:
        conditions.append(_IS_OWN_PAGE)
    found = []
    queries = []
    if "wiki_id" in names and conditions:
        queries.append(f"SEMI JOIN erased_actor a ON t.wiki_id = a.wiki_id AND ({' OR '.join(conditions)})")
    if {"wiki_id", "page_id"} <= names:
        queries.append("SEMI JOIN erased_page USING (wiki_id, page_id)")
    if {"wiki_id", "rev_id"} <= names:
        queries.append("SEMI JOIN erased_revision USING (wiki_id, rev_id)")
    for query in queries:
        rows = engine.execute(f"SELECT count(*) FROM read_parquet({quoted(path)}) t {query}").fetchall()
        if rows[0][0]:
            found.append(f"{path}: {rows[0][0]} rows with erased data")
    return found
