"""How fast the lake takes events in and answers: ``make bench-lake``. Prints figures; fails on nothing.

Lines are made beforehand and stand in memory. CPU is that of this process, in microseconds an event, and hardly depends
on what else the machine does. The two questions are asked warm, beside one scan of the columns that they read.
"""

# ruff: noqa: T201 - a program that prints figures

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.maintenance import maintain
from revertrisk.lake.run import MEMORY_LIMIT
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake, files_by_partition, make_lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from tests.contract.docs.test_lake import QUESTIONS
from tests.fakes.lake_events import (
    LANGUAGE_AGNOSTIC,
    MULTILINGUAL,
    WIKIS,
    Edit,
    as_lines,
    edits,
    page_change,
    prediction,
)

AIMS = {"predictions": 50_000, "page_change": 25_000}
"""Events a second."""
ASKED = {"What do anti-vandal bots and a model have in common?": 4.0, "A month by wiki and kind of user": 8.0}
"""The beginning of a question of docs/lake.md, and the aim in seconds for 15 M edits."""
TIMES = 3


def main() -> int:
    """Fill a lake and ask it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--to", help="keep the lake here; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.to or scratch)
        lake = make_lake(str(folder / "lake"), str(folder / "key"))
        fill(lake, arguments.edits, arguments.batch, arguments.days)
        started = time.perf_counter()
        maintain(lake, today=datetime(2027, 1, 1, tzinfo=UTC).date(), actor_key_days=10_000)
        print(f"compaction: {time.perf_counter() - started:.1f} s")
        for table in TABLES:
            files = files_by_partition(lake, table)
            if files:
                print(f"  {table.name}: {sum(files.values())} files in {len(files)} partitions")
        ask(lake.root)
    return 0


def fill(lake: Lake, number: int, batch: int, days: int) -> None:
    """Write a month of edits with the predictions of both models, and print the rates of each."""
    writer = LakeWriter(lake, memory_limit=MEMORY_LIMIT)
    made: dict[str, Callable[[Edit], list[dict[str, Any]]]] = {
        "page_change": lambda edit: [page_change(edit)],
        "predictions": lambda edit: [prediction(edit, LANGUAGE_AGNOSTIC), prediction(edit, MULTILINGUAL)],
    }
    spent = {name: [0, 0.0, 0.0] for name in made}
    for part in chunks(edits(number, days=days, users=max(number // 20, 50)), batch):
        for name, make in made.items():
            lines = as_lines(event for edit in part for event in make(edit))
            places = [RecordPlace("bench", 0)] * len(lines)
            wall, cpu = time.perf_counter(), time.process_time()
            writer.write(Batch(lines, places, resume={"bench": str(part[-1].number)}))
            spent[name][0] += len(lines)
            spent[name][1] += time.perf_counter() - wall
            spent[name][2] += time.process_time() - cpu
    writer.close()
    for name, (events, wall, cpu) in spent.items():
        print(
            f"{name}: {events:,.0f} events, {events / wall:,.0f} a second (aim {AIMS[name]:,}), "
            f"{cpu / events * 1e6:.1f} us of CPU an event"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory: {peak:,.0f} MB at most, the lines of a batch included")
    write_bots(lake, [Bot(wiki_id=wiki, name="User 10") for wiki in WIKIS])


def chunks(every: Iterator[Edit], size: int) -> Iterator[list[Edit]]:
    part = []
    for edit in every:
        part.append(edit)
        if len(part) == size:
            yield part
            part = []
    if part:
        yield part


def ask(root: str) -> None:
    """Ask the questions warm, beside one scan of the columns of both predictions and revisions."""
    reader = Reader(root)
    scan = timed(
        reader,
        "SELECT (SELECT sum(probability) + count(DISTINCT wiki_id) + max(rev_id) FROM prediction), "
        "(SELECT max(rev_id) + count(DISTINCT user_kind) + count(actor_key) FROM revision)",
    )
    print(f"one scan: {scan:.2f} s")
    for beginning, aim in ASKED.items():
        query = next(query for question, query in QUESTIONS if question.startswith(beginning))
        seconds = timed(reader, query)
        print(f"{beginning}…: {seconds:.2f} s, {seconds / scan:.1f} scans (aim {aim:.0f} s for 15 M edits)")


def timed(reader: Reader, query: str) -> float:
    reader.query(query).fetchall()
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        reader.query(query).fetchall()
        took.append(time.perf_counter() - started)
    return statistics.median(took)


if __name__ == "__main__":
    sys.exit(main())
