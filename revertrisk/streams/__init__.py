"""Sources of events: one protocol, and one module for each kind of source."""

from revertrisk.streams.base import (
    EventSource,
    Position,
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
    "SourceError",
    "SourcedEvent",
    "UnreadableReason",
    "UnreadableRecord",
]
