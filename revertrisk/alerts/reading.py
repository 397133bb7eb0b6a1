"""Reads the sources of a watch in step, so that the minutes of each are counted before they are closed."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from time import monotonic, time
from typing import Final
from urllib.parse import urlsplit

from revertrisk.alerts.errors import AlertsUsageError
from revertrisk.alerts.events import read_event
from revertrisk.alerts.store import Store
from revertrisk.alerts.watch import Watch
from revertrisk.event_platform.streams import event_meta
from revertrisk.streams.base import Position, SourcedEvent, SourceError, UnreadableRecord
from revertrisk.streams.opening import OLDEST, OpenSource, SourceNameError, SourceSettings, open_source

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
"""The events that are read before other tasks have a turn."""
AHEAD_PAUSE_S: Final = 0.05
"""How long a source that is ahead waits before it looks again."""


def open_sources(names: Sequence[str], store: Store, opening: SourceSettings) -> list[OpenSource]:
    """Open the sources of a watch; one that was not read before starts at its oldest event.

    Raises:
        AlertsUsageError: a name or a setting cannot be used.

    """
    opening = replace(opening, since=OLDEST, program="revertrisk-surge")
    try:
        return [open_source(name, store, opening) for name in names]
    except SourceNameError as exc:
        raise AlertsUsageError(str(exc)) from exc


class SourceReader:
    """Gives a watch the events of one source.

    Minutes are closed by partition: a Kafka partition, or a stream if one address of EventStreams has several, since
    its server can send one of them far ahead of another. Any other source is one partition.
    """

    def __init__(self, source: OpenSource, watch: Watch, *, is_replay: bool = False) -> None:
        """Let the watch expect the source; all readers are made before the first event is read."""
        self._source = source
        self._watch = watch
        self._is_replay = is_replay
        self._kind = source.name.partition(":")[0]
        streams = _streams(source.name)
        self._has_streams = len(streams) > 1
        self._partitions = (
            {f"{source.name}:{each}" for each in streams} if self._has_streams else {source.name}
        )
        self._is_new_file = self._kind == "jsonl" and (
            source.checkpoint is None or source.checkpoint.is_empty
        )
        self._events = self._unreadable = 0
        watch.clock.expect(self._partitions, monotonic())

    @property
    def is_doubtful(self) -> bool:
        """Whether no record of a file that was not read before is readable so far; it can be a wrong file."""
        return self._is_new_file and not self._events

    async def positions(self) -> AsyncGenerator[Position, None]:
        """Give the watch each event, and then yield its position, to the end of the source.

        Raises:
            SourceError: the source cannot be read, or is a new file without a readable event.

        """
        watch, model, number = self._watch, self._watch.settings.model_name, 0
        async with aclosing(self._source.source.events()) as records:
            async for record in records:
                if number == 0 and self._kind == "kafka":
                    self._expect_kafka_partitions()
                event = read_event(record.event, model) if isinstance(record, SourcedEvent) else None
                if event is None:
                    self._unreadable += 1
                else:
                    self._events += 1
                wall = None if self._is_replay else time()
                watch.take(event, self._partition_of(record), monotonic(), wall)
                yield record.position
                number += 1
                if number % AT_ONCE == 0:
                    await self._let_others_read()
        watch.clock.end(self._partitions)
        watch.close_minutes(monotonic())
        if self._unreadable:
            found = f"{self._source.name}: {self._events:,} events, {self._unreadable:,} unreadable"
            if self.is_doubtful:
                raise SourceError(f"{found}: expected one event with meta.dt per line")
            log.warning("%s", found)

    def _expect_kafka_partitions(self) -> None:
        """Expect each partition instead of the source: they are known when the first record has come."""
        self._watch.clock.end(self._partitions)
        self._partitions = {f"{self._source.name}:{each}" for each in self._source.partitions()}
        self._watch.clock.expect(self._partitions, monotonic())

    def _partition_of(self, record: SourcedEvent | UnreadableRecord) -> str:
        name = self._source.name
        if self._kind == "kafka":
            name = f"{name}:{record.position.partition}"
        elif self._has_streams and isinstance(record, SourcedEvent):
            name = f"{name}:{event_meta(record.event).get('stream')}"
        self._partitions.add(name)
        return name

    async def _let_others_read(self) -> None:
        """Let other tasks run, and wait while this source is ahead of the others."""
        await asyncio.sleep(0)
        while self._watch.clock.is_ahead(self._partitions, monotonic()):  # noqa: ASYNC110 - it depends on the time
            await asyncio.sleep(AHEAD_PAUSE_S)


def _streams(source: str) -> list[str]:
    """Return the streams in an address of EventStreams; empty for other sources."""
    kind, _, where = source.partition(":")
    return urlsplit(where).path.rpartition("/")[2].split(",") if kind == "eventstreams" else []
