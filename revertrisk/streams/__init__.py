"""Sources of events: one protocol, and one module for each kind of source."""

from revertrisk.streams.base import (
    EventSource,
    Position,
    RawRecord,
    RecordSource,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
)
from revertrisk.streams.jsonl import JsonlSource

__all__ = [
    "EventSource",
    "JsonlSource",
    "Position",
    "RawRecord",
    "RecordSource",
    "SourceError",
    "SourcedEvent",
    "UnreadableReason",
    "UnreadableRecord",
]
