"""A lake with rows for its tables and views, and what they hold, to be compared with what other engines answer."""

from datetime import date
from pathlib import Path
from typing import Any

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.erasure import Erasure, erase
from revertrisk.lake.maintenance import compact_table
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.reader import VIEWS, view_query
from revertrisk.lake.schema import PREDICTION, REVISION, TABLES
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.fakes.lake_events import WIKIS, as_lines, edits, month
from tests.peers.spark_answers import plain_rows

QUERIES = {name: view_query(name) for name in VIEWS}
SPARK_TYPES = {
    "BIGINT": "bigint",
    "INTEGER": "int",
    "DOUBLE": "double",
    "BOOLEAN": "boolean",
    "VARCHAR": "string",
    "TIMESTAMP WITH TIME ZONE": "timestamp",
    "DATE": "date",
}
"""No DECIMAL, which Spark makes of an unsigned number, and no time without a zone."""


def varied_lake(folder: Path, number: int = 400) -> Lake:
    """Write forty days in several batches, with bots, an unreadable line, an erasure and compacted days."""
    lake = make_lake(str(folder / "lake"), str(folder / "key"))
    writer = LakeWriter(lake)
    lines = [*as_lines(month(number)), b"no event"]
    for begin in range(4):
        places = [RecordPlace("test", place) for place in range(begin, len(lines), 4)]
        writer.write(Batch(lines[begin::4], places, resume={"test": str(begin)}))
    writer.close()
    write_bots(lake, [Bot(wiki_id=wiki, name="User 10", valid_from=date(2020, 1, 1)) for wiki in WIKIS])
    for table in (PREDICTION, REVISION):
        compact_table(lake, table, date(2027, 1, 1))
    gone = next(edits(number))
    erase(lake, Erasure(revisions=((gone.wiki_id, gone.rev_id),)), grace_s=0)
    return lake


def duckdb_answers(root: str) -> dict[str, Any]:
    """Return the types, by Spark's names, and rows of each table and view, as DuckDB has them."""
    reader = Reader(root)
    found = {}
    for name in (*(table.name for table in TABLES), *VIEWS):
        columns = reader.query(f"DESCRIBE {name}").fetchall()
        types = {column: SPARK_TYPES.get(of, f"none for {of}") for column, of, *_ in columns}
        found[name] = {"types": types, "rows": plain_rows(reader.query(f"FROM {name}").fetchall())}
    reader.close()
    return found


def disagreements(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Return each table and view whose types or rows differ, with the first row that does."""
    found = []
    for name, answer in ours.items():
        other = theirs[name]
        if answer["types"] != other["types"]:
            found.append(f"{name}: {answer['types']} and {other['types']}")
        elif answer["rows"] != other["rows"]:
            pairs = zip(answer["rows"], other["rows"], strict=False)
            first = next((pair for pair in pairs if pair[0] != pair[1]), None)
            found.append(f"{name}: {len(answer['rows'])} and {len(other['rows'])} rows; {first}")
    return found
