"""Stores events in a Kafka topic until their next try, for minutes and across restarts.

A message has the fields of change-propagation's retry message (``/change-prop/retry/1.0.0``), and three more: the
number of tries so far, the time of the next try, and the topic that the event first came from.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from time import time

import orjson

from revertrisk.dispatcher.deadletters import TopicWriter
from revertrisk.dispatcher.rule_language.rule import Rule
from revertrisk.event_platform.streams import event_meta
from revertrisk.streams.base import (
    EventSource,
    Position,
    RetryTicket,
    SourcedEvent,
    UnreadableReason,
    UnreadableRecord,
)


class RetryTopic:
    """Puts events into the topic."""

    def __init__(self, writer: TopicWriter, topic: str) -> None:
        self._writer = writer
        self._topic = topic

    async def put(
        self, rule: Rule, sourced: SourcedEvent, *, tried: int, pause_s: float, reason: str
    ) -> None:
        """Put the event into the topic, and wait until it is there; raises DeadLetterError if it cannot be written."""
        now = time()
        meta = event_meta(sourced.event)
        message = {
            "meta": {
                "stream": self._topic,
                "dt": datetime.fromtimestamp(now, UTC).isoformat(timespec="milliseconds"),
                **{name: meta[name] for name in ("uri", "request_id", "domain") if name in meta},
            },
            "emitter_id": f"dispatcher#{rule.name}",
            "rule": rule.name,
            "tried": tried,
            # The first try is no retry, so `tried` tries have used one retry less.
            "retries_left": max(0, rule.retries.limit - tried + 1),
            "not_before": now + pause_s,
            "reason": reason,
            "topic": sourced.topic,
            "original_event": sourced.event,
        }
        await self._writer.write(self._topic, orjson.dumps(message))


class RetryTopicSource:
    """Reads the events of the retry topic, each with its ticket."""

    def __init__(self, inner: EventSource) -> None:
        self._inner = inner

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the waiting events, and any other message as unreadable; raises SourceError."""
        async with aclosing(self._inner.events()) as records:
            async for record in records:
                yield _unwrapped(record) if isinstance(record, SourcedEvent) else record

    async def commit(self, position: Position) -> None:
        """Commit the message."""
        await self._inner.commit(position)

    async def close(self) -> None:
        """Close the topic."""
        await self._inner.close()


def _unwrapped(message: SourcedEvent) -> SourcedEvent | UnreadableRecord:
    match message.event:
        case {
            "original_event": dict() as event,
            "rule": str(rule),
            "tried": int(tried),
            "not_before": int() | float() as not_before,
        }:
            ticket = RetryTicket(rule, tried, float(not_before))
            topic = message.event.get("topic")
            return SourcedEvent(event, message.position, ticket, topic if isinstance(topic, str) else None)
    return UnreadableRecord(orjson.dumps(message.event), UnreadableReason.NOT_A_RETRY, message.position)
