"""The walk-through that users know (T415892), for both models, to the letter."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.fakes.clients import STREAM, Client, StartServer

MISSING = {
    "walkthrough_1.json": {"/changelog_kind", "/page_change_kind", "/meta/stream"},
    "walkthrough_2.json": {"/changelog_kind", "/page_change_kind", "/dt", "/revision/rev_dt"},
}
REVISIONS = {"walkthrough_1.json": 456789, "walkthrough_2.json": 123456789}


@dataclass(frozen=True)
class Model:
    """A model under test, with a strict and a lenient producer of it."""

    name: str
    stream: str
    strict: str
    lenient: str


@pytest.fixture(
    scope="module",
    params=[
        ("revertrisk-language-agnostic", "mediawiki.page_revert_risk_prediction_change.v1"),
        ("revertrisk-multilingual", "mediawiki.page_revert_risk_multilingual_prediction_change.v1"),
    ],
    ids=["language-agnostic", "multilingual"],
)
def model(
    request: pytest.FixtureRequest, start_server: StartServer, gate: str, sample_wiki: str
) -> Iterator[Model]:
    """Serve a model as the walk-through does: FORCE_HTTP, unsaved edits allowed, a gate without a path."""
    name, stream = request.param
    environment = {
        "MODEL_NAME": name,
        "WIKI_URL": sample_wiki,
        "FORCE_HTTP": "true",
        "ALLOW_REVISION_JSON_INPUT": "true",
        "EVENTGATE_URL": gate,
        "EVENTGATE_STREAM": stream,
    }
    with (
        start_server(**environment) as strict,
        start_server(**environment, LENIENT_EVENTS="true") as lenient,
    ):
        yield Model(name, stream, strict.url, lenient.url)


@pytest.fixture(params=sorted(MISSING))
def sample(request: pytest.FixtureRequest, shared: Path) -> tuple[str, bytes]:
    name: str = request.param
    return name, (shared / "data/events" / name).read_bytes()


async def test_strict_mode_lists_exactly_what_is_missing(
    client: Client, model: Model, empty_gate: str, sample: tuple[str, bytes]
) -> None:
    """E24: both samples lack required fields; unknown fields are no violation."""
    name, body = sample
    reply = await client.predict(model.strict, body, model=model.name)
    assert (reply.status, reply.body["code"]) == (400, "invalid_event")
    assert {found["pointer"] for found in reply.body["violations"]} == MISSING[name]
    assert await client.accepted(empty_gate) == []


async def test_lenient_mode_scores_and_emits_a_valid_event(
    client: Client, model: Model, empty_gate: str, sample: tuple[str, bytes]
) -> None:
    """E24: the same samples, completed from the API, end in an event that the real EventGate would take."""
    name, body = sample
    reply = await client.predict(model.lenient, body, model=model.name)
    assert (reply.status, reply.outcome) == (200, "produced")
    assert list(reply.body) == ["model_name", "model_version", "wiki_db", "revision_id", "output"]
    assert (reply.body["model_name"], reply.body["wiki_db"]) == (model.name, "enwiki")
    assert reply.body["revision_id"] == REVISIONS[name]
    (event,) = await client.accepted(empty_gate)
    assert EventValidator(SchemaRepository().load(PREDICTION_SCHEMA)).violations(event) == []
    assert event["meta"]["stream"] == model.stream
    assert event["meta"]["domain"] == "en.wikipedia.org"


async def test_lenient_mode_never_invents_a_performer(
    client: Client, model: Model, empty_gate: str, shared: Path
) -> None:
    """DESIGN 8: the second sample has none that the schema knows, so the emitted event has none."""
    await client.predict(
        model.lenient, (shared / "data/events/walkthrough_2.json").read_bytes(), model=model.name
    )
    (event,) = await client.accepted(empty_gate)
    assert "performer" not in event


async def test_lenient_mode_takes_page_and_revision_facts_from_the_api(
    client: Client, model: Model, empty_gate: str, shared: Path
) -> None:
    """DESIGN 8: where the event and the API differ, the API wins."""
    wrong: dict[str, Any] = orjson.loads((shared / "data/events/walkthrough_2.json").read_bytes())
    wrong["event"]["page"] |= {"page_title": "Something else", "page_id": 1}
    reply = await client.predict(model.lenient, wrong, model=model.name)
    assert reply.status == 200
    (event,) = await client.accepted(empty_gate)
    assert event["page"]["page_title"] == "Test_Article"
    assert event["page"]["page_id"] == 12345


async def test_lenient_mode_still_refuses_wrong_types(client: Client, model: Model, empty_gate: str) -> None:
    """Missing facts can be looked up; what is wrong cannot."""
    body = {"event": {"wiki_id": "enwiki", "revision": {"rev_id": "456789"}, "meta": {"stream": "s"}}}
    reply = await client.predict(model.lenient, body, model=model.name)
    assert (reply.status, reply.body["code"]) == (400, "invalid_event")
    assert await client.accepted(empty_gate) == []


@pytest.mark.parametrize(
    ("missing", "listed"),
    [
        (("wiki_id",), ["/wiki_id"]),
        (("wiki_id", "page"), ["/wiki_id"]),
        (("revision",), ["/revision"]),
        ((), []),
    ],
)
async def test_lenient_mode_lists_only_what_it_cannot_add(
    client: Client, model: Model, empty_gate: str, shared: Path, missing: tuple[str, ...], listed: list[str]
) -> None:
    """The wiki and the revision must be in the event; the other missing fields come from the API."""
    body: dict[str, Any] = orjson.loads((shared / "data/events/walkthrough_2.json").read_bytes())
    for name in missing:
        del body["event"][name]
    reply = await client.predict(model.lenient, body, model=model.name)
    assert [found["pointer"] for found in reply.body.get("violations", [])] == listed
    assert reply.status == (400 if listed else 200)
    assert len(await client.accepted(empty_gate)) == (0 if listed else 1)


async def test_the_warning_lists_what_was_added_and_what_was_replaced_apart(
    client: Client, start_server: StartServer, gate: str, sample_wiki: str, shared: Path
) -> None:
    """A field that the event has is not among those that were filled in."""
    body: dict[str, Any] = orjson.loads((shared / "data/events/walkthrough_2.json").read_bytes())
    body["event"]["page"]["page_title"] = "Something_else"
    with start_server(
        WIKI_URL=sample_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM, LENIENT_EVENTS="true"
    ) as program:
        assert (await client.predict(program.url, body)).status == 200
        lines = program.log.read_text().splitlines()
    added = next(line for line in lines if "Event completed from the MediaWiki API: " in line)
    replaced = next(line for line in lines if "Event differs from the MediaWiki API" in line)
    assert "/changelog_kind" in added
    assert "/page/page_title" not in added
    assert "/page/page_title" in replaced
    assert "/changelog_kind" not in replaced
