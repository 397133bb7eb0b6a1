"""What EventGate's answers mean, read entry by entry, by a server that meets a gate which says anything."""

import asyncio
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from revertrisk.cli.programs import Program
from tests.fakes.clients import STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import MARKER, EditedWikis, Event
from tests.fakes.scripted_gate import ACCEPTED, Answers, ScriptedGate, scripted_gate
from tests.integration.edge_cases.rows import LIMITS

QUOTED = "Rumpelstilz"
"""What a gate quotes of an event, and nobody must find in a log."""


def invalid(*faults: tuple[str, str]) -> dict[str, Any]:
    errors = [
        {
            "keyword": keyword,
            "dataPath": path,
            "message": f"should not be {QUOTED}",
            "params": {"was": QUOTED},
        }
        for keyword, path in faults
    ]
    entry = {
        "status": "invalid",
        "event": {"comment": QUOTED},
        "context": {"errors": errors, "errorsText": QUOTED},
    }
    return {"invalid": [entry], "error": []}


def errored(message: str) -> dict[str, Any]:
    entry = {
        "status": "error",
        "event": {"comment": QUOTED},
        "context": {"message": f"event {QUOTED} {message}"},
    }
    return {"invalid": [], "error": [entry]}


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedGate]:
    with scripted_gate() as gate:
        yield gate


@pytest.fixture(scope="module")
def server(start_server: StartServer, wikis: EditedWikis, scripted: ScriptedGate) -> Iterator[Program]:
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=scripted.url, EVENTGATE_STREAM=STREAM, **LIMITS
    ) as program:
        yield program


class Exchange:
    """One event through the server, against one answer of the gate."""

    def __init__(
        self, client: Client, server: Program, wikis: EditedWikis, gate: ScriptedGate, replies: list[Reply]
    ) -> None:
        self._client, self._server, self._wikis, self._gate = client, server, wikis, gate
        self._replies = replies

    async def deliver(self, answer: Answers, event: Event | None = None) -> tuple[Reply, list[bytes]]:
        """Return what the server answered, and what the gate was sent."""
        self._gate.answer = answer
        self._gate.bodies.clear()
        reply = await self._client.predict(
            self._server.url, {"event": event or self._wikis.plain_edit()}, reemit=False
        )
        self._replies.append(reply)
        assert QUOTED not in orjson.dumps(reply.body).decode()
        return reply, list(self._gate.bodies)

    async def line(self) -> dict[str, Any]:
        """The log line of the last request, known by its id: it may be written after the answer has arrived."""
        request_id = self._replies[-1].headers["x-request-id"]
        while True:
            text = self._server.log.read_text()
            assert QUOTED not in text
            assert MARKER not in text
            for found in (
                orjson.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")
            ):
                if found["message"] == "predict" and found["http"]["request"]["id"] == request_id:
                    return dict(found)
            await asyncio.sleep(0.01)


@pytest.fixture
def exchange(
    client: Client, server: Program, wikis: EditedWikis, scripted: ScriptedGate, replies: list[Reply]
) -> Exchange:
    return Exchange(client, server, wikis, scripted, replies)


async def test_e03_invalid_event_is_500_once_and_the_log_names_keyword_and_path_only(
    exchange: Exchange,
) -> None:
    """If EventGate calls our event invalid, the answer is 500 without a retry.

    The log names the schema keyword and the path, and no value.
    """
    reply, sent = await exchange.deliver(
        (400, invalid(("required", ".revision"), ("maxLength", ".meta.uri")))
    )
    assert (reply.status, reply.body["code"], len(sent)) == (500, "event_rejected", 1)
    labels = (await exchange.line())["labels"]
    assert labels["faults"] == "required at .revision; maxLength at .meta.uri"
    assert labels["event_id"] == orjson.loads(sent[0])["meta"]["id"]
    assert labels["outcome"] == "event_rejected"


async def test_e03_invalid_event_whose_path_quotes_the_event_is_logged_without_it(exchange: Exchange) -> None:
    """A path in EventGate's answer that contains text of the event is not logged."""
    reply, _ = await exchange.deliver((400, invalid(("required", f".page {QUOTED}!"))))
    assert reply.body["code"] == "event_rejected"
    assert (await exchange.line())["labels"]["faults"] == "required at ?"


@pytest.mark.parametrize(
    "message",
    [
        "is not allowed in stream; no.such.stream is not configured.",
        "is not allowed in stream; schema title must be something/else",
        "Failed loading schema at /no/such/schema",
        "Message size too large",
    ],
)
async def test_e04_configuration_fault_inside_a_500_is_not_transient(
    exchange: Exchange, message: str
) -> None:
    """A 500 whose message says that stream or schema is not configured is final: a retry does not help."""
    reply, sent = await exchange.deliver((500, errored(message)))
    assert (reply.status, reply.body["code"], reply.body["retryable"]) == (500, "event_rejected", False)
    assert len(sent) == 1
    assert "labels" in (await exchange.line())


async def test_e05_201_is_accepted(exchange: Exchange) -> None:
    """201 says that the event is on the stream."""
    reply, sent = await exchange.deliver(ACCEPTED)
    assert (reply.outcome, len(sent)) == ("produced", 1)


@pytest.mark.parametrize(
    ("answer", "status", "code", "tries"),
    [
        ((202, None), 500, "event_rejected", 1),
        ((207, invalid(("type", ".dt"))), 500, "event_rejected", 1),
        ((207, errored("is not configured")), 500, "event_rejected", 1),
        ((207, errored("Local: Broker transport failure")), 503, "eventgate_unavailable", 2),
        ((500, errored("Local: Message timed out")), 503, "eventgate_unavailable", 2),
        ((500, b"<html>" + QUOTED.encode()), 503, "eventgate_unavailable", 2),
        ((200, None), 503, "eventgate_unavailable", 2),
        ((204, None), 503, "eventgate_unavailable", 2),
        ((301, None), 503, "eventgate_unavailable", 2),
        ((413, None), 500, "event_rejected", 1),
        ((500, [QUOTED]), 503, "eventgate_unavailable", 2),
        ((500, {"error": QUOTED, "invalid": {"a": 1}}), 503, "eventgate_unavailable", 2),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, tuple) else "",
)
async def test_e05_207_and_all_other_answers_are_read_entry_by_entry(
    exchange: Exchange, answer: Answers, status: int, code: str, tries: int
) -> None:
    """Any other status is read entry by entry: what is our fault is final, everything else is tried again."""
    reply, sent = await exchange.deliver(answer)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert len(sent) == tries
    assert len(set(sent)) == 1, "a second try sends the same bytes"
    assert (await exchange.line())["labels"]["outcome"] == code


async def test_e42_meta_is_the_sources_but_for_id_stream_and_time(
    exchange: Exchange, wikis: EditedWikis
) -> None:
    """`meta.request_id`, `domain` and `uri` come from the source; `dt` is left to EventGate."""
    event = wikis.plain_edit()
    _, (sent,) = await exchange.deliver(ACCEPTED, event)
    meta = orjson.loads(sent)["meta"]
    assert meta.keys() == {"stream", "id", "request_id", "domain", "uri"}
    assert {name: meta[name] for name in ("request_id", "domain", "uri")} == {
        name: event["meta"][name] for name in ("request_id", "domain", "uri")
    }
    assert (meta["stream"], meta["id"] != event["meta"]["id"]) == (STREAM, True)


async def test_e42_source_without_a_request_id_gets_the_same_one_each_time(
    exchange: Exchange, wikis: EditedWikis
) -> None:
    """A source without a request id gets the same one at each try, so that duplicates do not differ."""
    event = wikis.plain_edit()
    del event["meta"]["request_id"]
    _, first = await exchange.deliver((503, None), event)
    _, second = await exchange.deliver(ACCEPTED, event)
    assert len({*first, *second}) == 1
    meta = orjson.loads(second[0])["meta"]
    assert meta["request_id"] == meta["id"]


async def test_e42_uri_of_8193_characters_is_refused_before_anything_is_done(
    exchange: Exchange, wikis: EditedWikis
) -> None:
    """A `meta.uri` of more than 8,192 characters is refused before the fetch."""
    event = wikis.plain_edit()
    event["meta"]["uri"] = "https://en.wikipedia.org/wiki/".ljust(8193, "x")
    reply, sent = await exchange.deliver(ACCEPTED, event)
    assert (reply.status, reply.body["violations"][0]["pointer"], sent) == (400, "/meta/uri", [])
    event["meta"]["uri"] = event["meta"]["uri"][:-1]
    reply, sent = await exchange.deliver(ACCEPTED, event)
    assert (reply.outcome, len(sent)) == ("produced", 1)
