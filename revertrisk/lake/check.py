"""Looks for what could be wrong with a lake; each finding is one line."""

from collections.abc import Iterator
from typing import Final

from revertrisk.lake.engine import VIEWS, Connection, damage_told, new_engine, sql_of, table_relation
from revertrisk.lake.id_ranges import whole_tables
from revertrisk.lake.maintenance import SPARE_FILES
from revertrisk.lake.reverted import OF_ALL, reverted_rows
from revertrisk.lake.schema import PLACE, REVERT, REVERTED, REVISION, TABLES
from revertrisk.lake.tables import Lake, files_by_partition

_DIFFERENT: Final = (
    "SELECT count(*) FROM {a} a ANTI JOIN {b} b ON a.wiki_id = b.wiki_id AND a.rev_id = b.rev_id "
    "AND a.first_revert_id = b.first_revert_id AND a.seconds_to_revert = b.seconds_to_revert "
    "AND a.revert_reverted_at IS NOT DISTINCT FROM b.revert_reverted_at"
)


def check(lake: Lake) -> Iterator[str]:
    """Yield what is wrong: keys that stand twice, hidden authors that are told, derived rows that differ, views.

    Raises:
        LakeError: a table cannot be opened or read.

    """
    with damage_told(lake.root):
        yield from _findings(lake)


def _findings(lake: Lake) -> Iterator[str]:
    engine = new_engine()
    try:
        for table in TABLES:
            table_relation(engine, lake, table).create_view(table.name)
        yield from _keys(engine)
        yield from _places(engine)
        yield from _files(lake)
        yield from _hidden(engine)
        yield from _derived(engine, lake)
        _run_views(engine)
    finally:
        engine.close()


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
    told = _number(
        engine,
        f"SELECT count(*) FROM {REVERT.name} u JOIN {REVISION.name} e USING (day, wiki_id, rev_id) "
        "WHERE e.author_hidden_dt IS NOT NULL AND e.actor_key IS NULL AND u.actor_key IS NOT NULL",
    )
    if told:
        yield f"{REVERT.name}: {told} hidden authors are told"


def _derived(engine: Connection, lake: Lake) -> Iterator[str]:
    reverted_rows(engine, OF_ALL, whole_tables(engine, lake))
    for what, (a, b) in {
        "missing or different": ("reverted_now", REVERTED.name),
        "too much": (REVERTED.name, "reverted_now"),
    }.items():
        number = _number(engine, _DIFFERENT.format(a=a, b=b))
        if number:
            yield f"{REVERTED.name}: {number} rows are {what}, worked out anew from {REVISION.name} and {REVERT.name}"


def _run_views(engine: Connection) -> None:
    for name in VIEWS:
        engine.execute(f"CREATE VIEW {name} AS {sql_of(name)}")
        # Each column of each row is worked out.
        _number(engine, f"SELECT count(*) FROM (SELECT DISTINCT * FROM (SELECT * FROM {name} LIMIT 1000))")
