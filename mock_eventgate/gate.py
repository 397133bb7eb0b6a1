"""The gate behind the HTTP routes: judges each event, produces valid ones, reports refused ones, counts all."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4
from weakref import WeakSet

import orjson

from mock_eventgate.store import EventStore, stream_name
from mock_eventgate.streams import ERROR_STREAM, StreamConfigs
from mock_eventgate.verdicts import Accepted, GateJudge, Refused
from revertrisk.event_platform.formats import is_uri_reference

EMITTER_ID: Final = "mock-eventgate"
BROKER_FAILURE: Final = "Local: Broker transport failure"
"""librdkafka's message, which EventGate puts into an error entry, when Kafka cannot be reached."""
_MAX_URI_LENGTH: Final = 8192
_MAX_USER_AGENTS: Final = 100
_OTHER: Final = "(other)"
_NO_USER_AGENT: Final = "(none)"
UNCONFIGURED: Final = "(unconfigured)"
"""Streams that are not configured are counted under this name, since a sender can write any name."""


@dataclass(frozen=True, slots=True)
class GateOutcome:
    """The result for the events of one request."""

    total: int
    invalid: tuple[Refused, ...]
    errors: tuple[Refused, ...]

    @property
    def accepted(self) -> int:
        """Return how many events were produced."""
        return self.total - len(self.invalid) - len(self.errors)


class Bell:
    """`wait` returns when `ring` is next called; an earlier ring is not remembered."""

    def __init__(self) -> None:
        self._next_ring = asyncio.Event()

    def ring(self) -> None:
        """Wake all tasks that wait now."""
        self._next_ring.set()
        self._next_ring = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next ring. A caller that checks a state and then waits, with no await between, misses none."""
        await self._next_ring.wait()


class Stats:
    """Counters since the start or the last reset, of EventGate's own routes only."""

    def __init__(self) -> None:
        self._requests = 0
        self._transports: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._connections = 0
        self._user_agents: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.hasty: Counter[str] = Counter()

    def count_request(self, transport: asyncio.BaseTransport | None, user_agent: str | None) -> None:
        """Count a request, its User-Agent, and its TCP connection if this is its first request."""
        self._requests += 1
        name = user_agent or _NO_USER_AGENT
        if name not in self._user_agents and len(self._user_agents) >= _MAX_USER_AGENTS:
            name = _OTHER
        self._user_agents[name] += 1
        if transport is not None and transport not in self._transports:
            self._transports.add(transport)
            self._connections += 1

    def count_answer(self, status: int) -> None:
        """Count the answer to a POST of events."""
        self._answers[status] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the counters as ``GET /_mock/stats`` shows them."""
        return {
            "requests": self._requests,
            "connections": self._connections,
            "user_agents": dict(self._user_agents),
            "answers": {str(status): count for status, count in sorted(self._answers.items())},
            "accepted": dict(self.accepted),
            "refused": dict(self.refused),
            "hasty": dict(self.hasty),
        }


class Gate:
    """Judges events, and keeps produced events, refused events and counts for reading back.

    ``arrivals`` rings after events were produced.
    """

    def __init__(
        self,
        judge: GateJudge,
        streams: StreamConfigs,
        new_store: Callable[[], EventStore],
        now: Callable[[], datetime],
    ) -> None:
        self._judge = judge
        self._new_store = new_store
        self._now = now
        self.streams = streams
        self.store = new_store()
        self.stats = Stats()
        self.arrivals = Bell()

    def process(
        self,
        events: list[Any],
        *,
        request_id: str | None,
        hasty: bool = False,
        kafka_refuses: Callable[[int], bool] | None = None,
    ) -> GateOutcome:
        """Judge the events of one request in order, and produce those that are accepted.

        Events without a request id get ``request_id``, or a new one for the whole request.
        ``kafka_refuses`` returns whether Kafka refuses the n-th valid event, counted from 0.
        """
        invalid: list[Refused] = []
        errors: list[Refused] = []
        received, request_id = self._now(), request_id or str(uuid4())
        valid = 0
        for event in events:
            verdict = self._judge.judge(event, request_id)
            if isinstance(verdict, Accepted):
                if kafka_refuses is not None and kafka_refuses(valid):
                    verdict = Refused("error", event, {"message": BROKER_FAILURE})
                valid += 1
            if isinstance(verdict, Accepted):
                stream = verdict.stream.name
                self.store.produce(verdict, received)
                self.stats.accepted[stream] += 1
            else:
                stream = self._refuse(verdict, received)
                (invalid if verdict.status == "invalid" else errors).append(verdict)
            if hasty:
                self.stats.hasty[stream] += 1
        self.arrivals.ring()
        return GateOutcome(len(events), tuple(invalid), tuple(errors))

    def reset(self) -> None:
        """Delete all events and counts, as if just started."""
        self.store = self._new_store()
        self.stats = Stats()

    def _refuse(self, refused: Refused, received: datetime) -> str:
        self.store.refuse(refused, received)
        name = stream_name(refused.event)
        stream = name if name is not None and self.streams.get(name) else UNCONFIGURED
        self.stats.refused[stream] += 1
        if refused.status == "invalid":
            error = _error_event(refused)
            verdict = self._judge.judge(error, error["meta"]["request_id"])
            if isinstance(verdict, Accepted):
                self.store.produce(verdict, received)
        return stream


def _error_event(refused: Refused) -> dict[str, Any]:
    """Return the ``/error/1.0.0`` event about an event that failed validation."""
    event = refused.event
    source = event["meta"]
    meta = {
        "stream": ERROR_STREAM,
        "id": str(uuid4()),
        "domain": _text_or_unknown(source.get("domain")),
        "request_id": _text_or_unknown(source.get("request_id")),
    }
    uri = source.get("uri")
    # An error event with a broken URI would itself be refused, and the first error would not be reported.
    if isinstance(uri, str) and len(uri) <= _MAX_URI_LENGTH and is_uri_reference(uri):
        meta["uri"] = uri
    return {
        "$schema": "/error/1.0.0",
        "meta": meta,
        "emitter_id": EMITTER_ID,
        "error_type": "ValidationError",
        "errored_schema_uri": event["$schema"],
        "errored_stream_name": source["stream"],
        "message": refused.context["errorsText"],
        "raw_event": orjson.dumps(event).decode(),
    }


def _text_or_unknown(value: object) -> str:
    return value if isinstance(value, str) and value else "unknown"
