"""The protocol of a source of events: it yields events with positions, and accepts commits of positions.

A source only reads. It does not know rules, requests or retries, and it never decides itself that an event is
finished: its caller does, with :meth:`EventSource.commit`.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import orjson


@dataclass(frozen=True, slots=True)
class Position:
    """The position of an event in its source."""

    partition: str
    """A part of the source with its own order and its own commits: a file, or one partition of a topic."""
    offset: int
    """Rises with every record of the partition; in a file it is the line number, from 1."""
    epoch: int = 0
    """The number of the partition's assignment. After it is revoked and assigned again, its records come again."""
    is_open: bool = False
    """Whether the record can still grow. Such a record is never committed, and is read again."""
    checksum: int | None = field(default=None, compare=False)
    """Of the record, so that a file that was written anew is recognised; None for other sources."""

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class RetryTicket:
    """The retry state of an event that has been tried before."""

    rule: str
    tried: int
    """The number of tries so far."""
    not_before: float
    """The time of the next try, in Unix time."""


@dataclass(frozen=True, slots=True)
class SourcedEvent:
    """One event and its position."""

    event: dict[str, Any] = field(repr=False)
    position: Position
    ticket: RetryTicket | None = None
    """None for an event that has not been tried."""
    topic: str | None = None
    """The Kafka topic that it first came from, even after retries; None if that is not known."""
    reemit: bool = False
    """Whether the server is to emit its prediction again, even if it has recorded that it did."""


MAX_KEPT_BYTES = 64 * 1024
"""How much is kept of a record that is longer than its source allows."""
MAX_NESTING = 200
"""The most levels of objects and arrays in an event. orjson writes at most 254, of which wrappers use a few."""


class UnreadableReason(StrEnum):
    """Why a record is not an event."""

    INVALID_JSON = "invalid_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LONG = "record_too_long"
    TOO_NESTED = "record_too_nested"
    NOT_A_RETRY = "not_a_retry"
    """A message in the retry topic that the dispatcher did not write."""
    NOT_A_DEAD_LETTER = "not_a_dead_letter"
    """A record given to a redrive that holds no event."""


@dataclass(frozen=True, slots=True)
class UnreadableRecord:
    """A record that holds no event; it is yielded so that it is not lost."""

    raw: bytes = field(repr=False)
    """The record as it was read; only its beginning if it was too long."""
    reason: UnreadableReason
    position: Position
    place: str | None = None
    """An EventStreams event id, since the position does not lead to the record there; otherwise None."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record that has not been parsed."""

    raw: bytes = field(repr=False)
    position: Position
    topic: str | None = None
    """As in :class:`SourcedEvent`."""
    place: str | None = None
    """As in :class:`UnreadableRecord`."""


async def parsed(
    records: AsyncGenerator[RawRecord | UnreadableRecord, None],
) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
    """Yield the event in each record, or the record with the reason why it holds none."""
    async with aclosing(records):
        async for record in records:
            yield read_record(record) if isinstance(record, RawRecord) else record


def read_record(record: RawRecord) -> SourcedEvent | UnreadableRecord:
    """Return the event in a JSON record, or the record with the reason why it holds none."""
    try:
        event = orjson.loads(record.raw)
    except orjson.JSONDecodeError:
        return _unreadable(record, UnreadableReason.INVALID_JSON)
    if not isinstance(event, dict):
        return _unreadable(record, UnreadableReason.NOT_AN_OBJECT)
    if record.raw.count(b"{") + record.raw.count(b"[") > MAX_NESTING and _is_too_nested(event):
        return _unreadable(record, UnreadableReason.TOO_NESTED)
    return SourcedEvent(event, record.position, topic=record.topic)


def _unreadable(record: RawRecord, reason: UnreadableReason) -> UnreadableRecord:
    return UnreadableRecord(record.raw, reason, record.position, record.place)


def _is_too_nested(event: dict[str, Any]) -> bool:
    level: list[Any] = [event]
    for _ in range(MAX_NESTING):
        level = [
            value
            for each in level
            for value in (each.values() if isinstance(each, dict) else each)
            if isinstance(value, dict | list)
        ]
        if not level:
            return False
    return True


def unwrapped(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event in a request's body, ``{"event": {…}}``; any other object is the event itself."""
    match event:
        case {"event": dict(inner)} if len(event) == 1:
            return inner
    return event


class SourceError(Exception):
    """A source cannot be read, or not any further; the message names the source and the cause."""


class EventSource(Protocol):
    """A stream of events that stores how far it is processed."""

    def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield every record once, offsets rising within each partition; raise SourceError on a failure.

        Waiting for the next record does not block the event loop, and closing or cancelling the
        iterator takes effect at once.
        """
        ...

    async def commit(self, position: Position) -> None:
        """Record that all records of the position's partition up to and including it are finished.

        It can be called after the iterator is closed. A position of an earlier epoch is ignored.
        """
        ...

    async def close(self) -> None:
        """Store the last commits and close the source; it can be called at any time, and more than once."""
        ...


class RecordSource(EventSource, Protocol):
    """A source that also yields its records as they are, for readers that do not need Python objects."""

    def records(self) -> AsyncGenerator[RawRecord | UnreadableRecord, None]:
        """Yield the records of :meth:`EventSource.events` without parsing them; call only one of the two."""
        ...
