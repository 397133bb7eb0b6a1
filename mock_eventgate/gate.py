"""The gate behind the HTTP routes: judge each event, produce the good ones, report the bad ones."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import orjson

from mock_eventgate.bell import Bell
from mock_eventgate.stats import UNCONFIGURED, Stats
from mock_eventgate.store import EventStore, stream_name
from mock_eventgate.streams import ERROR_STREAM, StreamConfigs
from mock_eventgate.verdicts import Accepted, Judge, Refused
from revertrisk.event_platform.formats import is_uri_reference

EMITTER_ID: Final = "mock-eventgate"
BROKER_FAILURE: Final = "Local: Broker transport failure"
"""What librdkafka says, and EventGate in an error entry, when Kafka cannot be reached."""
_MAX_URI_LENGTH: Final = 8192


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the events of one request."""

    total: int
    invalid: tuple[Refused, ...]
    errors: tuple[Refused, ...]

    @property
    def accepted(self) -> int:
        """Return how many events were produced."""
        return self.total - len(self.invalid) - len(self.errors)


class Gate:
    """Takes events in; keeps what it produced, what it refused, and counts, for reading back.

    ``arrivals`` rings when events were produced.
    """

    def __init__(
        self,
        judge: Judge,
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
    ) -> Outcome:
        """Judge the events of one request in turn, and produce those that are accepted.

        ``kafka_refuses`` tells whether Kafka fails to take the n-th valid event, counted from 0.
        """
        invalid: list[Refused] = []
        errors: list[Refused] = []
        received = self._now()
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
        return Outcome(len(events), tuple(invalid), tuple(errors))

    def reset(self) -> None:
        """Forget all events and counts, as if just started."""
        self.store = self._new_store()
        self.stats = Stats()

    def _refuse(self, refused: Refused, received: datetime) -> str:
        self.store.refuse(refused, received)
        name = stream_name(refused.event)
        stream = name if name is not None and self.streams.get(name) else UNCONFIGURED
        self.stats.refused[stream] += 1
        if refused.status == "invalid":
            verdict = self._judge.judge(_error_event(refused), None)
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
    # An error event with a broken URI would itself be refused, and nobody would hear of the first one.
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
