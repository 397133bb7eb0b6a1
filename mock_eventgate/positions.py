"""The start positions of a reader of streams: its ``Last-Event-ID`` header, its ``since``, or the end of each topic.

They are read as EventStreams reads them
(https://wikitech.wikimedia.org/wiki/Event_Platform/EventStreams_HTTP_Service). The header is a JSON array of
``{topic, partition, offset}`` or ``{topic, partition, timestamp}``. It overrides ``since``, and only its topics are
read.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from mock_eventgate.store import PARTITION, EventStore

END: Final = -1
BEGINNING: Final = -2
"""librdkafka's offsets for the end and the beginning of a topic."""
_NUMBER: Final = re.compile(r"(-?[0-9]{1,300})(?:\.[0-9]+)?")
_LATEST: Final = 2**53


class PositionError(ValueError):
    """A start position that cannot be used; ``topics`` are those that the reader may not read."""

    def __init__(self, message: str, topics: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.topics = topics


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """A position in a topic: an offset, or the first event at or after a time, in ms since 1970."""

    topic: str
    partition: int
    offset: int | None = None
    timestamp: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the entry of a ``Last-Event-ID`` for this position."""
        place = {"timestamp": self.timestamp} if self.offset is None else {"offset": self.offset}
        return {"topic": self.topic, "partition": self.partition, **place}


def read_last_event_id(text: str, topics: Collection[str]) -> list[StreamPosition]:
    """Return the positions in a ``Last-Event-ID`` header; ``topics`` are those that may be read.

    Raises:
        PositionError: it has not the form of an event's ``id``, or names other topics.

    """
    try:
        entries = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise PositionError("Last-Event-ID is not JSON") from None
    if not isinstance(entries, list) or not entries:
        raise PositionError(_EXPECTED)
    positions = [_position(entry) for entry in entries]
    foreign = tuple(dict.fromkeys(found.topic for found in positions if found.topic not in topics))
    if foreign:
        raise PositionError(f"Topics {', '.join(foreign)} are not available for consumption.", foreign)
    return positions


def read_since(text: str) -> int:
    """Return a time in milliseconds since 1970 from a number of milliseconds, or from an ISO 8601 date or time.

    Any number is accepted, since EventStreams checks only JavaScript's ``isNaN``; a time before 1970 becomes 0.

    Raises:
        ValueError: it is neither.

    """
    if number := _NUMBER.fullmatch(text):
        return min(max(0, int(number[1])), _LATEST)
    # A plus sign that was not escaped in the URL arrives as a space.
    moment = datetime.fromisoformat(re.sub(r" (?=\d\d:?\d\d$)", "+", text))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def resolve(positions: Iterable[StreamPosition], store: EventStore) -> list[StreamPosition]:
    """Return the positions with times replaced by offsets, as Kafka does; without a later event it is the end."""
    positions = list(positions)
    times = {
        found.topic: found.timestamp
        for found in positions
        if found.offset is None and found.timestamp is not None and found.partition == PARTITION
    }
    offsets = store.offsets_for_times(times) if times else {}
    return [
        found
        if found.offset is not None
        else StreamPosition(found.topic, found.partition, offsets.get(found.topic, END))
        for found in positions
    ]


_EXPECTED: Final = (
    "Must provide an array of objects with topic, partition and offset|timestamp in Last-Event-ID."
)


def _position(entry: Any) -> StreamPosition:
    if not isinstance(entry, dict):
        raise PositionError(_EXPECTED)
    topic, partition = entry.get("topic"), entry.get("partition")
    offset, timestamp = entry.get("offset"), entry.get("timestamp")
    if not isinstance(topic, str) or type(partition) is not int:
        raise PositionError(_EXPECTED)
    if type(offset) is int and offset >= BEGINNING:
        return StreamPosition(topic, partition, offset=offset)
    if offset is None and type(timestamp) is int and timestamp >= 0:
        return StreamPosition(topic, partition, timestamp=timestamp)
    raise PositionError(_EXPECTED)
