"""Opens the sources that a lake is filled from; how far each has been taken in stands in the lake itself."""

import importlib.util
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from revertrisk.lake.errors import LakeUsageError
from revertrisk.runtime.headers import user_agent
from revertrisk.runtime.proxies import ProxyError
from revertrisk.streams.base import EventSource
from revertrisk.streams.checkpoints import SourceCheckpoint
from revertrisk.streams.eventstreams import EventStreamsSource, stream_url
from revertrisk.streams.jsonl import JsonlSource
from revertrisk.streams.kafka_settings import KafkaSettings, KafkaSettingsError

DEFAULT_GROUP: Final = "revertrisk-lake"
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


class LakeCheckpoint(SourceCheckpoint):
    """A source's checkpoint that is kept with the rows: what the source writes waits for the batch's commit."""

    def __init__(self, places: Places, source: str, *, from_beginning: bool) -> None:
        self._places = places
        self._source = source
        self._from_beginning = from_beginning
        self.pending: str | None = None
        """What the source was given to remember last."""

    async def read(self) -> str | None:
        """Return the place in the lake; raises LakeError."""
        return None if self._from_beginning else self._places.place(self._source)

    async def write(self, place: str) -> None:
        """Take note of a place; the next batch brings it into the lake."""
        self.pending = place


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source of a run."""

    name: str
    """By which its place is kept."""
    source: EventSource
    checkpoint: LakeCheckpoint | None
    """None where Kafka remembers the place, and for standard input."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """What sources need beside their names."""

    from_beginning: bool = False
    """Read each source from its oldest event, whatever the lake says."""
    kafka: tuple[str, ...] = ()
    """librdkafka's settings as ``key=value``."""
    group: str | None = DEFAULT_GROUP
    """Kafka's consumer group; None reads all partitions, and Kafka remembers no place."""
    datacentres: tuple[str, ...] = ()
    """Prefixes of Kafka's topics: ``eqiad`` makes ``eqiad.TOPIC`` of each."""
    to_end: bool = False
    """Kafka: end where every partition has been read to its end."""
    since: datetime | None = None
    """Where Kafka and EventStreams begin that have no place; None for the newest event."""
    program: str = DEFAULT_GROUP
    """Who reads, for the User-Agent."""


def open_source(written: str, places: Places | None, settings: SourceSettings) -> OpenSource:
    """Open one source, by its name on the command line; without ``places`` it remembers none.

    Raises:
        LakeUsageError: the name or a setting cannot be used.

    """
    kind, _, where = written.partition(":")
    if kind == "jsonl" and where:
        name = written if where == "-" else f"jsonl:{Path(where).absolute()}"
        # What comes through a pipe does not come again.
        checkpoint = None if where == "-" else _checkpoint(places, name, settings)
        return OpenSource(name, JsonlSource.from_path(where, checkpoint), checkpoint)
    if kind == "eventstreams" and where:
        try:
            url = stream_url(where)
        except ProxyError as exc:
            raise LakeUsageError(str(exc)) from exc
        except ValueError as exc:
            raise LakeUsageError(f"source: {exc}") from exc
        name = f"eventstreams:{url}"
        checkpoint = _checkpoint(places, name, settings)
        since = datetime.now(UTC) - EVENTSTREAMS_KEEPS if settings.from_beginning else settings.since
        agent = user_agent(settings.program)
        return OpenSource(
            name, EventStreamsSource(url, user_agent=agent, since=since, checkpoint=checkpoint), checkpoint
        )
    if kind == "kafka" and where:
        topics = _topics(where, settings.datacentres)
        return OpenSource(f"kafka:{','.join(topics)}", _kafka(topics, settings), None)
    raise LakeUsageError(f"source: expected {_KINDS}, not {written!r}")


def _checkpoint(places: Places | None, name: str, settings: SourceSettings) -> LakeCheckpoint | None:
    return None if places is None else LakeCheckpoint(places, name, from_beginning=settings.from_beginning)


def _topics(where: str, datacentres: Sequence[str]) -> list[str]:
    topics = where.split(",")
    for topic in topics:
        if not _TOPIC.fullmatch(topic):
            raise LakeUsageError(f"source: {topic!r} is not the name of a topic")
    return [f"{each}.{topic}" for each in datacentres for topic in topics] or topics


def _kafka(topics: Sequence[str], settings: SourceSettings) -> EventSource:
    if importlib.util.find_spec("confluent_kafka") is None:
        raise LakeUsageError("Kafka needs the extra: pip install 'revertrisk-events[kafka]'")
    # The extra is not for everybody.
    from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415
    from revertrisk.streams.kafka_beginnings import Start  # noqa: PLC0415

    start = Start.EARLIEST if settings.from_beginning else settings.since or Start.NEWEST
    try:
        return KafkaSource(
            KafkaSettings.parse(settings.kafka, os.environ),
            topics,
            settings.group,
            start=start,
            to_end=settings.to_end,
        )
    except KafkaSettingsError as exc:
        raise LakeUsageError(str(exc)) from None
