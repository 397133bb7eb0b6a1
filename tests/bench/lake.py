"""Measures how fast the lake writes events and answers queries: ``make bench-lake``. It prints figures, without limits.

The lines are made before the measurement and are in memory. CPU time is that of this process, in microseconds for
each event, and depends little on other load. Two queries of docs/lake.md run with warm caches, and are compared with
one scan of the columns that they read. ``--edits 15000000`` is a month of all Wikipedias; ``--kafka 0`` skips Kafka.
"""

# ruff: noqa: T201 - a program that prints figures

import argparse
import asyncio
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from revertrisk.lake import Reader
from revertrisk.lake.bots import Bot, write_bots
from revertrisk.lake.maintenance import maintain
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.run import MEMORY_LIMIT, RunSettings
from revertrisk.lake.run import fill as fill_from_sources
from revertrisk.lake.schema import TABLES
from revertrisk.lake.tables import Lake, files_by_partition
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from revertrisk.streams.opening import SourceSettings
from tests.bench.lake_lines import lines_of
from tests.contract.docs.test_lake import QUESTIONS
from tests.fakes.kafka_cluster import kafka_cluster
from tests.fakes.lake_events import WIKIS

TARGETS = {"page_change": 25_000, "predictions": 50_000, "Kafka": 15_000}
"""The target rates, in events a second."""
SCAN = "SELECT (SELECT ({prediction}) FROM prediction), (SELECT ({revision}) FROM revision)"
PREDICTIONS_COLUMNS = ("day", "wiki_id", "rev_id", "model_name", "probability", "precedence")
QUERIES: dict[str, tuple[float, int, tuple[str, ...]]] = {
    "What do anti-vandal bots and a model have in common?": (
        4.0,
        15,
        ("day", "wiki_id", "rev_id", "is_content_namespace", "skip_reason"),
    ),
    "A month by wiki and kind of user": (8.0, 25, ("day", "wiki_id", "rev_id", "user_kind")),
}
"""By the beginning of a question of docs/lake.md: the target in seconds for 15 million edits, the target in scans, and
the columns of `revision` that the query reads, besides those of `prediction`."""
ROUNDS = 3
PARTITIONS = 64
"""There are so many because a partition of the mock brokers holds only 5 MB."""


def main() -> int:
    """Fill a lake and query it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edits", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=50_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--kafka", type=int, default=250_000, help="events to read from Kafka")
    parser.add_argument(
        "--to", help="the folder of the lake; an existing lake is only queried; default: a temporary one"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(arguments.to or scratch)
        if arguments.kafka:
            asyncio.run(from_kafka(Path(scratch), arguments.kafka))
        is_new = not (folder / "lake").exists()
        lake = make_lake(str(folder / "lake"), str(folder / "key"))
        if is_new:
            fill(lake, arguments.edits, arguments.batch, arguments.days)
        ask(lake.root)
    return 0


def fill(lake: Lake, number: int, batch: int, days: int) -> None:
    """Write a month of edits and the predictions of both models, and print the rate of each."""
    writer = LakeWriter(lake, memory_limit=MEMORY_LIMIT)
    spent = {name: [0, 0.0, 0.0] for name in ("page_change", "predictions")}
    slowest = 0.0
    for part in lines_of(number, batch, days):
        for name, lines in (("page_change", part.page_changes), ("predictions", part.predictions)):
            places = [RecordPlace("bench", 0)] * len(lines)
            wall, cpu = time.perf_counter(), time.process_time()
            writer.write(Batch(lines, places, resume={"bench": "0"}))
            took = time.perf_counter() - wall
            spent[name][0] += len(lines)
            spent[name][1] += took
            spent[name][2] += time.process_time() - cpu
            slowest = max(slowest, took)
    writer.close()
    for name, (events, wall, cpu) in spent.items():
        print_rate(name, int(events), wall, cpu)
    print(f"slowest batch: {slowest:.1f} s; {peak()}", flush=True)
    write_bots(lake, [Bot(wiki_id=wiki, name="User 10") for wiki in WIKIS])
    wall, cpu = time.perf_counter(), time.process_time()
    maintain(lake, today=datetime(2027, 1, 1, tzinfo=UTC).date(), actor_key_days=10_000)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"compaction: {wall:.1f} s, {cpu:.1f} s of CPU; {peak()}")
    total = wall + sum(each[1] for each in spent.values())
    print(f"the month: {total / 60:.1f} minutes")
    for table in TABLES:
        files = files_by_partition(lake, table)
        if files:
            print(f"  {table.name}: {sum(files.values())} files in {len(files)} partitions")


async def from_kafka(folder: Path, number: int) -> None:
    """Read events of all kinds from Kafka into a separate lake, and print the rate."""
    with kafka_cluster() as cluster:
        cluster.create("everything", PARTITIONS)
        lines: list[bytes] = []
        for part in lines_of(number // 3, number, 1):
            lines += part.page_changes + part.predictions
        cluster.produce("everything", [(place % PARTITIONS, line) for place, line in enumerate(lines)])
        opening = SourceSettings(
            from_beginning=True, kafka=(f"bootstrap.servers={cluster.brokers}",), to_end=True
        )
        to = str(folder / "from-kafka")
        lake = make_lake(to, str(folder / "kafka-key"))
        settings = RunSettings(sources=("kafka:everything",), to=to, opening=opening)
        wall, cpu = time.perf_counter(), time.process_time()
        written = await fill_from_sources(settings, lake, asyncio.Event())
        print_rate("Kafka", written.events, time.perf_counter() - wall, time.process_time() - cpu)


def print_rate(name: str, events: int, wall: float, cpu: float) -> None:
    """Print the rate and the CPU time for each event."""
    print(
        f"{name}: {events:,} events, {events / wall:,.0f} a second (aim {TARGETS[name]:,}), "
        f"{cpu / events * 1e6:.1f} us of CPU an event",
        flush=True,
    )


def peak() -> str:
    """Return the peak memory of this process as text."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"{most:,.0f} MB of memory at most, including the lines of a batch"


def ask(root: str) -> None:
    """Time each query with warm caches, and one scan of the columns that it reads."""
    reader = Reader(root)
    for beginning, (aim, most, columns) in QUERIES.items():
        query = next(query for question, query in QUESTIONS if question.startswith(beginning))
        prediction, revision = (
            ", ".join(f"max({name})" for name in names) for names in (PREDICTIONS_COLUMNS, columns)
        )
        scan = SCAN.format(prediction=prediction, revision=revision)
        scanned, asked = timed(reader, (scan, query))
        print(
            f"{beginning}…: {asked.wall:.2f} s (aim {aim:.0f} s for 15 M edits), {asked.cpu:.2f} s of CPU; "
            f"{asked.wall / scanned.wall:.1f} scans of {scanned.wall:.2f} s (at most {most}), "
            f"{asked.cpu / scanned.cpu:.1f} by CPU"
        )


class QueryTime(NamedTuple):
    """The median times of a query, in seconds."""

    wall: float
    cpu: float


def timed(reader: Reader, queries: Sequence[str]) -> list[QueryTime]:
    """Return the times of each query; the queries run in turn, and the first round is ignored."""
    took: list[list[QueryTime]] = [[] for _ in queries]
    for _ in range(ROUNDS + 1):
        for place, query in enumerate(queries):
            wall, cpu = time.perf_counter(), time.process_time()
            reader.query(query).fetchall()
            took[place].append(QueryTime(time.perf_counter() - wall, time.process_time() - cpu))
    return [QueryTime(*map(statistics.median, zip(*each[1:], strict=True))) for each in took]


if __name__ == "__main__":
    sys.exit(main())
