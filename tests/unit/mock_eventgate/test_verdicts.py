import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from mock_eventgate.streams import StreamConfigs
from mock_eventgate.verdicts import Accepted, GateJudge, Refused
from revertrisk.event_platform.schemas import SchemaRepository

NOW = datetime(2026, 1, 31, 12, 0, 0, 5000, tzinfo=UTC)
EVENT = {"$schema": "/test/event/1.0.0", "meta": {"stream": "eventgate.test.event"}, "test": "hello"}


def judge(streams: StreamConfigs | None = None, *, max_message_bytes: int = 10_000) -> GateJudge:
    """Return a judge whose clock stands still."""
    return GateJudge(
        SchemaRepository(),
        streams or StreamConfigs.default(),
        max_message_bytes=max_message_bytes,
        now=lambda: NOW,
    )


def message(event: Any, streams: StreamConfigs | None = None, *, max_message_bytes: int = 10_000) -> str:
    """Return the error message about an event."""
    verdict = judge(streams, max_message_bytes=max_message_bytes).judge(event, "request-7")
    assert isinstance(verdict, Refused)
    assert verdict.status == "error"
    return str(verdict.context["message"])


def test_fields_are_added() -> None:
    """meta.id, meta.dt and meta.request_id are added, and the timestamp is that of meta.dt."""
    verdict = judge().judge(copy.deepcopy(EVENT), "request-7")
    assert isinstance(verdict, Accepted)
    meta = orjson.loads(verdict.value)["meta"]
    assert meta.pop("id")
    assert meta == {
        "stream": "eventgate.test.event",
        "dt": "2026-01-31T12:00:00.005Z",
        "request_id": "request-7",
    }
    assert verdict.timestamp == 1_769_860_800_005


@pytest.mark.parametrize(
    ("dt", "timestamp"), [("1970-01-01T01:00:01.5+01:00", 1500), ("2026-19-39T12:00:00Z", 1_769_860_800_005)]
)
def test_timestamp_is_the_events_own(dt: str, timestamp: int) -> None:
    """An event has its meta.dt as its time in Kafka, and now where that names no day of a calendar."""
    verdict = judge().judge({**EVENT, "meta": {"stream": "eventgate.test.event", "dt": dt}}, "request-7")
    assert isinstance(verdict, Accepted)
    assert verdict.timestamp == timestamp


@pytest.mark.parametrize(
    ("event", "field"),
    [
        *((event, "$schema") for event in (None, 1, "text", [], {}, {"meta": {}})),
        *(
            ({"$schema": "/test/event/1.0.0", "meta": meta}, "meta.stream")
            for meta in (None, 1, "text", [], {})
        ),
    ],
)
def test_no_schema_or_stream(event: Any, field: str) -> None:
    """Whatever has no $schema, or no meta.stream, is told so."""
    assert message(event) == f"Field(s) {field} were missing from event and could not be extracted."


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/test/event/9.9.9", "Failed loading schema at /test/event/9.9.9"),
        ("/../schemas/test/event/1.0.0", "Failed loading schema at /../schemas/test/event/1.0.0"),
        (None, "Failed loading schema at null"),
        (
            "file:///test/event/1.0.0",
            "Absolute schema URIs are not allowed but event schema_uri is file:///test/event/1.0.0",
        ),
    ],
)
def test_schema_that_cannot_be_loaded(uri: Any, expected: str) -> None:
    """A $schema that leads nowhere, or out of the repository, is an error."""
    assert message({"$schema": uri, "meta": {"stream": "eventgate.test.event"}}) == expected


def test_wrong_stream_wins_over_invalid() -> None:
    """The stream is checked first: an invalid event for a wrong stream is an error."""
    event = {**EVENT, "meta": {"stream": "no.such", "id": "i"}, "test": 1}
    assert message(event) == (
        "event i of schema at /test/event/1.0.0 destined to stream no.such "
        "is not allowed in stream; no.such is not configured."
    )


def test_size_that_kafka_refuses() -> None:
    """Size is judged on the event as it would be produced."""
    assert message(copy.deepcopy(EVENT), max_message_bytes=50) == "Broker: Message size too large"


@pytest.fixture
def keyed(tmp_path: Path) -> StreamConfigs:
    """Return a configuration whose test stream has message keys."""
    path = tmp_path / "streams.yaml"
    path.write_text(
        "keyed: {schema_title: test/event, message_key_fields: {test: test, domain: meta.domain}}"
    )
    return StreamConfigs.load(path)


def test_key(keyed: StreamConfigs) -> None:
    """The key is made of the fields that the stream's configuration names."""
    event = {**EVENT, "meta": {"stream": "keyed", "domain": "d"}}
    verdict = judge(keyed).judge(event, "request-7")
    assert isinstance(verdict, Accepted)
    assert verdict.key == b'{"test":"hello","domain":"d"}'


def test_key_without_its_field(keyed: StreamConfigs) -> None:
    """An event without a field of the key is an error."""
    event = {**EVENT, "meta": {"stream": "keyed"}}
    assert message(event, keyed) == "Failed extracting domain from event, field is not defined."
