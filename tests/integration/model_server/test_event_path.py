"""A page_change event goes in, a valid prediction event comes out on the model's stream."""

import asyncio
import subprocess
import sys
from typing import Any

import orjson
import pytest

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.fakes.clients import MODEL, STREAM, Client, Reply, StartServer

REPEATED = "x-revertrisk-repeated"
ANSWER_KEYS = {"model_name", "model_version", "wiki_db", "revision_id", "output"}


@pytest.fixture(scope="module")
def sample_events() -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "revertrisk.cli.app", "page-changes"]
    lines = subprocess.run(command, check=True, capture_output=True).stdout.splitlines()
    return [orjson.loads(line) for line in lines]


@pytest.fixture(scope="module")
def edit(sample_events: list[dict[str, Any]]) -> dict[str, Any]:
    return next(event for event in sample_events if event["revision"]["rev_id"] == 456789)


def assert_scored(reply: Reply, wiki_id: str, rev_id: int) -> None:
    """Check that an answer has the keys that users of the peer know, and a probability."""
    assert reply.status == 200
    assert reply.body.keys() == ANSWER_KEYS
    assert (reply.body["model_name"], reply.body["wiki_db"], reply.body["revision_id"]) == (
        MODEL,
        wiki_id,
        rev_id,
    )
    output = reply.body["output"]
    assert output.keys() == {"prediction", "probabilities"}
    assert 0 < output["probabilities"]["true"] < 1
    assert sum(output["probabilities"].values()) == pytest.approx(1, abs=1e-9)
    assert output["prediction"] is (output["probabilities"]["true"] > 0.5)


async def test_every_sample_event_is_produced_or_skipped_for_a_reason(
    client: Client, producer: str, empty_gate: str, sample_events: list[dict[str, Any]]
) -> None:
    """What is produced is valid, on the model's stream, once; what is skipped says why."""
    replies = [await client.predict(producer, {"event": event}) for event in sample_events]
    outcomes = [reply.outcome for reply in replies]
    assert {reply.status for reply in replies} == {200}
    skipped = {outcome for outcome in outcomes if outcome != "produced"}
    assert skipped >= {
        f"skipped:{reason}"
        for reason in ("no_parent", "null_edit", "redirect", "revision_hidden", "namespace", "content_model")
    }
    accepted = await client.accepted(empty_gate)
    validator = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))
    assert all(validator.is_valid(event) for event in accepted)
    assert {event["meta"]["stream"] for event in accepted} == {STREAM}
    produced = [
        (event["wiki_id"], event["revision"]["rev_id"])
        for event, outcome in zip(sample_events, outcomes, strict=True)
        if outcome == "produced"
    ]
    assert [(event["wiki_id"], event["revision"]["rev_id"]) for event in accepted] == produced
    assert len({event["meta"]["id"] for event in accepted}) == len(accepted) > 60


async def test_the_emitted_event_says_what_the_answer_says(
    client: Client, producer: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """One score, told twice in two shapes."""
    reply = await client.predict(producer, {"event": edit})
    assert_scored(reply, "enwiki", 456789)
    (event,) = await client.accepted(empty_gate)
    output = reply.body["output"]
    assert event["predicted_classification"] == {
        "model_name": MODEL,
        "model_version": reply.body["model_version"],
        "predictions": ["true" if output["prediction"] else "false"],
        "probabilities": output["probabilities"],
    }
    assert event["meta"]["request_id"] == edit["meta"]["request_id"]
    assert event["dt"] == edit["dt"]
    assert event["revision"]["rev_id"] == 456789


async def test_an_event_emitted_again_is_the_same_event(
    client: Client, producer: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """E8: what is emitted twice is the same, but for what the gate adds."""
    first, second = [await client.predict(producer, {"event": edit}) for _ in range(2)]
    assert first.body == second.body
    events = await client.accepted(empty_gate)
    for event in events:
        event["meta"].pop("dt")
    assert events == [events[0]] * 2


async def test_an_event_delivered_again_is_not_emitted_again(
    client: Client, producer: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """E8: the worker's record answers with the same body, and nothing is fetched, scored or sent."""
    first = await client.predict(producer, {"event": edit})
    second = await client.predict(producer, {"event": edit}, reemit=False)
    assert (second.body, second.outcome) == (first.body, "produced")
    assert REPEATED not in first.headers
    assert second.headers[REPEATED] == "1"
    assert len(await client.accepted(empty_gate)) == 1


async def test_an_emptied_gate_gets_the_event_again_only_if_that_is_asked_for(
    client: Client, producer: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """The answer says that nothing was sent; x-revertrisk-reemit sends it."""
    await client.predict(producer, {"event": edit})
    await client.forget(empty_gate)
    repeated = await client.predict(producer, {"event": edit}, reemit=False)
    assert (repeated.outcome, repeated.headers[REPEATED]) == ("produced", "1")
    assert await client.accepted(empty_gate) == []
    sent = await client.predict(producer, {"event": edit}, reemit=True)
    assert sent.outcome == "produced"
    assert REPEATED not in sent.headers
    assert len(await client.accepted(empty_gate)) == 1


async def test_duplicates_at_the_same_time_are_one(
    client: Client, start_server: StartServer, sample_wiki: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """E9: ten deliveries of one event at once: one fetch, one forward pass, one emission."""
    with start_server(WIKI_URL=sample_wiki, EVENTGATE_URL=empty_gate, EVENTGATE_STREAM=STREAM) as program:
        replies = await asyncio.gather(
            *(client.predict(program.url, {"event": edit}, reemit=False) for _ in range(10))
        )
        async with client.session.get(f"{program.url}/metrics") as answer:
            metrics = await answer.text()
    assert {(reply.status, reply.outcome) for reply in replies} == {(200, "produced")}
    assert len(await client.accepted(empty_gate)) == 1
    assert 'revertrisk_mediawiki_request_seconds_count{outcome="answered"} 1.0' in metrics
    assert "revertrisk_inference_batch_size_sum 1.0" in metrics
    assert 'revertrisk_requests_total{outcome="produced"} 10.0' in metrics


@pytest.mark.parametrize("separator", [":", "%3A", "%3a"])
async def test_the_colon_may_be_percent_encoded(
    client: Client, producer: str, edit: dict[str, Any], separator: str
) -> None:
    """change-propagation sends ``%3Apredict``."""
    from yarl import URL  # noqa: PLC0415 - only here is a path sent as it is

    url = URL(f"{producer}/v1/models/{MODEL}{separator}predict", encoded=True)
    async with client.session.post(url, data=orjson.dumps({"event": edit})) as answer:
        assert answer.status == 200
        assert answer.headers["x-revertrisk-outcome"] == "produced"


async def test_a_bare_event_is_an_event(client: Client, producer: str, edit: dict[str, Any]) -> None:
    """The wrapper may be left out."""
    assert (await client.predict(producer, edit)).outcome == "produced"


@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded"]
)
async def test_the_body_is_json_whatever_its_type_says(
    client: Client, producer: str, edit: dict[str, Any], content_type: str
) -> None:
    """curl -d says that it sends a form."""
    headers = {"Content-Type": content_type}
    assert (await client.predict(producer, {"event": edit}, **headers)).status == 200


async def test_a_direct_call_is_scored_and_never_emitted(
    client: Client, producer: str, empty_gate: str
) -> None:
    """DESIGN 12: only events emit."""
    reply = await client.predict(producer, {"lang": "en", "rev_id": 456789})
    assert_scored(reply, "enwiki", 456789)
    assert reply.outcome is None
    assert await client.accepted(empty_gate) == []


async def test_without_eventgate_an_event_is_scored_only(
    client: Client, scorer: str, edit: dict[str, Any]
) -> None:
    """A scorer says in its answer that it emitted nothing."""
    reply = await client.predict(scorer, {"event": edit})
    assert_scored(reply, "enwiki", 456789)
    assert reply.outcome == "scored_only"


async def test_a_canary_is_skipped(client: Client, producer: str, empty_gate: str) -> None:
    """E25: no fetch, no emission, whatever else the canary holds."""
    reply = await client.predict(producer, {"event": {"meta": {"domain": "canary"}}})
    assert (reply.status, reply.body, reply.outcome) == (
        200,
        {"skipped": True, "reason": "canary"},
        "skipped:canary",
    )
    assert await client.accepted(empty_gate) == []


async def test_an_event_that_the_wiki_contradicts_is_refused(
    client: Client, producer: str, empty_gate: str, edit: dict[str, Any]
) -> None:
    """E53: a forged event is 409, names the field, and emits nothing."""
    forged = edit | {"revision": edit["revision"] | {"rev_parent_id": 124}}
    reply = await client.predict(producer, {"event": forged})
    assert (reply.status, reply.body["code"]) == (409, "event_mismatch")
    assert "/revision/rev_parent_id" in reply.body["error"]
    assert await client.accepted(empty_gate) == []


async def test_a_request_id_is_kept_and_a_strange_one_replaced(client: Client, producer: str) -> None:
    """The id joins our log to the caller's; what could not be an id is not echoed."""
    kept = await client.predict(producer, b"{", **{"X-Request-Id": "3e0486c5-21a6"})
    assert kept.body["request_id"] == kept.headers["x-request-id"] == "3e0486c5-21a6"
    replaced = await client.predict(producer, b"{", **{"X-Request-Id": "<script>"})
    assert "<script>" not in orjson.dumps(replaced.body).decode()
