"""Keeps a lake small and forgetful: few files, no titles of deleted pages, no actor keys that are too old.

The writer does this between its batches, so there is no second program to run. A change that another writer's commit
comes before is left for the next time.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from revertrisk.lake.engine import (
    Relation,
    damage_as_lake_error,
    new_engine,
    reports_damage,
    rows_of_files,
    table_relation,
)
from revertrisk.lake.errors import LakeError
from revertrisk.lake.schema import BOT, PAGE_EVENT, PLACE, REVERT, REVISION, TABLES, Table
from revertrisk.lake.tables import (
    Change,
    Lake,
    compact,
    delete_partitions,
    files_by_partition,
    merge,
    require_room,
    vacuum,
)

log = logging.getLogger(__name__)

ACTOR_KEY_DAYS: Final = 90
GRACE: Final = timedelta(days=7)
"""How long a removed file stays for readers that opened an earlier version."""
PLACE_GRACE: Final = timedelta(hours=1)
"""Likewise in the table of places, which each batch rewrites and only writers read."""
LEAST_GRACE: Final = timedelta(hours=1)
"""Where the disk is nearly full, removed files stay no longer than this: more than any query needs."""
READ_LATELY: Final = timedelta(hours=2)
"""A source without a batch for so long is not being read."""
OPEN_FILES: Final = 8
"""A partition that is still being written is compacted when it has so many files."""
SPARE_FILES: Final = 40
"""A table has at most so many files more than partitions after a compaction."""
_SORTED_BY: Final = ("wiki_id", "rev_id")
_MEMORY: Final = "256MB"
"""With which a day is sorted; what does not fit goes to the disk."""


@dataclass(frozen=True, slots=True)
class Maintained:
    """What a round of maintenance did."""

    files_replaced: int
    files_removed: int


@reports_damage
def maintain(
    lake: Lake,
    *,
    today: date | None = None,
    actor_key_days: int = ACTOR_KEY_DAYS,
    grace: timedelta = GRACE,
    ended: Collection[str] = (),
) -> Maintained:
    """Compact, forget what is to be forgotten, and remove files that nothing needs any more; raises LakeError.

    While an old export is being read, by whichever writer, no actor is forgotten: who undid an edit of their own could
    not be told. ``ended`` are sources that were read to their end.
    """
    today = today or datetime.now(UTC).date()
    forget_titles(lake)
    before = today - timedelta(days=actor_key_days)
    if not _is_reading_old_edits(lake, before, ended):
        forget_actors(lake, before)
    replaced = sum(compact_table(lake, table, today) for table in TABLES)
    kept = {table: PLACE_GRACE if table is PLACE else grace for table in TABLES}
    removed = sum(vacuum(lake, table, keep, also_unknown=True) for table, keep in kept.items())
    log.info("maintenance: %d files were rewritten into fewer, %d removed", replaced, removed)
    return Maintained(replaced, removed)


def make_room(lake: Lake, grace: timedelta = LEAST_GRACE) -> None:
    """Remove replaced files before their time where the disk is nearly full.

    Raises:
        LakeError: it is nearly full all the same.

    """
    try:
        require_room(lake)
    except LakeError:
        removed = sum(vacuum(lake, table, grace, also_unknown=False) for table in TABLES)
        if removed:
            log.warning("the disk is nearly full: %d replaced files were removed before their time", removed)
        require_room(lake)


def prune(lake: Lake, before: date) -> int:
    """Delete the days before a day, and the months that end before it; returns how many files. Raises LakeError."""
    first_of_month = before.replace(day=1)
    tables = [table for table in TABLES if table.partition is not None]
    return sum(
        delete_partitions(lake, table, before if table.partition == "day" else first_of_month)
        for table in tables
    )


def compact_table(lake: Lake, table: Table, today: date) -> int:
    """Rewrite the partitions of a table that have too many files; returns how many files that replaced."""
    files = {part: number for part, number in files_by_partition(lake, table).items() if number > 1}
    spare = sum(number - 1 for number in files.values())
    replaced = 0
    # The most fragmented first; what is closed is sorted, so that a wiki's or a revision's rows lie together.
    for partition, number in sorted(files.items(), key=lambda each: -each[1]):
        is_closed = partition is not None and partition < today - timedelta(
            days=1 if table.partition == "day" else 31
        )
        if number >= OPEN_FILES or spare > SPARE_FILES or (is_closed and number > OPEN_FILES // 2):
            # A month may be too large to be sorted in memory.
            is_sorted = is_closed and table.partition == "day" and set(_SORTED_BY) <= set(table.column_names)
            try:
                replaced += compact_partition(lake, table, partition, _SORTED_BY if is_sorted else ())
            except LakeError as exc:
                log.info("%s: left for the next compaction: %s", table.name, exc)
                continue
            spare -= number - 1
    return replaced


def compact_partition(lake: Lake, table: Table, partition: date | None, sorted_by: tuple[str, ...]) -> int:
    """Rewrite the files of one partition into one; returns how many files that replaced. Raises LakeError."""
    engine = new_engine(_MEMORY)

    def rows_of(paths: list[str]) -> Relation:
        rows = rows_of_files(engine, lake, table, paths)
        return rows.order(", ".join(sorted_by)) if sorted_by else rows

    try:
        with damage_as_lake_error(lake.root):
            return compact(lake, table, partition, rows_of)
    finally:
        engine.close()


def forget_titles(lake: Lake) -> int:
    """Null every title of pages whose newest event is their deletion; returns how many rows changed."""
    engine = new_engine()
    try:
        table_relation(engine, lake, PAGE_EVENT).create_view("page_event")
        engine.execute(
            "CREATE TEMP TABLE titled AS SELECT * FROM page_event SEMI JOIN ("
            "SELECT wiki_id, page_id FROM page_event GROUP BY ALL "
            "HAVING arg_max(kind, (event_dt, rev_id, kind = 'delete')) = 'delete' AND count(title) > 0"
            ") USING (wiki_id, page_id)"
        )
        months = [month for (month,) in engine.execute("SELECT DISTINCT month FROM titled").fetchall()]
        if not months:
            return 0
        rows = engine.table("titled")
        return merge(lake, PAGE_EVENT, rows, months, Change({"title": "NULL"}, "t.title IS NOT NULL"))
    finally:
        engine.close()


def _is_reading_old_edits(lake: Lake, before: date, ended: Collection[str]) -> bool:
    engine = new_engine()
    try:
        table_relation(engine, lake, PLACE).create_view("place")
        since = datetime.now(UTC) - READ_LATELY
        found = engine.execute(
            "SELECT source FROM place WHERE edited < CAST($1 AS TIMESTAMPTZ) AND updated > $2",
            [before, since],
        ).fetchall()
        return any(source not in ended for (source,) in found)
    finally:
        engine.close()


def forget_actors(lake: Lake, before: date) -> int:
    """Null the actor keys of edits before a day, but those of listed bots; what was derived from them stays.

    Returns how many rows changed.
    """
    changed = 0
    for table in (REVISION, REVERT):
        engine = new_engine()
        try:
            days = [day for day in files_by_partition(lake, table) if day is not None and day < before]
            if not days:
                continue
            table_relation(engine, lake, table, days).create_view("known")
            table_relation(engine, lake, BOT).create_view("bot")
            engine.execute(
                "CREATE TEMP TABLE old AS SELECT * FROM known ANTI JOIN bot USING (wiki_id, actor_key) "
                "WHERE actor_key IS NOT NULL"
            )
            found = [day for (day,) in engine.execute("SELECT DISTINCT day FROM old").fetchall()]
            if found:
                change = Change({"actor_key": "NULL"}, "t.actor_key IS NOT NULL")
                changed += merge(lake, table, engine.table("old"), found, change)
        finally:
            engine.close()
    return changed
