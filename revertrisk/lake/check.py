"""Checks a lake for errors; each finding is one line.

A writer can run at the same time. It commits one table after the other, so two tables can differ for a moment. A
difference between two tables is a finding only if it is still there after the writer's batch.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from revertrisk.lake.engine import Connection, damage_as_lake_error, new_engine, table_relation
from revertrisk.lake.id_ranges import REVERT_BY_ID, REVERT_BY_UNDONE_ID, REVISION_BY_ID
from revertrisk.lake.maintenance import MAX_EXTRA_FILES
from revertrisk.lake.reader import VIEWS, view_query
from revertrisk.lake.reverted import STEPS_FOR_ALL, reverted_rows
from revertrisk.lake.schema import PLACE, REVERT, REVERTED, REVISION, TABLES
from revertrisk.lake.tables import Lake, files_by_partition

MAX_WAIT_S: Final = 60.0
"""The longest wait for the end of a batch."""
_WRITER_ACTIVE_WITHIN: Final = "INTERVAL 10 MINUTE"
"""A writer counts as running if a place was written within this time."""
_POLL_S: Final = 0.5
_WHOLE_VIEWS: Final = {REVISION_BY_ID: REVISION, REVERT_BY_ID: REVERT, REVERT_BY_UNDONE_ID: REVERT}
_DIFFERENT: Final = (
    "SELECT a.wiki_id, a.rev_id FROM {a} a ANTI JOIN {b} b ON a.wiki_id = b.wiki_id AND a.rev_id = b.rev_id "
    "AND a.first_revert_id = b.first_revert_id AND a.seconds_to_revert = b.seconds_to_revert "
    "AND a.revert_reverted_at IS NOT DISTINCT FROM b.revert_reverted_at"
)
_DERIVED: Final = f"compared with rows derived again from {REVISION.name} and {REVERT.name}"
_DIFFERENCES: Final = {
    f"{REVERT.name}: {{}} rows still have the actor key of a hidden author": (
        f"SELECT u.wiki_id, u.rev_id FROM {REVERT.name} u JOIN {REVISION.name} e USING (day, wiki_id, rev_id) "
        "WHERE e.author_hidden_dt IS NOT NULL AND e.actor_key IS NULL AND u.actor_key IS NOT NULL"
    ),
    f"{REVERTED.name}: {{}} rows are missing or different, {_DERIVED}": _DIFFERENT.format(
        a="reverted_now", b=REVERTED.name
    ),
    f"{REVERTED.name}: {{}} rows should not be there, {_DERIVED}": _DIFFERENT.format(
        a=REVERTED.name, b="reverted_now"
    ),
}
"""Key: the text of a finding. Value: a query for the keys of its rows."""


def check(lake: Lake, *, wait: Callable[[Lake, int], None] | None = None) -> Iterator[str]:
    """Yield findings: duplicate keys, actor keys of hidden authors, and derived rows that differ; also run each view.

    ``wait`` takes the lake and a version of the table of places, and returns when that table has a newer version, which
    means that the batch then in progress is written.

    Raises:
        LakeError: a table cannot be opened or read.

    """
    with damage_as_lake_error(lake.root):
        yield from _all_findings(lake, wait or wait_for_new_places)


def wait_for_new_places(lake: Lake, version: int) -> None:
    """Wait until the table of places has another version than this one, for at most `MAX_WAIT_S` seconds."""
    until = time.monotonic() + MAX_WAIT_S
    while lake.table(PLACE).version() == version and time.monotonic() < until:
        time.sleep(_POLL_S)


def _all_findings(lake: Lake, wait: Callable[[Lake, int], None]) -> Iterator[str]:
    engine = new_engine()
    try:
        version = lake.table(PLACE).version()
        _take_snapshot(engine, lake)
        yield from _duplicate_keys(engine)
        yield from _bad_places(engine)
        yield from _too_many_files(lake)
        yield from _hidden_authors(engine)
        found = _store_differences(engine, "first_time")
        if any(found.values()):
            if _number(
                engine, f"SELECT count(*) FROM {PLACE.name} WHERE updated > now() - {_WRITER_ACTIVE_WITHIN}"
            ):
                wait(lake, version)
            _take_snapshot(engine, lake)
            found = _store_differences(
                engine, "second_time", "SEMI JOIN first_time_{} USING (wiki_id, rev_id)"
            )
        yield from (finding.format(number) for finding, number in found.items() if number)
        _run_views(engine)
    finally:
        engine.close()


def _take_snapshot(engine: Connection, lake: Lake) -> None:
    """Create a view of the present version of each table; the checks read only these views."""
    for table in TABLES:
        table_relation(engine, lake, table).create_view(table.name, replace=True)
    for view, table in _WHOLE_VIEWS.items():
        engine.execute(f"CREATE OR REPLACE VIEW {view} AS FROM {table.name}")


def _store_differences(engine: Connection, name: str, restriction: str = "") -> dict[str, int]:
    """Store the keys of rows that differ between tables in temporary tables; return their number by finding."""
    # No step is narrowed to ranges of ids: the snapshot has all rows.
    reverted_rows(engine, STEPS_FOR_ALL, lambda _view, _ranges: None)
    found = {}
    for index, (finding, query) in enumerate(_DIFFERENCES.items()):
        engine.execute(
            f"CREATE TEMP TABLE {name}_{index} AS SELECT * FROM ({query}) {restriction.format(index)}"
        )
        found[finding] = _number(engine, f"SELECT count(*) FROM {name}_{index}")
    return found


def _number(engine: Connection, query: str) -> int:
    return int(engine.execute(query).fetchall()[0][0])


def _duplicate_keys(engine: Connection) -> Iterator[str]:
    for table in TABLES:
        key = ", ".join(table.key)
        twice = _number(
            engine, f"SELECT count(*) FROM (SELECT 1 FROM {table.name} GROUP BY {key} HAVING count(*) > 1)"
        )
        if twice:
            yield f"{table.name}: {twice} keys are not unique"


def _bad_places(engine: Connection) -> Iterator[str]:
    bad = _number(
        engine, f"SELECT count(*) FROM {PLACE.name} WHERE place IS NULL OR updated > now() + INTERVAL 1 HOUR"
    )
    if bad:
        yield f"{PLACE.name}: {bad} sources have no place, or a place written in the future"


def _too_many_files(lake: Lake) -> Iterator[str]:
    for table in TABLES:
        files = files_by_partition(lake, table)
        max_files = len(files) + 10 * MAX_EXTRA_FILES  # 10: files since the last compaction are no finding
        if sum(files.values()) > max_files:
            yield f"{table.name}: {sum(files.values())} files, more than {max_files}: not compacted for a long time"


def _hidden_authors(engine: Connection) -> Iterator[str]:
    number = _number(
        engine,
        f"SELECT count(*) FROM {REVISION.name} WHERE author_hidden_dt IS NOT NULL AND actor_key IS NOT NULL "
        "AND (author_dt IS NULL OR author_dt <= author_hidden_dt)",
    )
    if number:
        yield f"{REVISION.name}: {number} rows still have the actor key of a hidden author"


def _run_views(engine: Connection) -> None:
    for name in VIEWS:
        engine.execute(f"CREATE VIEW {name} AS {view_query(name)}")
        # DISTINCT makes the engine compute every column of these rows.
        _number(engine, f"SELECT count(*) FROM (SELECT DISTINCT * FROM (SELECT * FROM {name} LIMIT 1000))")
