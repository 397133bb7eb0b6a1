"""Where events come from: one protocol, one module for each kind of source."""

from revertrisk.dispatcher.sources.base import (
    EventSource,
    Position,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
)
from revertrisk.dispatcher.sources.jsonl import JsonlSource

__all__ = [
    "EventSource",
    "JsonlSource",
    "Position",
    "SourceError",
    "SourcedEvent",
    "UnreadableReason",
    "UnreadableRecord",
]
