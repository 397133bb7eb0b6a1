"""Stores events for reading back: accepted events by topic, and refused events with reasons.

Both logs are limited in number and in bytes; the oldest events are dropped first, and counted. Offsets are not
reused, so a reader can find that it missed events.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, TypeVar

import orjson

from mock_eventgate.verdicts import Accepted, Refused
from revertrisk.runtime.instants import iso_z

PARTITION: Final = 0


@dataclass(frozen=True, slots=True)
class ProducedEvent:
    """An accepted event in its topic. ``sequence`` counts over all topics, ``offset`` within this one."""

    sequence: int
    received: str
    stream: str
    wiki_id: str | None
    rev_id: int | None
    topic: str
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes

    def as_json(self) -> dict[str, Any]:
        """Return what ``GET /_mock/events`` shows; ``key`` and ``event`` are JSON that orjson embeds."""
        return {
            "sequence": self.sequence,
            "received": self.received,
            "topic": self.topic,
            "partition": PARTITION,
            "offset": self.offset,
            "timestamp": self.timestamp,
            "key": None if self.key is None else orjson.Fragment(self.key),
            "event": orjson.Fragment(self.value),
        }


@dataclass(frozen=True, slots=True)
class RefusedEvent:
    """A refused event; ``entry`` is the JSON that EventGate's answer carries about it."""

    sequence: int
    received: str
    stream: str | None
    wiki_id: str | None
    rev_id: int | None
    entry: bytes

    def as_json(self) -> dict[str, Any]:
        """Return what ``GET /_mock/refused`` shows."""
        return {
            "sequence": self.sequence,
            "received": self.received,
            "stream": self.stream,
            "entry": orjson.Fragment(self.entry),
        }


Item = TypeVar("Item", ProducedEvent, RefusedEvent)


class BoundedLog(Generic[Item]):
    """Items in the order of their ``sequence``, without gaps; the oldest are dropped for new ones."""

    def __init__(self, *, max_items: int, max_bytes: int) -> None:
        self._max_items = max_items
        self._max_bytes = max_bytes
        self._items: deque[tuple[Item, int]] = deque()
        self._bytes = 0
        self.next_sequence = 1
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def append(self, item: Item, size: int) -> None:
        """Add an item whose ``sequence`` is `next_sequence`; ``size`` is in bytes."""
        self._items.append((item, size))
        self._bytes += size
        self.next_sequence += 1
        while len(self._items) > self._max_items or self._bytes > self._max_bytes:
            self._bytes -= self._items.popleft()[1]
            self.dropped += 1

    def after(self, sequence: int) -> Iterator[Item]:
        """Yield the items with a greater ``sequence``, oldest first, including those added during iteration."""
        while sequence < self.next_sequence - 1 and self._items:
            first = self.next_sequence - len(self._items)
            sequence = max(sequence + 1, first)
            # Indexing a deque is fast near its ends, and most readers read the newest items.
            yield self._items[sequence - first][0]


class EventStore:
    """The topics that Kafka would hold, and the log of refused events.

    Topics are named as EventGate names them: ``<datacentre>.<stream>``, with one partition each. The limits apply
    to each of the two logs; ``max_bytes`` counts serialised events.
    """

    def __init__(self, *, datacentre: str, max_events: int, max_bytes: int) -> None:
        self.datacentre = datacentre
        self._offsets: Counter[str] = Counter()
        self.produced: BoundedLog[ProducedEvent] = BoundedLog(max_items=max_events, max_bytes=max_bytes)
        self.refused: BoundedLog[RefusedEvent] = BoundedLog(max_items=max_events, max_bytes=max_bytes)

    def end_offset(self, topic: str) -> int:
        """Return the offset that the next event in a topic will have."""
        return self._offsets[topic]

    def offsets_for_times(self, times: Mapping[str, int]) -> dict[str, int]:
        """Return for each topic the offset of its first event at or after a time, in ms since 1970.

        Topics without one are left out. As in Kafka, an event after it can have an earlier time.
        """
        found: dict[str, int] = {}
        for event in self.produced.after(0):
            wanted = times.get(event.topic)
            if wanted is not None and event.timestamp >= wanted and event.topic not in found:
                found[event.topic] = event.offset
        return found

    def produce(self, accepted: Accepted, received: datetime) -> None:
        """Append an event to its topic."""
        stream = accepted.stream.name
        topic = f"{self.datacentre}.{stream}"
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        event = ProducedEvent(
            sequence=self.produced.next_sequence,
            received=iso_z(received),
            stream=stream,
            wiki_id=_wiki_id(accepted.event),
            rev_id=_rev_id(accepted.event),
            topic=topic,
            offset=offset,
            timestamp=accepted.timestamp,
            key=accepted.key,
            value=accepted.value,
        )
        self.produced.append(event, len(event.value))

    def refuse(self, refused: Refused, received: datetime) -> None:
        """Keep a refused event with the gate's reasons."""
        event = RefusedEvent(
            sequence=self.refused.next_sequence,
            received=iso_z(received),
            stream=stream_name(refused.event),
            wiki_id=_wiki_id(refused.event),
            rev_id=_rev_id(refused.event),
            entry=orjson.dumps(refused.entry),
        )
        self.refused.append(event, len(event.entry))


def stream_name(event: Any) -> str | None:
    """Return the stream that an event names; None if it names none."""
    meta = event.get("meta") if isinstance(event, dict) else None
    name = meta.get("stream") if isinstance(meta, dict) else None
    return name if isinstance(name, str) else None


def _wiki_id(event: Any) -> str | None:
    wiki_id = event.get("wiki_id") if hasattr(event, "get") else None
    return wiki_id if isinstance(wiki_id, str) else None


def _rev_id(event: Any) -> int | None:
    revision = event.get("revision") if hasattr(event, "get") else None
    rev_id = revision.get("rev_id") if isinstance(revision, dict) else None
    return rev_id if type(rev_id) is int else None
