"""What a source of events is: events with their positions out, "done up to here" in.

A source only reads. It does not know rules, requests or retries, and it never decides by itself that
an event is finished: that is said to it with :meth:`EventSource.commit`.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import orjson


@dataclass(frozen=True, slots=True)
class Position:
    """Where an event stands in its source."""

    partition: str
    """What is ordered in itself and committed on its own: a file, or one partition of a topic."""
    offset: int
    """Rises with every record of the partition; the line number (from 1) in a file."""
    epoch: int = 0
    """Which holding of the partition it was read under: one that was lost and given back is read again."""
    is_open: bool = False
    """Whether the record may still be written to: it is never committed, and comes again."""

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True, slots=True)
class RetryTicket:
    """What is left to do for an event that has been tried before."""

    rule: str
    tried: int
    """Tries made so far."""
    not_before: float
    """When to try again, in Unix time."""


@dataclass(frozen=True, slots=True)
class SourcedEvent:
    """One event and where it came from."""

    event: dict[str, Any] = field(repr=False)
    position: Position
    ticket: RetryTicket | None = None
    """None for an event that comes for the first time."""
    topic: str | None = None
    """The topic of Kafka that it first came from, however often it was retried; None where that is not known."""


KEPT_OF_A_LONG_RECORD = 64 * 1024
"""Bytes of one that exceeds its source's bound."""
MAX_NESTING = 200
"""Levels of objects and arrays in an event. orjson reads 1,024 and writes 254; what wraps an event adds some."""


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
    """A record that holds no event; it is handed on so that it is not lost."""

    raw: bytes = field(repr=False)
    """The record as it was read, its beginning only where it was too long."""
    reason: UnreadableReason
    position: Position
    place: str | None = None
    """What its source calls its place, where the position does not lead there: an EventStreams event id."""


def read_record(
    raw: bytes, position: Position, *, topic: str | None = None
) -> SourcedEvent | UnreadableRecord:
    """Return the event that a record holds as JSON, or the record with the reason why it holds none."""
    try:
        event = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return UnreadableRecord(raw, UnreadableReason.INVALID_JSON, position)
    if not isinstance(event, dict):
        return UnreadableRecord(raw, UnreadableReason.NOT_AN_OBJECT, position)
    if raw.count(b"{") + raw.count(b"[") > MAX_NESTING and _is_too_nested(event):
        return UnreadableRecord(raw, UnreadableReason.TOO_NESTED, position)
    return SourcedEvent(event, position, topic=topic)


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
    """Return the event in the body of a request, ``{"event": {…}}``; any other object is the event itself."""
    match event:
        case {"event": dict(inner)} if len(event) == 1:
            return inner
    return event


class SourceError(Exception):
    """A source cannot be read (any further); the text names the source and the cause."""


class EventSource(Protocol):
    """A stream of events that takes note of how far it is done."""

    def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield every record once, offsets rising within each partition; raise SourceError when broken.

        Waiting for the next record does not block the event loop, and closing or cancelling the
        iterator takes effect at once.
        """
        ...

    async def commit(self, position: Position) -> None:
        """Take note that everything in the position's partition up to and including it is done.

        Allowed also when the iterator is closed; a position of an epoch that is over is passed over.
        """
        ...

    async def close(self) -> None:
        """Make what was committed last, and let go of the source; allowed at any time, and more than once."""
        ...
