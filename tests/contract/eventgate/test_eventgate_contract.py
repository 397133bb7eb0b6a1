"""EventGate's HTTP contract, row by row: each row quotes the recorded contract that it proves."""

import asyncio
import copy
import gzip
import json
import re
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

Send = Callable[..., Awaitable[Any]]

RECORD = Path(__file__).resolve().parents[3].parent / "shared" / "spec" / "eventgate.md"

EVENTS = "/v1/events"
JSON = {"Content-Type": "application/json"}
PREDICTION_STREAM = "mediawiki.page_revert_risk_prediction_change.v1"
TITLE = "mediawiki/page/prediction_classification_change"
EVENT_ID = "b3ad0d0e-6a5b-5b1c-8d0b-0d5f7c1a9e42"

EMPTY_BODY = "Request body was empty. Must provide JSON encoded events."
INVALID_ENTRY_QUOTE = (
    '{"status":"invalid","event":<echo>,"context":{"errors":[{keyword,dataPath,schemaPath,params,message}], '
    '"errorsText":"\'.page.page_id\' should be integer"}}, every error listed (AJV 6 wording)'
)


def prediction(version: str = "1.1.0") -> dict[str, Any]:
    """Return a valid prediction event that already has everything an EventGate would add."""
    return {
        "$schema": f"/{TITLE}/{version}",
        "changelog_kind": "update",
        "comment": "two commas",
        "dt": "2026-01-31T12:00:00Z",
        "meta": {
            "domain": "nn.wikipedia.org",
            "dt": "2026-01-31T12:00:01.500Z",
            "id": EVENT_ID,
            "request_id": "1d5f29ef-35a4-4ef3-9d34-6b1f1a52f3b1",
            "stream": PREDICTION_STREAM,
            "uri": "https://nn.wikipedia.org/wiki/Fjell",
        },
        "page": {"is_redirect": False, "namespace_id": 0, "page_id": 12, "page_title": "Fjell"},
        "page_change_kind": "edit",
        "performer": {"is_bot": False, "user_id": 3, "user_text": "Kari"},
        "predicted_classification": {
            "model_name": "revertrisk-language-agnostic",
            "model_version": "1",
            "predictions": ["false"],
            "probabilities": {"false": 0.75, "true": 0.25},
        },
        "revision": {
            "comment": "two commas",
            "is_content_visible": True,
            "rev_dt": "2026-01-31T12:00:00Z",
            "rev_id": 345,
            "rev_parent_id": 344,
            "rev_size": 99,
        },
        "wiki_id": "nnwiki",
    }


def _place(event: dict[str, Any], path: str) -> tuple[dict[str, Any], str]:
    *parents, last = path.split(".")
    for step in parents:
        event = event[step]
    return event, last


def changed(*changes: tuple[str, Any]) -> dict[str, Any]:
    """Return the valid event with values set at dotted paths."""
    event = prediction()
    for path, value in changes:
        place, last = _place(event, path)
        place[last] = value
    return event


def without(path: str) -> dict[str, Any]:
    """Return the valid event without the field at a dotted path."""
    event = prediction()
    place, last = _place(event, path)
    del place[last]
    return event


def error_entry(event: Any, message: str) -> dict[str, Any]:
    """Return the entry of an event that errored."""
    return {"status": "error", "event": event, "context": {"message": message}}


VALID = prediction()
INVALID = changed(("page.page_id", "12"))
INVALID_ENTRY = {
    "status": "invalid",
    "event": INVALID,
    "context": {
        "errors": [
            {
                "keyword": "type",
                "dataPath": ".page.page_id",
                "schemaPath": "#/properties/page/properties/page_id/type",
                "params": {"type": "integer"},
                "message": "should be integer",
            }
        ],
        "errorsText": "'.page.page_id' should be integer",
    },
}
UNKNOWN_SCHEMA = changed(("$schema", "/no/such/schema/1.0.0"))
UNKNOWN_SCHEMA_ENTRY = error_entry(UNKNOWN_SCHEMA, "Failed loading schema at /no/such/schema/1.0.0")
WRONG_TITLE = {
    "$schema": "/test/event/1.0.0",
    "meta": {"stream": PREDICTION_STREAM, "id": EVENT_ID, "dt": "2026-01-31T12:00:01Z", "request_id": "r"},
}
UNCONFIGURED = changed(("meta.stream", "no.such.stream"))
ABSOLUTE = changed(("$schema", f"https://schema.example.org/{TITLE}/1.1.0"))


@dataclass(frozen=True, slots=True)
class Row:
    """One request and what must come back; ``body`` None means that the contract does not say."""

    quote: str
    name: str
    status: int
    reason: str | None
    events: Any = None
    body: Any = b""
    method: str = "POST"
    path: str = EVENTS
    data: bytes | None = None
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def failed(quote: str, name: str, event: Any, message: str) -> Row:
    """Return the row of a single event that errors."""
    reason = "1 out of 1 events had failures and were not accepted. (0 invalid and 1 errored)."
    return Row(quote, name, 500, reason, event, {"invalid": [], "error": [error_entry(event, message)]})


def accepted(quote: str, name: str, count: int = 1, **request: Any) -> Row:
    """Return the row of events that are all accepted."""
    events = {} if "data" in request else {"events": VALID if count == 1 else [VALID] * count}
    reason = f"All {count} out of {count} events were accepted."
    return Row(quote, name, 201, reason, **events, **request)


def compressed(name: str, data: bytes) -> Row:
    """Return the row of a compressed body."""
    return accepted(PARSED, name, data=data, headers={**JSON, "Content-Encoding": name})


SERVICE_ROUTES = "GET /_info, /_info/name, /_info/version, /?spec, /robots.txt"
STREAM_CONFIGS = "GET /v1/stream-configs, /v1/stream-configs/a,b (or a|b)"
ALL_ACCEPTED = "valid object or array"
MIXED = "mixed, at least one success (the valid ones are produced)"
HASTY = "?hasty=true (any non-empty value, false too)"
NO_BODY = "empty body, [], {}, a content type it does not parse"
ADDED = (
    "only where absent and where the schema has the field: meta.id, meta.dt (now), "
    "meta.request_id (from X-Request-ID)"
)
PARSED = "Parsed content types: application/json, text/plain; gzip bodies too."
NOT_FOUND = "GET or PUT /v1/events, POST /events, GET /"
MISSING_STREAM = "Field(s) meta.stream were missing from event and could not be extracted."

ALLOWED = f"destined to stream {PREDICTION_STREAM} is not allowed in stream;"

ROWS = [
    accepted(ALL_ACCEPTED, "object"),
    accepted(ALL_ACCEPTED, "array", 3),
    Row("all invalid against their schema", "all-invalid", 400,
        "2 out of 2 events were invalid and not accepted.",
        [INVALID, INVALID], {"invalid": [INVALID_ENTRY, INVALID_ENTRY]}),
    Row(MIXED, "mixed", 207,
        "2 out of 4 events were accepted, but 2 failed (1 invalid and 1 errored).",
        [VALID, INVALID, UNKNOWN_SCHEMA, VALID], {"invalid": [INVALID_ENTRY], "error": [UNKNOWN_SCHEMA_ENTRY]}),
    Row(MIXED, "mixed-without-errors", 207,
        "1 out of 2 events were accepted, but 1 failed (1 invalid and 0 errored).",
        [INVALID, VALID], {"invalid": [INVALID_ENTRY], "error": []}),
    Row("all failed, at least one error", "all-failed", 500,
        "2 out of 2 events had failures and were not accepted. (1 invalid and 1 errored).",
        [INVALID, UNKNOWN_SCHEMA], {"invalid": [INVALID_ENTRY], "error": [UNKNOWN_SCHEMA_ENTRY]}),
    failed("unknown schema", "unknown-schema", UNKNOWN_SCHEMA,
           "Failed loading schema at /no/such/schema/1.0.0"),
    failed("missing $schema", "no-schema", without("$schema"),
           "Field(s) $schema were missing from event and could not be extracted."),
    failed("missing meta or meta.stream", "no-stream", without("meta.stream"), MISSING_STREAM),
    failed("schema not the stream's", "wrong-title", WRONG_TITLE,
           f"event {EVENT_ID} of schema at /test/event/1.0.0 {ALLOWED} schema title must be {TITLE}."),
    failed("stream not configured", "unconfigured-stream", UNCONFIGURED,
           f"event {EVENT_ID} of schema at /{TITLE}/1.1.0 destined to stream no.such.stream "
           "is not allowed in stream; no.such.stream is not configured."),
    failed("absolute schema URI", "absolute-schema", ABSOLUTE,
           "Absolute schema URIs are not allowed but event schema_uri is "
           f"https://schema.example.org/{TITLE}/1.1.0"),
    Row(HASTY, "hasty", 202, "1 events hastily received.", VALID, path=f"{EVENTS}?hasty=true"),
    Row(HASTY, "hasty-false", 202, "2 events hastily received.", [INVALID, VALID], path=f"{EVENTS}?hasty=false"),
    Row(HASTY, "hasty-empty", 400, "1 out of 1 events were invalid and not accepted.",
        INVALID, {"invalid": [INVALID_ENTRY]}, path=f"{EVENTS}?hasty="),
    *(Row(NO_BODY, name, 400, EMPTY_BODY, data=data)
      for name, data in (("no-body", b""), ("empty-array", b"[]"), ("empty-object", b" {} "))),
    Row(NO_BODY, "no-content-type", 400, EMPTY_BODY, VALID, headers={}),
    Row(NO_BODY, "form", 400, EMPTY_BODY, VALID, headers={"Content-Type": "application/x-www-form-urlencoded"}),
    accepted(PARSED, "text-plain", headers={"Content-Type": "text/plain;charset=UTF-8"}),
    compressed("gzip", gzip.compress(json.dumps(VALID).encode())),
    compressed("deflate", zlib.compress(json.dumps(VALID).encode())),
    accepted("POST /v1/events/ (trailing slash)", "trailing-slash", path=f"{EVENTS}/"),
    Row("OPTIONS /v1/events", "options", 200, None, method="OPTIONS", body=b"POST"),
    Row(SERVICE_ROUTES, "head", 200, None, method="HEAD", path="/_info"),
    Row(SERVICE_ROUTES, "options-of-get", 200, None, method="OPTIONS", path="/_info", body=b"GET,HEAD"),
    Row("GET /v1/_test/events", "test-events", 201, None, method="GET", path="/v1/_test/events"),
    Row(STREAM_CONFIGS, "unknown-stream-config", 200, None, body={}, method="GET",
        path="/v1/stream-configs/no.such.stream"),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_row(row: Row, send: Send) -> None:
    """Each request of the contract gets its status, its reason phrase and its body."""
    data = json.dumps(row.events).encode() if row.events is not None else row.data
    answer = await send(row.method, row.path, data=data, headers=row.headers)
    assert answer.status == row.status
    if row.reason is not None:
        assert answer.reason == row.reason
    if isinstance(row.body, bytes):
        assert answer.body == row.body
    else:
        assert answer.json() == row.body
    assert "Retry-After" not in answer.headers


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body that the parser refuses, and the title of the answer."""

    quote: str
    name: str
    title: str
    data: bytes
    headers: dict[str, str] = field(default_factory=lambda: JSON)


MALFORMED = "malformed JSON, null, a JSON string"
UNREADABLE = [
    Unreadable(MALFORMED, "cut", "SyntaxError", b'{"$schema": "/test'),
    Unreadable(MALFORMED, "null", "SyntaxError", b"null"),
    Unreadable(MALFORMED, "string", "SyntaxError", b'"event"'),
    Unreadable(MALFORMED, "number", "SyntaxError", b"1"),
    Unreadable(MALFORMED, "nan", "SyntaxError", b'{"x": NaN}'),
    Unreadable("unsupported charset", "charset", "UnsupportedMediaTypeError", b"{}",
               {"Content-Type": "application/json; charset=iso-8859-1"}),
]  # fmt: skip


def assert_internal_error(answer: Any, title: str, uri: str = EVENTS) -> None:
    """Check EventGate's answer to a request that it cannot read."""
    assert answer.status == 500
    problem = answer.json()
    assert problem.pop("detail")
    told = {"status": 500, "type": "internal_error", "title": title, "method": "POST", "uri": uri}
    assert problem == told


@pytest.mark.parametrize("row", UNREADABLE, ids=lambda row: row.name)
async def test_unreadable_body(row: Unreadable, send: Send) -> None:
    """A body that cannot be read is a 500 that says why in its title, never a 400."""
    answer = await send("POST", EVENTS, data=row.data, headers=row.headers)
    assert_internal_error(answer, row.title)


TOO_LARGE = "body over the limit (default 100 kB, production 10 MB)"


@pytest.mark.parametrize("encoding", ["identity", "gzip", "chunked"])
async def test_body_over_the_limit(encoding: str, max_body: int, send: Send) -> None:
    """A body over the limit is a 500 and not a 413, also where only its decompressed size is."""
    plain = json.dumps({**VALID, "comment": "x" * max_body}).encode()
    data: Any = gzip.compress(plain) if encoding == "gzip" else plain
    headers = {**JSON, "Content-Encoding": "gzip"} if encoding == "gzip" else JSON
    if encoding == "chunked":

        async def chunks() -> Any:
            yield plain

        data = chunks()
    answer = await send("POST", EVENTS, data=data, headers=headers)
    assert_internal_error(answer, "PayloadTooLargeError")


async def test_body_at_the_limit(max_body: int, send: Send) -> None:
    """A body of exactly the limit is read."""
    padding = max_body - len(json.dumps(VALID))
    data = (json.dumps(VALID) + " " * padding).encode()
    answer = await send("POST", EVENTS, data=data, headers=JSON)
    assert (len(data), answer.status) == (max_body, 201)


async def test_missing_meta(send: Send) -> None:
    """An event without meta is told that meta.stream is missing."""
    answer = await send("POST", EVENTS, json=without("meta"), headers=JSON)
    assert answer.status == 500
    assert answer.json()["error"][0]["context"] == {"message": MISSING_STREAM}


KAFKA_SIZE = "Kafka refuses the size"


async def test_kafka_refuses_the_size(roomy_url: str) -> None:
    """An event that Kafka finds too large is an error with Kafka's words."""
    event = changed(("comment", "x" * 20_000))
    async with aiohttp.ClientSession() as session, session.post(roomy_url + EVENTS, json=event) as response:
        assert response.status == 500
        entry = error_entry(event, "Broker: Message size too large")
        assert await response.json() == {"invalid": [], "error": [entry]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", EVENTS),
        ("HEAD", EVENTS),
        ("PUT", EVENTS),
        ("POST", "/events"),
        ("GET", "/"),
        ("DELETE", EVENTS),
        ("GET", "/x"),
    ],
)
async def test_no_such_route(method: str, path: str, send: Send) -> None:
    """A route that does not exist is Express's page, whatever the method."""
    answer = await send(method, path)
    assert answer.status == 404
    assert answer.headers["Content-Type"].startswith("text/html")
    assert method == "HEAD" or f"<pre>Cannot {method} {path}</pre>".encode() in answer.body


async def test_all_stream_configs(send: Send) -> None:
    """All configured streams are listed with their schema titles."""
    answer = await send("GET", "/v1/stream-configs")
    assert answer.status == 200
    assert answer.json()[PREDICTION_STREAM]["schema_title"] == TITLE


@pytest.mark.parametrize("separator", [",", "|", "%7C"])
async def test_named_stream_configs(separator: str, send: Send) -> None:
    """Streams can be asked for by name, joined by a comma or a bar; unknown ones are left out."""
    answer = await send("GET", f"/v1/stream-configs/{PREDICTION_STREAM}{separator}no.such.stream")
    assert answer.status == 200
    assert set(answer.json()) == {PREDICTION_STREAM}


KAFKA_DOWN = (
    "With Kafka down a POST hangs (35 s and more were seen) and may still succeed later: the client needs "
    "its own timeout, and a timeout does not mean that the event was not produced. hasty still answers 202, "
    "/_info stays 200."
)


@pytest.mark.parametrize("kind", ["hang", "accept_then_hang"])
async def test_kafka_down(kind: str, base_url: str, base_url_option: str | None, send: Send) -> None:
    """With Kafka down a POST gets no answer, produced or not, while hasty requests and /_info get theirs."""
    if base_url_option is not None:
        pytest.skip("Kafka can be taken down behind the mock only")
    await send("PUT", "/_mock/faults", json=[{"kind": kind}])
    hanging = asyncio.ensure_future(send("POST", EVENTS, json=VALID, headers=JSON))
    while (await send("GET", "/_mock/stats")).json()["faults"].get(kind) != 1:
        assert not hanging.done()
    hasty = await send("POST", f"{EVENTS}?hasty=true", json=VALID, headers=JSON)
    assert (hasty.status, hasty.reason) == (202, "1 events hastily received.")
    assert (await send("GET", "/_info")).status == 200
    assert not hanging.done()
    hanging.cancel()
    produced = len((await send("GET", "/_mock/events")).json()["events"])
    assert produced == (0 if kind == "hang" else 2)


@pytest.mark.parametrize("path", ["/_info", "/_info/name", "/_info/version", "/?spec", "/robots.txt"])
async def test_service_routes(path: str, send: Send) -> None:
    """The routes that tell about the service answer 200."""
    answer = await send("GET", path)
    assert answer.status == 200
    assert answer.body


@pytest.mark.parametrize("request_id", ["request-7", None])
async def test_fields_are_added_where_absent(request_id: str | None, send: Send) -> None:
    """T8: meta.id, meta.dt and meta.request_id are added where absent, a request id is made where none is sent."""
    event = copy.deepcopy(INVALID)
    for name in ("id", "dt", "request_id"):
        del event["meta"][name]
    headers = JSON if request_id is None else {**JSON, "X-Request-ID": request_id}
    answer = await send("POST", EVENTS, json=event, headers=headers)
    meta = answer.json()["invalid"][0]["event"]["meta"]
    uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid, meta["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", meta["dt"])
    assert re.fullmatch(request_id or uuid, meta["request_id"])


async def test_fields_are_kept_where_present(send: Send) -> None:
    """What the producer set is not replaced."""
    answer = await send("POST", EVENTS, json=INVALID, headers={**JSON, "X-Request-ID": "request-7"})
    assert answer.json()["invalid"][0]["event"] == INVALID


async def test_every_error_is_listed(send: Send) -> None:
    """An invalid event's entry lists every violation in AJV's words, and errorsText joins them."""
    event = changed(
        ("changelog_kind", "replace"),
        ("comment", None),
        ("dt", "2026-01-31T12:00:00"),
        ("meta.stream", PREDICTION_STREAM),
        ("meta.uri", "a b"),
        ("page.page_lang", "nn"),
        ("predicted_classification.probabilities", {"true": "0.5"}),
        ("revision.rev_id", 0),
    )
    del event["wiki_id"]
    answer = await send("POST", EVENTS, json=event, headers=JSON)
    context = answer.json()["invalid"][0]["context"]
    kinds = ["insert", "update", "delete"]
    at_least_1 = {"comparison": ">=", "limit": 1, "exclusive": False}
    found = {
        (error["dataPath"], error["keyword"]): (error["message"], error["params"])
        for error in context["errors"]
    }
    assert found == {
        (".changelog_kind", "enum"): ("should be equal to one of the allowed values", {"allowedValues": kinds}),
        (".comment", "type"): ("should be string", {"type": "string"}),
        (".dt", "format"): ('should match format "date-time"', {"format": "date-time"}),
        (".meta.uri", "format"): ('should match format "uri-reference"', {"format": "uri-reference"}),
        (".page", "additionalProperties"): (
            "should NOT have additional properties", {"additionalProperty": "page_lang"}),
        (".predicted_classification.probabilities['true']", "type"): ("should be number", {"type": "number"}),
        (".revision.rev_id", "minimum"): ("should be >= 1", at_least_1),
        ("", "required"): ("should have required property 'wiki_id'", {"missingProperty": "wiki_id"}),
    }  # fmt: skip
    assert len(context["errors"]) == len(found)
    for error in context["errors"]:
        assert set(error) == {"keyword", "dataPath", "schemaPath", "params", "message"}
        assert f"'{error['dataPath']}' {error['message']}" in context["errorsText"]


EDGES = (
    "Accepted: no predicted_classification at all, a probability of 2, predictions: [], extra keys in meta "
    "or in predicted_classification, an empty performer, +00:00 offsets. Rejected: missing performer "
    "(optional from 1.2.0 on), extra keys in page, a dt without a time zone, a space in meta.uri, rev_id 0, "
    "a numeric model_version, probabilities as strings, a null comment."
)
ACCEPTED_EDGES = {
    "no predicted_classification": without("predicted_classification"),
    "a probability of 2": changed(("predicted_classification.probabilities", {"true": 2})),
    "predictions: []": changed(("predicted_classification.predictions", [])),
    "extra keys in meta": changed(("meta.extra", 1)),
    "extra keys in predicted_classification": changed(("predicted_classification.extra", 1)),
    "an empty performer": changed(("performer", {})),
    "+00:00 offsets": changed(("dt", "2026-01-31T12:00:00+00:00"), ("meta.dt", "2026-01-31T12:00:00+00:00")),
    "no performer in 1.2.0": {**without("performer"), "$schema": f"/{TITLE}/1.2.0"},
}
REJECTED_EDGES = {
    "missing performer": (without("performer"), "'' should have required property 'performer'"),
    "extra keys in page": (changed(("page.x", 1)), "'.page' should NOT have additional properties"),
    "a dt without a time zone":
        (changed(("dt", "2026-01-31T12:00:00")), "'.dt' should match format \"date-time\""),
    "a space in meta.uri":
        (changed(("meta.uri", "https://nn.wikipedia.org/wiki/Eit fjell")),
         "'.meta.uri' should match format \"uri-reference\""),
    "rev_id 0": (changed(("revision.rev_id", 0)), "'.revision.rev_id' should be >= 1"),
    "a numeric model_version":
        (changed(("predicted_classification.model_version", 3)),
         "'.predicted_classification.model_version' should be string"),
    "probabilities as strings":
        (changed(("predicted_classification.probabilities", {"true": "0.5"})),
         "'.predicted_classification.probabilities['true']' should be number"),
    "a null comment": (changed(("comment", None)), "'.comment' should be string"),
}  # fmt: skip


@pytest.mark.parametrize("name", ACCEPTED_EDGES)
async def test_accepted_edge(name: str, send: Send) -> None:
    """EventGate accepts what the schema lets through, sensible or not."""
    answer = await send("POST", EVENTS, json=ACCEPTED_EDGES[name], headers=JSON)
    assert (answer.status, answer.reason) == (201, "All 1 out of 1 events were accepted.")


@pytest.mark.parametrize("name", REJECTED_EDGES)
async def test_rejected_edge(name: str, send: Send) -> None:
    """EventGate rejects what the schema does not allow, and says where."""
    event, text = REJECTED_EDGES[name]
    answer = await send("POST", EVENTS, json=event, headers=JSON)
    assert answer.status == 400
    assert answer.json()["invalid"][0]["context"]["errorsText"] == text


QUOTES = {
    *(row.quote for row in ROWS),
    *(row.quote for row in UNREADABLE),
    *(ADDED, EDGES, INVALID_ENTRY_QUOTE, KAFKA_DOWN, KAFKA_SIZE, NOT_FOUND, SERVICE_ROUTES),
    *(STREAM_CONFIGS, TOO_LARGE),
}


@pytest.fixture
def record() -> str:
    """Return the recorded contract, without its markup."""
    if not RECORD.is_file():
        pytest.skip(f"the recorded contract is not at {RECORD}")
    return _plain(RECORD.read_text())


def _plain(text: str) -> str:
    return " ".join(text.replace("`", "").replace("**", "").replace("\\|", "|").split())


def test_quotes_are_word_for_word(record: str) -> None:
    """Every quote in this suite stands in the recorded contract."""
    assert [quote for quote in QUOTES if quote not in record] == []


def test_every_row_is_quoted(record: str) -> None:
    """Every row of the recorded contract's table is quoted, so proved, here."""
    assert record
    rows = [line.split(" | ")[0].removeprefix("| ") for line in _table_lines()]
    assert len(rows) > 20
    assert [row for row in map(_plain, rows) if not any(row.startswith(quote) for quote in QUOTES)] == []


def _table_lines() -> list[str]:
    lines = [line for line in RECORD.read_text().splitlines() if line.startswith("| ")]
    return lines[2:]
