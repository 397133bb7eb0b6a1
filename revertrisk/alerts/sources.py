"""Opens the sources of a watch; how far each has been read stands in the watch's own file, beside what it knows."""

import importlib.util
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

import orjson

from revertrisk.alerts.errors import AlertsUsageError
from revertrisk.runtime.headers import user_agent
from revertrisk.runtime.proxies import ProxyError
from revertrisk.streams.base import EventSource, Position
from revertrisk.streams.checkpoints import SourceCheckpoint
from revertrisk.streams.eventstreams import EventStreamsSource, stream_url
from revertrisk.streams.jsonl import JsonlSource
from revertrisk.streams.kafka_settings import KafkaSettings, KafkaSettingsError

EVENTSTREAMS_KEEPS: Final = timedelta(days=31)
"""Longer than any server keeps events: asked for what is older, it begins with the oldest that it has."""
_KINDS: Final = (
    "jsonl:FILE, jsonl:- (standard input), kafka:TOPIC[,…], eventstreams:STREAM[,…] or eventstreams:URL"
)
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Places(Protocol):
    """Where the places of sources are kept."""

    def place(self, source: str) -> str | None:
        """Return what a source is to be resumed with, None where it has not been read."""
        ...


class WatchCheckpoint(SourceCheckpoint):
    """A source's checkpoint that is kept with the watch's state: what the source writes waits for its commit."""

    def __init__(self, places: Places, source: str) -> None:
        self._places = places
        self._source = source
        self.pending: str | None = None
        """What the source was given to remember last."""

    async def read(self) -> str | None:
        """Return the place in the store."""
        return self._places.place(self._source)

    async def write(self, place: str) -> None:
        """Take note of a place; the watch's next commit keeps it."""
        self.pending = place


@dataclass(slots=True)
class OpenSource:
    """A source of a run."""

    name: str
    """By which its place is kept."""
    source: EventSource
    checkpoint: WatchCheckpoint | None
    """None for Kafka, whose place is the offset of each partition, and for standard input."""
    offsets: dict[str, int] = field(default_factory=dict)

    async def note(self, position: Position) -> None:
        """Take note that everything up to a position has been taken in."""
        if self.checkpoint is not None:
            await self.source.commit(position)
        else:
            self.offsets[position.partition] = position.offset + 1

    def place(self) -> str | None:
        """Return what the source is to be resumed with; None where there is nothing new."""
        if self.checkpoint is not None:
            return self.checkpoint.pending
        return orjson.dumps(self.offsets).decode() if self.offsets else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What sources need beside their names."""

    kafka: tuple[str, ...] = ()
    """librdkafka's settings as ``key=value``."""
    datacentres: tuple[str, ...] = ()
    """Prefixes of Kafka's topics: ``eqiad`` makes ``eqiad.TOPIC`` of each."""
    to_end: bool = False
    """Kafka: end where every partition has been read to its end."""


def open_source(written: str, places: Places, settings: SourceSettings) -> OpenSource:
    """Open one source, by its name on the command line; where it was not read before, at its oldest event.

    Raises:
        AlertsUsageError: the name or a setting cannot be used.

    """
    kind, _, where = written.partition(":")
    if kind == "jsonl" and where:
        name = written if where == "-" else f"jsonl:{Path(where).absolute()}"
        checkpoint = None if where == "-" else WatchCheckpoint(places, name)
        return OpenSource(name, JsonlSource.from_path(where, checkpoint), checkpoint)
    if kind == "eventstreams" and where:
        try:
            url = stream_url(where)
        except ProxyError as exc:
            raise AlertsUsageError(str(exc)) from exc
        except ValueError as exc:
            raise AlertsUsageError(f"source: {exc}") from exc
        name = f"eventstreams:{url}"
        checkpoint = WatchCheckpoint(places, name)
        since = datetime.now(UTC) - EVENTSTREAMS_KEEPS
        agent = user_agent("revertrisk-surge")
        return OpenSource(
            name, EventStreamsSource(url, user_agent=agent, since=since, checkpoint=checkpoint), checkpoint
        )
    if kind == "kafka" and where:
        topics = _topics(where, settings.datacentres)
        name = f"kafka:{','.join(topics)}"
        kept = places.place(name)
        offsets: dict[str, int] = orjson.loads(kept) if kept is not None else {}
        return OpenSource(name, _kafka(topics, settings, offsets), None, offsets)
    raise AlertsUsageError(f"source: expected {_KINDS}, not {written!r}")


def _topics(where: str, datacentres: Sequence[str]) -> list[str]:
    topics = where.split(",")
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise AlertsUsageError(f"source: {topic!r} is not the name of a topic")
    return [f"{each}.{topic}" for each in datacentres for topic in topics] or topics


def _kafka(topics: Sequence[str], settings: SourceSettings, offsets: Mapping[str, int]) -> EventSource:
    if importlib.util.find_spec("confluent_kafka") is None:
        raise AlertsUsageError("Kafka needs the extra: pip install 'revertrisk-events[kafka]'")
    # The extra is not for everybody.
    from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415
    from revertrisk.streams.kafka_beginnings import Start  # noqa: PLC0415

    try:
        return KafkaSource(
            KafkaSettings.parse(settings.kafka, os.environ),
            topics,
            None,
            start=Start.EARLIEST,
            to_end=settings.to_end,
            places=dict(offsets),
        )
    except KafkaSettingsError as exc:
        raise AlertsUsageError(str(exc)) from None
