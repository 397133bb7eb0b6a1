"""``revertrisk lake run``: writes events from sources into the lake, until the sources end or a signal arrives."""

import asyncio
import hashlib
import logging
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from time import monotonic
from typing import Final

import orjson
import uvloop
from prometheus_client import CollectorRegistry

from revertrisk.lake.errors import EXIT_CONFIGURATION, EXIT_DONE, LakeError, LakeUsageError
from revertrisk.lake.event_rows import MAX_EVENT_BYTES
from revertrisk.lake.maintenance import ACTOR_KEY_DAYS, GRACE, maintain
from revertrisk.lake.metrics import LakeMetrics
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.tables import Lake
from revertrisk.lake.writer import Batch, BrokenRecord, LakeWriter, RecordPlace, Written
from revertrisk.runtime.metrics_port import MetricsPortError, serving_metrics
from revertrisk.runtime.signals import on_signals
from revertrisk.streams.base import Position, RawRecord, SourceError, UnreadableReason, UnreadableRecord
from revertrisk.streams.opening import OpenSource, Places, SourceNameError, SourceSettings, open_source

log = logging.getLogger(__name__)

DEFAULT_GROUP: Final = "revertrisk-lake"
"""The Kafka consumer group, and the program's name in the User-Agent."""
BATCH_ROWS: Final = 20_000
BATCH_S: Final = 60.0
"""A batch is written when it has `BATCH_ROWS` records, or `BATCH_S` seconds after its first record."""
MAX_ROWS: Final = 200_000
MAX_BYTES: Final = 48 * 1024 * 1024
"""While a batch is being written, the next one grows to one of these limits; then the sources wait."""
_YIELD_EVERY: Final = 1000
"""After this many records the event loop can run other tasks, even if a source always has a record ready."""
MAINTAIN_EVERY_S: Final = 3600.0
MEMORY_LIMIT: Final = "700MB"
"""The memory limit of the SQL engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """The settings of one run of the writer."""

    sources: tuple[str, ...]
    to: str
    """The lake: a folder, or ``s3://BUCKET/PREFIX``."""
    key_file: str | None = None
    wikis: frozenset[str] | None = None
    """Write only events of these wikis; None for all."""
    opening: SourceSettings = field(default_factory=SourceSettings)
    batch_s: float = BATCH_S
    actor_key_days: int = ACTOR_KEY_DAYS
    grace: timedelta = GRACE
    metrics_port: int | None = None


class BatchCollector:
    """Collects records into the next batch: the sources' tasks add records, and the writer takes the batch."""

    def __init__(self) -> None:
        self._batch = Batch()
        self._bytes = 0
        self._begun = 0.0
        self._positions: dict[str, dict[str, Position]] = {}
        self._has_records, self._is_due, self._has_room = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._has_room.set()
        self._done = False

    async def add(self, source: OpenSource, record: RawRecord | UnreadableRecord) -> None:
        """Add a record; wait while the batch is full."""
        while not self._has_room.is_set():
            await self._has_room.wait()
        position = record.position
        place = RecordPlace(_source_of_record(source, position), position.offset)
        if isinstance(record, UnreadableRecord):
            self._add_broken(place, record.raw, record.reason)
        elif len(record.raw) > MAX_EVENT_BYTES:
            self._add_broken(place, record.raw, UnreadableReason.TOO_LONG)
        else:
            self._batch.lines.append(record.raw)
            self._batch.places.append(place)
            self._bytes += len(record.raw)
        self._positions.setdefault(source.name, {})[position.partition] = position
        rows = len(self._batch)
        if rows == 1:
            self._begun = monotonic()
            self._has_records.set()
        if rows >= BATCH_ROWS:
            self._is_due.set()
        if rows >= MAX_ROWS or self._bytes >= MAX_BYTES:
            self._is_due.set()
            self._has_room.clear()
        if rows % _YIELD_EVERY == 0:
            await asyncio.sleep(0)

    def _add_broken(self, place: RecordPlace, raw: bytes, reason: UnreadableReason) -> None:
        self._batch.broken.append(BrokenRecord(place, reason.value, hashlib.sha256(raw).hexdigest()))

    def end(self) -> None:
        """Let the writer take the last batch; after it `take` returns None."""
        self._done = True
        self._has_records.set()
        self._is_due.set()

    async def take(self, batch_s: float) -> tuple[Batch, Mapping[str, Mapping[str, Position]]] | None:
        """Wait until a batch is due; return it with the last position of each source and partition. None at the end."""
        await self._has_records.wait()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(self._begun + batch_s - monotonic(), 0)):
                await self._is_due.wait()
        if not len(self._batch):
            return None
        batch, positions = self._batch, self._positions
        self._batch, self._positions, self._bytes = Batch(), {}, 0
        if not self._done:
            self._has_records.clear()
            self._is_due.clear()
        self._has_room.set()
        return batch, positions


async def fill(settings: RunSettings, lake: Lake, stop: asyncio.Event) -> Written:
    """Write until every source ends or ``stop`` is set; return a count of what was written.

    Raises:
        LakeError: the lake cannot be written.
        LakeUsageError: a source cannot be opened.
        SourceError: a source cannot be read, or not any further; the records before that are written.

    """
    registry = CollectorRegistry()
    metrics = LakeMetrics(registry)
    writer = LakeWriter(lake, wikis=settings.wikis, memory_limit=MEMORY_LIMIT)
    sources = _open(settings, writer)
    by_name = {source.name: source for source in sources}
    collector = BatchCollector()
    total = Written()
    with serving_metrics(registry, settings.metrics_port):
        reading = asyncio.create_task(_read_all(sources, collector, stop))
        try:
            begun = maintained = monotonic()
            while (taken := await collector.take(settings.batch_s)) is not None:
                batch, positions = taken
                await _add_places(batch, positions, by_name)
                started = monotonic()
                written = await asyncio.to_thread(writer.write, batch)
                metrics.note(written, monotonic() - started)
                total.add(written)
                await _commit(positions, by_name)
                _log_progress(total, written, begun)
                if monotonic() - maintained >= MAINTAIN_EVERY_S:
                    await asyncio.to_thread(_maintain, settings, lake)
                    maintained = monotonic()
            await reading
            if not stop.is_set() and total.rows:
                await asyncio.to_thread(_maintain, settings, lake, frozenset(by_name))
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            for source in sources:
                await source.source.close()
            writer.close()
    return total


def run(settings: RunSettings) -> int:
    """Run the command: fill a lake, print a summary or an error, and return the exit status."""

    async def until_signalled() -> Written:
        stop = asyncio.Event()
        with on_signals(stop.set):
            _open(settings, None)  # a source that is refused leaves no empty lake behind
            lake = make_lake(settings.to, settings.key_file)
            return await fill(settings, lake, stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            written = runner.run(until_signalled())
    except LakeError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return exc.exit_status
    except MetricsPortError as exc:
        sys.stderr.write(f"revertrisk: metrics-port: {exc}\n")
        return EXIT_CONFIGURATION
    except SourceError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return LakeError.exit_status
    rows = ", ".join(f"{table} {number:,}" for table, number in sorted(written.rows.items())) or "nothing new"
    sys.stdout.write(
        f"{written.events:,} events into {settings.to}: {rows}; {written.canaries:,} canaries, "
        f"{written.unreadable:,} unreadable\n"
    )
    return EXIT_DONE


def _open(settings: RunSettings, places: Places | None) -> list[OpenSource]:
    """Open the sources; without ``places`` this only checks their names and settings, since they connect later."""
    opening = replace(settings.opening, group=settings.opening.group or DEFAULT_GROUP, program=DEFAULT_GROUP)
    try:
        return [open_source(name, places, opening) for name in settings.sources]
    except SourceNameError as exc:
        raise LakeUsageError(str(exc)) from exc


async def _read_all(sources: Sequence[OpenSource], collector: BatchCollector, stop: asyncio.Event) -> None:
    """Read every source to its end, or until ``stop`` is set; if one fails, stop the others and raise SourceError."""
    tasks = [asyncio.create_task(_read(source, collector)) for source in sources]
    stopping = asyncio.create_task(stop.wait())
    try:
        waiting: set[asyncio.Task[object]] = {*tasks, stopping}
        while not stopping.done() and any(not task.done() for task in tasks):
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if any(task.exception() is not None for task in done):
                break
    finally:
        for task in (*tasks, stopping):
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        collector.end()
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _read(source: OpenSource, collector: BatchCollector) -> None:
    async with aclosing(source.source.records()) as records:
        async for record in records:
            await collector.add(source, record)


async def _add_places(
    batch: Batch, positions: Mapping[str, Mapping[str, Position]], sources: Mapping[str, OpenSource]
) -> None:
    """Put into the batch the place from which each source is resumed after it."""
    for name, partitions in positions.items():
        source = sources[name]
        if source.checkpoint is None:
            # Kafka stores the place itself, and a pipe is not resumed: nothing is resumed from this entry.
            batch.resume[name] = orjson.dumps(
                {part: last.offset for part, last in partitions.items()}
            ).decode()
            continue
        # This commit only sets `pending`; the place is stored with the batch.
        for position in partitions.values():
            await source.source.commit(position)
        if source.checkpoint.pending is not None:
            batch.resume[name] = source.checkpoint.pending


async def _commit(positions: Mapping[str, Mapping[str, Position]], sources: Mapping[str, OpenSource]) -> None:
    """Commit to Kafka the offsets that are in the lake now."""
    for name, partitions in positions.items():
        if sources[name].checkpoint is None:
            for position in partitions.values():
                await sources[name].source.commit(position)


def _maintain(settings: RunSettings, lake: Lake, ended: Collection[str] = ()) -> None:
    maintain(lake, actor_key_days=settings.actor_key_days, grace=settings.grace, ended=ended)


def _source_of_record(source: OpenSource, position: Position) -> str:
    return f"kafka:{position.partition}" if source.name.startswith("kafka:") else source.name


def _log_progress(total: Written, written: Written, begun: float) -> None:
    rate = total.events / max(monotonic() - begun, 1e-3)
    log.info(
        "%s events written, %s in total, %s per second",
        f"{written.events:,}",
        f"{total.events:,}",
        f"{rate:,.0f}",
        extra={"labels.events": written.events, "labels.unreadable": written.unreadable},
    )
