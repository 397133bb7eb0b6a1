"""Looks for what could be wrong with a lake; each finding is one line.

A writer may be at work beside it. It commits table after table, so what does not agree between two tables counts only
where it still does not agree when the writer's batch is done.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from revertrisk.lake.engine import VIEWS, Connection, damage_as_lake_error, new_engine, sql_of, table_relation
from revertrisk.lake.id_ranges import REVERT_BY_ID, REVERT_OVER, REVISION_BY_ID
from revertrisk.lake.maintenance import SPARE_FILES
from revertrisk.lake.reverted import OF_ALL, reverted_rows
from revertrisk.lake.schema import PLACE, REVERT, REVERTED, REVISION, TABLES
from revertrisk.lake.tables import Lake, files_by_partition

LONGEST_BATCH_S: Final = 60.0
"""So long the end of a batch is waited for."""
_WRITES: Final = "INTERVAL 10 MINUTE"
"""A lake whose places are older than this has no writer at work."""
_POLL_S: Final = 0.5
_VIEWS_BY_ID: Final = {REVISION_BY_ID: REVISION, REVERT_BY_ID: REVERT, REVERT_OVER: REVERT}
_DIFFERENT: Final = (
    "SELECT a.wiki_id, a.rev_id FROM {a} a ANTI JOIN {b} b ON a.wiki_id = b.wiki_id AND a.rev_id = b.rev_id "
    "AND a.first_revert_id = b.first_revert_id AND a.seconds_to_revert = b.seconds_to_revert "
    "AND a.revert_reverted_at IS NOT DISTINCT FROM b.revert_reverted_at"
)
_ANEW: Final = f"worked out anew from {REVISION.name} and {REVERT.name}"
_BETWEEN_TABLES: Final = {
    f"{REVERT.name}: {{}} hidden authors are told": (
        f"SELECT u.wiki_id, u.rev_id FROM {REVERT.name} u JOIN {REVISION.name} e USING (day, wiki_id, rev_id) "
        "WHERE e.author_hidden_dt IS NOT NULL AND e.actor_key IS NULL AND u.actor_key IS NOT NULL"
    ),
    f"{REVERTED.name}: {{}} rows are missing or different, {_ANEW}": _DIFFERENT.format(
        a="reverted_now", b=REVERTED.name
    ),
    f"{REVERTED.name}: {{}} rows are too much, {_ANEW}": _DIFFERENT.format(a=REVERTED.name, b="reverted_now"),
}
"""Queries for the keys of rows that do not agree, by the finding."""


def check(lake: Lake, *, wait: Callable[[Lake, int], None] | None = None) -> Iterator[str]:
    """Yield what is wrong: keys that stand twice, hidden authors that are told, derived rows that differ, views.

    ``wait`` returns when the batch is done that was being written at a version of the table of places.

    Raises:
        LakeError: a table cannot be opened or read.

    """
    with damage_as_lake_error(lake.root):
        yield from _findings(lake, wait or until_place_moves)


def until_place_moves(lake: Lake, version: int) -> None:
    """Return when the places have another version than this one, or after `LONGEST_BATCH_S`."""
    until = time.monotonic() + LONGEST_BATCH_S
    while lake.table(PLACE).version() == version and time.monotonic() < until:
        time.sleep(_POLL_S)


def _findings(lake: Lake, wait: Callable[[Lake, int], None]) -> Iterator[str]:
    engine = new_engine()
    try:
        version = lake.table(PLACE).version()
        _take_snapshot(engine, lake)
        yield from _keys(engine)
        yield from _places(engine)
        yield from _files(lake)
        yield from _hidden(engine)
        found = _disagreeing(engine, "first_time")
        if any(found.values()):
            if _number(engine, f"SELECT count(*) FROM {PLACE.name} WHERE updated > now() - {_WRITES}"):
                wait(lake, version)
            _take_snapshot(engine, lake)
            found = _disagreeing(engine, "second_time", "SEMI JOIN first_time_{} USING (wiki_id, rev_id)")
        yield from (finding.format(number) for finding, number in found.items() if number)
        _run_views(engine)
    finally:
        engine.close()


def _take_snapshot(engine: Connection, lake: Lake) -> None:
    """Make a view of each table's version of this moment; all that is looked at is of these."""
    for table in TABLES:
        table_relation(engine, lake, table).create_view(table.name, replace=True)
    for view, table in _VIEWS_BY_ID.items():
        engine.execute(f"CREATE OR REPLACE VIEW {view} AS FROM {table.name}")


def _disagreeing(engine: Connection, name: str, of_these: str = "") -> dict[str, int]:
    """Keep the keys that do not agree between tables under a name; return how many they are, by the finding."""
    reverted_rows(engine, OF_ALL, lambda _view, _asked: None)
    found = {}
    for place, (finding, query) in enumerate(_BETWEEN_TABLES.items()):
        engine.execute(
            f"CREATE TEMP TABLE {name}_{place} AS SELECT * FROM ({query}) {of_these.format(place)}"
        )
        found[finding] = _number(engine, f"SELECT count(*) FROM {name}_{place}")
    return found


def _number(engine: Connection, query: str) -> int:
    return int(engine.execute(query).fetchall()[0][0])


def _keys(engine: Connection) -> Iterator[str]:
    for table in TABLES:
        key = ", ".join(table.key)
        twice = _number(
            engine, f"SELECT count(*) FROM (SELECT 1 FROM {table.name} GROUP BY {key} HAVING count(*) > 1)"
        )
        if twice:
            yield f"{table.name}: {twice} keys stand there more than once"


def _places(engine: Connection) -> Iterator[str]:
    bad = _number(
        engine, f"SELECT count(*) FROM {PLACE.name} WHERE place IS NULL OR updated > now() + INTERVAL 1 HOUR"
    )
    if bad:
        yield f"{PLACE.name}: {bad} sources have no place, or one from the future"


def _files(lake: Lake) -> Iterator[str]:
    for table in TABLES:
        files = files_by_partition(lake, table)
        most = len(files) + 10 * SPARE_FILES
        if sum(files.values()) > most:
            yield f"{table.name}: {sum(files.values())} files, more than {most}: no writer has compacted it for long"


def _hidden(engine: Connection) -> Iterator[str]:
    told = _number(
        engine,
        f"SELECT count(*) FROM {REVISION.name} WHERE author_hidden_dt IS NOT NULL AND actor_key IS NOT NULL "
        "AND (author_dt IS NULL OR author_dt <= author_hidden_dt)",
    )
    if told:
        yield f"{REVISION.name}: {told} hidden authors are told"


def _run_views(engine: Connection) -> None:
    for name in VIEWS:
        engine.execute(f"CREATE VIEW {name} AS {sql_of(name)}")
        # Each column of each row is worked out.
        _number(engine, f"SELECT count(*) FROM (SELECT DISTINCT * FROM (SELECT * FROM {name} LIMIT 1000))")
