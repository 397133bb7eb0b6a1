"""Maintains a lake: compacts files, and removes titles of deleted pages, old actor keys and unused files.

The writer does this between its batches, so no second program is needed. If another writer's commit conflicts with a
compaction, it is made again; after too many conflicts the next maintenance makes it.
"""

import logging
import shutil
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
from revertrisk.lake.storage import is_remote
from revertrisk.lake.tables import (
    Change,
    Lake,
    compact,
    delete_partitions,
    files_by_partition,
    merge,
    vacuum,
)

log = logging.getLogger(__name__)

ACTOR_KEY_DAYS: Final = 90
GRACE: Final = timedelta(hours=6)
"""How long a replaced file stays for readers that opened an earlier version."""
PLACE_GRACE: Final = timedelta(hours=1)
"""The same for the table of places, which every batch rewrites and only writers read."""
LEAST_GRACE: Final = timedelta(hours=1)
"""If the disk is nearly full, replaced files stay for this long only: longer than any query takes."""
READING_WITHIN: Final = timedelta(hours=2)
"""A source without a batch for this long counts as not being read."""
SPARE_BYTES: Final = 256 * 1024**2
"""This much of the disk, or a twentieth of a smaller disk, stays free."""
MAX_OPEN_FILES: Final = 8
"""A partition that still gets rows is compacted when it has this many files."""
MAX_EXTRA_FILES: Final = 40
"""After a compaction, a table has at most this many files more than partitions."""
_SORTED_BY: Final = ("wiki_id", "rev_id")
_MEMORY: Final = "256MB"
"""The memory for sorting a day; the rest is spilled to disk."""


@dataclass(frozen=True, slots=True)
class Maintained:
    """The result of one maintenance."""

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
    """Remove titles and actor keys that must go, compact, and remove files that no reader needs; raises LakeError.

    While any writer reads an export of old edits, no actor key is removed: without keys, self-reverts in it cannot be
    found. ``ended`` are the sources that were read to their end.
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
    """Remove replaced files before the end of their grace period if the disk is nearly full.

    Raises:
        LakeError: the disk is still nearly full.

    """
    try:
        _require_room(lake)
    except LakeError:
        removed = sum(vacuum(lake, table, grace, also_unknown=False) for table in TABLES)
        if removed:
            log.warning("the disk is nearly full: %d replaced files were removed early", removed)
        _require_room(lake)


def _require_room(lake: Lake) -> None:
    """Raise LakeError if the disk is nearly full, so that a batch can end and an erasure can rewrite files."""
    if is_remote(lake.root):
        return
    disk = shutil.disk_usage(lake.root)
    spare = min(SPARE_BYTES, disk.total // 20)
    if disk.free < spare:
        raise LakeError(
            f"{lake.root}: the disk is full: {disk.free >> 20:,} MB are free, a batch needs at least "
            f"{spare >> 20:,} MB; what is not in the lake yet will be read again"
        )


def prune(lake: Lake, before: date) -> int:
    """Delete all days before a day, and all months that end before it; return the number of files. Raises LakeError."""
    first_of_month = before.replace(day=1)
    tables = [table for table in TABLES if table.partition is not None]
    return sum(
        delete_partitions(lake, table, before if table.partition == "day" else first_of_month)
        for table in tables
    )


def compact_table(lake: Lake, table: Table, today: date) -> int:
    """Rewrite the partitions of a table that have too many files; return the number of replaced files."""
    files = {part: number for part, number in files_by_partition(lake, table).items() if number > 1}
    extra = sum(number - 1 for number in files.values())
    replaced = 0
    # The partition with most files first. Partitions that get no more rows are sorted, for faster queries by wiki.
    for partition, number in sorted(files.items(), key=lambda each: -each[1]):
        is_closed = partition is not None and partition < today - timedelta(
            days=1 if table.partition == "day" else 31
        )
        if (
            number >= MAX_OPEN_FILES
            or extra > MAX_EXTRA_FILES
            or (is_closed and number > MAX_OPEN_FILES // 2)
        ):
            # A month can be too large to sort in memory.
            is_sorted = is_closed and table.partition == "day" and set(_SORTED_BY) <= set(table.column_names)
            try:
                replaced += compact_partition(lake, table, partition, _SORTED_BY if is_sorted else ())
            except LakeError as exc:
                log.info("%s: left for the next compaction: %s", table.name, exc)
                continue
            extra -= number - 1
    return replaced


def compact_partition(lake: Lake, table: Table, partition: date | None, sorted_by: tuple[str, ...]) -> int:
    """Rewrite the files of one partition into one; return the number of replaced files. Raises LakeError."""
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
    """Set every title of pages whose newest event is a deletion to null; return the number of changed rows."""
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
        since = datetime.now(UTC) - READING_WITHIN
        found = engine.execute(
            "SELECT source FROM place WHERE edited < CAST($1 AS TIMESTAMPTZ) AND updated > $2",
            [before, since],
        ).fetchall()
        return any(source not in ended for (source,) in found)
    finally:
        engine.close()


def forget_actors(lake: Lake, before: date) -> int:
    """Set the actor keys of edits before a day to null, except those of listed bots.

    Facts that were derived from the keys stay. Return the number of changed rows.
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
