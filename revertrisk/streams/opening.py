"""Opens a source by its name on the command line, for programs that store its place with their own data."""

import importlib.util
import os
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import orjson

from revertrisk.runtime.headers import user_agent
from revertrisk.runtime.proxies import ProxyError
from revertrisk.streams.base import Position, RecordSource
from revertrisk.streams.checkpoints import SourceCheckpoint
from revertrisk.streams.eventstreams import EventStreamsSource, stream_url
from revertrisk.streams.jsonl import JsonlSource
from revertrisk.streams.kafka_settings import KafkaSettings, KafkaSettingsError

if TYPE_CHECKING:
    from revertrisk.streams.kafka import KafkaSource

OLDEST: Final = datetime.fromtimestamp(0, UTC)
"""As the start time of a source, this means its oldest event."""
_EVENTSTREAMS_KEEPS: Final = timedelta(days=31)
"""Longer than servers keep events, so a request for events from that time starts at the oldest one."""
_KINDS: Final = (
    "jsonl:FILE, jsonl:- (standard input), kafka:TOPIC[,…], eventstreams:STREAM[,…] or eventstreams:URL"
)
TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
"""A name that Kafka allows for a topic."""


class SourceNameError(ValueError):
    """The name or a setting of a source is invalid; the message names it."""


class Places(Protocol):
    """The program's storage of the places of its sources."""

    def place(self, source: str) -> str | None:
        """Return the place from which a source is resumed, None if it has not been read."""
        ...


class PendingCheckpoint(SourceCheckpoint):
    """A checkpoint that the program stores with its own data; a place that the source writes is pending until then."""

    def __init__(self, places: Places, source: str, *, from_beginning: bool) -> None:
        self._places = places
        self._source = source
        self._from_beginning = from_beginning
        self.pending: str | None = None
        """The last place that the source wrote."""

    @property
    def is_empty(self) -> bool:
        """Whether the source is read from its beginning: the program has not stored a place of it."""
        return self._from_beginning or self._places.place(self._source) is None

    async def read(self) -> str | None:
        """Return the place that the program has stored."""
        return None if self._from_beginning else self._places.place(self._source)

    async def write(self, place: str) -> None:
        """Remember a place, which the program stores with its next commit."""
        self.pending = place


@dataclass(frozen=True, slots=True)
class OpenSource:
    """An open source and its name."""

    name: str
    """The name under which its place is stored."""
    source: RecordSource
    checkpoint: PendingCheckpoint | None = None
    """None for Kafka, for standard input, and if no places are stored."""
    offsets: dict[str, int] | None = None
    """Kafka without a group: the offset to resume from, by partition."""
    partitions: Callable[[], Collection[str]] = tuple
    """Returns the names of Kafka's partitions, known from the first record on; none for other sources."""

    async def note(self, position: Position) -> None:
        """Record that everything up to a position has been processed."""
        if self.offsets is not None:
            self.offsets[position.partition] = position.offset + 1
        else:
            await self.source.commit(position)

    def place(self) -> str | None:
        """Return the place to resume from; None if there is nothing new."""
        if self.checkpoint is not None:
            return self.checkpoint.pending
        return orjson.dumps(self.offsets).decode() if self.offsets else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSettings:
    """The settings of sources besides their names."""

    from_beginning: bool = False
    """Read each source from its oldest event and ignore its stored place."""
    since: datetime | None = None
    """The start time of a source without a stored place; None starts with new events."""
    kafka: tuple[str, ...] = ()
    """librdkafka's settings as ``key=value``."""
    group: str | None = None
    """The Kafka consumer group, which stores the offsets. None: read all partitions, the program stores the offsets."""
    datacentres: tuple[str, ...] = ()
    """Prefixes of Kafka topics: with ``eqiad``, TOPIC means ``eqiad.TOPIC``."""
    to_end: bool = False
    """Kafka: stop when every partition has been read to its end."""
    program: str = "revertrisk"
    """The program's name in the User-Agent."""
    on_connection: Callable[[str, bool], None] | None = None
    """EventStreams: called with the source's name and True when a connection opens, False when it ends."""

    @property
    def start(self) -> datetime | None:
        """The start time of a source without a stored place; None starts with new events."""
        return OLDEST if self.from_beginning else self.since


def open_source(written: str, places: Places | None, settings: SourceSettings) -> OpenSource:
    """Open a source by its name on the command line; without ``places``, its place is not stored.

    Raises:
        SourceNameError: the name or a setting is invalid.

    """
    kind, _, where = written.partition(":")
    if kind == "jsonl" and where:
        name = written if where == "-" else f"jsonl:{Path(where).absolute()}"
        # A pipe cannot be read again.
        checkpoint = None if where == "-" else _checkpoint(places, name, settings)
        return OpenSource(name, JsonlSource.from_path(where, checkpoint), checkpoint)
    if kind == "eventstreams" and where:
        try:
            url = stream_url(where)
        except ProxyError as exc:
            raise SourceNameError(str(exc)) from exc
        except ValueError as exc:
            raise SourceNameError(f"source: {exc}") from exc
        name = f"eventstreams:{url}"
        checkpoint = _checkpoint(places, name, settings)
        since = datetime.now(UTC) - _EVENTSTREAMS_KEEPS if settings.start == OLDEST else settings.start
        agent = user_agent(settings.program)
        told = settings.on_connection or (lambda _name, _is_open: None)
        stream = EventStreamsSource(
            url,
            user_agent=agent,
            since=since,
            checkpoint=checkpoint,
            on_reconnect=lambda: told(name, False),
            on_open=lambda: told(name, True),
        )
        return OpenSource(name, stream, checkpoint)
    if kind == "kafka" and where:
        topics = topic_names(where, settings.datacentres)
        name = f"kafka:{','.join(topics)}"
        offsets = _offsets(places, name) if settings.group is None and places is not None else None
        source = _kafka(topics, settings, offsets)
        return OpenSource(name, source, None, offsets, lambda: source.start_offsets)
    raise SourceNameError(f"source: expected {_KINDS}, not {written!r}")


def topic_names(where: str, datacentres: Sequence[str]) -> list[str]:
    """Return the Kafka topics of ``TOPIC[,TOPIC]``, each in every data centre; raises SourceNameError."""
    topics = where.split(",")
    for topic in topics:
        if not TOPIC.fullmatch(topic):
            raise SourceNameError(f"source: {topic!r} is not the name of a topic")
    return [f"{each}.{topic}" for each in datacentres for topic in topics] or topics


def _checkpoint(places: Places | None, name: str, settings: SourceSettings) -> PendingCheckpoint | None:
    return None if places is None else PendingCheckpoint(places, name, from_beginning=settings.from_beginning)


def _offsets(places: Places, name: str) -> dict[str, int]:
    kept = places.place(name)
    offsets: dict[str, int] = {} if kept is None else orjson.loads(kept)
    return offsets


def _kafka(topics: Sequence[str], settings: SourceSettings, offsets: dict[str, int] | None) -> "KafkaSource":
    if importlib.util.find_spec("confluent_kafka") is None:
        raise SourceNameError("Kafka needs the extra: pip install 'revertrisk-events[kafka]'")
    from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415 - only with the extra
    from revertrisk.streams.kafka_start_offsets import Start  # noqa: PLC0415

    start = Start.EARLIEST if settings.start == OLDEST else settings.start or Start.NEWEST
    try:
        return KafkaSource(
            KafkaSettings.parse(settings.kafka, os.environ),
            topics,
            settings.group,
            start=start,
            to_end=settings.to_end,
            places=None if offsets is None else dict(offsets),
        )
    except KafkaSettingsError as exc:
        raise SourceNameError(str(exc)) from None
