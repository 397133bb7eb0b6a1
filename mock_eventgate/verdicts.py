"""Judges one event as EventGate does: accepted, invalid against its schema, or an error.

The order of the checks is EventGate's: load the schema, add EventGate's own fields, check that the stream is
configured for the schema's title, validate the event. So an entry of the answer repeats the event with the added
fields, and an event for a wrong stream is an error even if it is also invalid.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NoReturn
from uuid import uuid4

import orjson

from mock_eventgate.ajv import AjvWording, errors_text
from mock_eventgate.streams import Stream, StreamConfigs
from revertrisk.event_platform.schemas import EventValidator, SchemaNotFoundError, SchemaRepository
from revertrisk.runtime.instants import iso_z, parse_date_time

_PROTOCOL: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_ADDED_FIELDS: Final = ("id", "dt", "request_id")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event to produce: ``value`` and ``key`` are Kafka's bytes, ``timestamp`` is in ms since 1970."""

    stream: Stream
    event: Mapping[str, Any]
    value: bytes
    key: bytes | None
    timestamp: int


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that is not produced; ``context`` is the reason in its entry of the answer."""

    status: Literal["invalid", "error"]
    event: Any
    context: Mapping[str, Any]

    @property
    def entry(self) -> dict[str, Any]:
        """Return the entry of EventGate's answer."""
        return {"status": self.status, "event": self.event, "context": self.context}


class _EventError(Exception):
    """EventGate's message about an event that it cannot judge or may not produce."""


@dataclass(frozen=True, slots=True)
class _Schema:
    title: object
    validator: EventValidator
    wording: AjvWording
    added_fields: frozenset[str]


class GateJudge:
    """Judges events with a schema repository and a stream configuration.

    Kafka's broker refuses a serialised event that is larger than ``max_message_bytes``.
    """

    def __init__(
        self,
        schemas: SchemaRepository,
        streams: StreamConfigs,
        *,
        max_message_bytes: int,
        now: Callable[[], datetime],
    ) -> None:
        self._repository = schemas
        self._streams = streams
        self._max_message_bytes = max_message_bytes
        self._now = now
        self._schemas: dict[str, _Schema] = {}

    def judge(self, event: Any, request_id: str) -> Accepted | Refused:
        """Return the verdict on an event, after adding EventGate's own fields to it where they are absent."""
        try:
            uri, schema = self._schema_of(event)
            self._add_fields(event, schema, request_id)
            stream = self._stream_of(event, uri, schema)
            if not schema.validator.is_valid(event):
                return _invalid(event, schema)
            return self._to_produce(event, stream)
        except _EventError as error:
            return Refused("error", event, {"message": str(error)})

    def _schema_of(self, event: Any) -> tuple[str, _Schema]:
        if not isinstance(event, dict) or "$schema" not in event:
            _missing("$schema")
        uri = event["$schema"]
        if not isinstance(uri, str):
            raise _EventError(f"Failed loading schema at {_text(uri)}")
        schema = self._schemas.get(uri)
        if schema is None:
            if _PROTOCOL.match(uri):
                raise _EventError(f"Absolute schema URIs are not allowed but event schema_uri is {uri}")
            try:
                schema = self._schemas[uri] = _compile(self._repository.load(uri))
            except SchemaNotFoundError:
                raise _EventError(f"Failed loading schema at {uri}") from None
        return uri, schema

    def _add_fields(self, event: dict[str, Any], schema: _Schema, request_id: str) -> None:
        if not schema.added_fields:
            return
        meta = event.get("meta")
        if not isinstance(meta, dict):
            meta = event["meta"] = {}
        if "id" in schema.added_fields and "id" not in meta:
            meta["id"] = str(uuid4())
        if "dt" in schema.added_fields and "dt" not in meta:
            meta["dt"] = iso_z(self._now())
        if "request_id" in schema.added_fields and "request_id" not in meta:
            meta["request_id"] = request_id

    def _stream_of(self, event: dict[str, Any], uri: str, schema: _Schema) -> Stream:
        meta = event.get("meta")
        if not isinstance(meta, dict) or "stream" not in meta:
            _missing("meta.stream")
        name = _text(meta["stream"])
        stream = self._streams.get(meta["stream"])
        if stream is not None and stream.schema_title == schema.title:
            return stream
        event_id = f" {_text(meta['id'])}" if meta.get("id") else ""
        reason = (
            f"{name} is not configured." if stream is None else f"schema title must be {stream.schema_title}."
        )
        raise _EventError(
            f"event{event_id} of schema at {uri} destined to stream {name} is not allowed in stream; {reason}"
        )

    def _to_produce(self, event: dict[str, Any], stream: Stream) -> Accepted:
        value = orjson.dumps(event)
        if len(value) > self._max_message_bytes:
            raise _EventError("Broker: Message size too large")
        key = orjson.dumps(_key(event, stream)) if stream.message_key_fields else None
        return Accepted(stream, event, value, key, self._timestamp(event))

    def _timestamp(self, event: dict[str, Any]) -> int:
        try:
            moment = parse_date_time(event["meta"]["dt"])
        except (KeyError, TypeError, ValueError):
            # The schema has no meta.dt, or meta.dt passes EventGate's check and is not a real date.
            moment = self._now()
        return int(moment.timestamp() * 1000)


def _compile(schema: dict[str, Any]) -> _Schema:
    meta = schema.get("properties", {}).get("meta", {}).get("properties", {})
    return _Schema(
        title=schema.get("title"),
        validator=EventValidator(schema),
        wording=AjvWording(schema),
        added_fields=frozenset(meta).intersection(_ADDED_FIELDS),
    )


def _invalid(event: Any, schema: _Schema) -> Refused:
    errors = schema.wording.errors(event)
    return Refused("invalid", event, {"errors": errors, "errorsText": errors_text(errors)})


def _key(event: dict[str, Any], stream: Stream) -> dict[str, Any]:
    key = {}
    for field, path in stream.message_key_fields.items():
        value: Any = event
        for step in path.split("."):
            if not isinstance(value, dict) or step not in value:
                raise _EventError(f"Failed extracting {field} from event, field is not defined.")
            value = value[step]
        key[field] = value
    return key


def _missing(field: str) -> NoReturn:
    raise _EventError(f"Field(s) {field} were missing from event and could not be extracted.")


def _text(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
