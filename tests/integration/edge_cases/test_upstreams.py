"""MediaWiki and EventGate fail in passing: tried again, then handed back to the dispatcher."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.fakes.edited_wikis import YOUNG_WITHOUT_PARENT, Event
from tests.fakes.stage import RETRY, Stage

WIKI_FAULTS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "503": {"kind": "status", "status": 503, "retry_after": 1},
    "reset": {"kind": "reset"},
    "cut": {"kind": "cut"},
    "hang": {"kind": "hang"},
    "late": {"kind": "delay", "seconds": 3600},
    "html": {"kind": "html"},
    "not-json": {"kind": "not_json"},
    "maxlag": {"kind": "maxlag", "retry_after": 1},
    "429": {"kind": "rate_limited", "retry_after": 1},
    "readonly": {"kind": "api_error", "code": "readonly"},
    "database": {"kind": "api_error", "code": "internal_api_error_DBQueryError"},
}
GATE_FAULTS: dict[str, dict[str, Any]] = {
    "broker": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502},
    "503": {"kind": "status", "status": 503},
    "404": {"kind": "status", "status": 404},
    "reset": {"kind": "reset"},
    "hang": {"kind": "hang"},
}


def just_now(event: Event) -> Event:
    event["meta"]["dt"] = datetime.now(UTC).isoformat()
    return event


@asynccontextmanager
async def given_up_then_produced(stage: Stage, code: str) -> AsyncIterator[None]:
    """Prove that an event gets a 503 while a fault lasts, and is on the stream once after the dispatcher's retry."""
    event = stage.wikis.plain_edit()
    reply = await stage.deliver(event)
    assert (reply.status, reply.body["code"]) == (503, code)
    yield
    assert (await stage.deliver(event, **RETRY)).outcome == "produced"
    assert len(await stage.emitted()) == 1


@pytest.mark.parametrize("fault", WIKI_FAULTS)
async def test_e01_a_passing_mediawiki_fault_is_mended_within_the_request(stage: Stage, fault: str) -> None:
    """If MediaWiki fails once, the server waits as long as MediaWiki asks and tries once more; the edit is scored."""
    await stage.wiki_faults(WIKI_FAULTS[fault] | {"next": 1})
    assert (await stage.deliver(stage.wikis.plain_edit())).outcome == "produced"
    assert len(await stage.wiki_calls()) == 2
    assert len(await stage.emitted()) == 1


@pytest.mark.parametrize("fault", WIKI_FAULTS)
async def test_e01_a_lasting_mediawiki_fault_is_503_and_the_retry_is_produced(
    stage: Stage, fault: str
) -> None:
    """If MediaWiki fails twice, the answer is 503; the dispatcher's retry is scored like any other event."""
    await stage.wiki_faults(WIKI_FAULTS[fault])
    async with given_up_then_produced(stage, "mediawiki_unavailable"):
        assert (len(await stage.wiki_calls()), await stage.posts()) == (2, 0)
        await stage.wiki_faults()


@pytest.mark.parametrize("kind", ["maxlag", "rate_limited"])
async def test_e01_a_long_retry_after_goes_to_the_dispatcher(stage: Stage, kind: str) -> None:
    """A `Retry-After` longer than the request's deadline is passed on to the dispatcher.

    The server does not wait for it.
    """
    await stage.wiki_faults({"kind": kind, "retry_after": 37})
    reply = await stage.deliver(stage.wikis.plain_edit())
    assert (reply.status, reply.headers["retry-after"]) == (503, "37")
    assert len(await stage.wiki_calls()) == 1


@pytest.mark.parametrize("fault", GATE_FAULTS)
async def test_e02_a_passing_eventgate_fault_is_mended_within_the_request(stage: Stage, fault: str) -> None:
    """If EventGate fails once, the same event is sent once more; the revision is fetched and scored once."""
    await stage.gate_faults(GATE_FAULTS[fault] | {"next": 1})
    assert (await stage.deliver(stage.wikis.plain_edit())).outcome == "produced"
    assert (await stage.posts(), len(await stage.emitted()), len(await stage.wiki_calls())) == (2, 1, 1)
    assert (await stage.counted())["revertrisk_inference_batch_size_sum"] == 1


@pytest.mark.parametrize("fault", GATE_FAULTS)
async def test_e02_a_lasting_eventgate_fault_is_503_and_the_retry_is_produced(
    stage: Stage, fault: str
) -> None:
    """If EventGate fails twice, the answer is 503 and nothing is on the stream until the dispatcher's retry."""
    await stage.gate_faults(GATE_FAULTS[fault])
    async with given_up_then_produced(stage, "eventgate_unavailable"):
        assert (await stage.posts(), await stage.emitted()) == (2, [])
        await stage.gate_faults()


@pytest.mark.parametrize("kind", ["accept_then_hang", "accept_then_reset"])
async def test_e02_what_may_have_been_produced_is_sent_again_byte_for_byte(stage: Stage, kind: str) -> None:
    """If EventGate's answer is lost, the event may have been accepted.

    The second one has the same id and the same bytes.
    """
    await stage.gate_faults({"kind": kind, "next": 1})
    assert (await stage.deliver(stage.wikis.plain_edit())).outcome == "produced"
    first, second = await stage.emitted()
    assert first["meta"].pop("dt") <= second["meta"].pop("dt")
    assert list(first.items()) == list(second.items())


async def test_e02_a_time_out_counts_as_maybe_accepted(stage: Stage) -> None:
    """A time-out of EventGate has an outcome of its own in the metrics, because the event may be on the stream."""
    await stage.gate_faults({"kind": "accept_then_hang"})
    assert (await stage.deliver(stage.wikis.plain_edit())).body["code"] == "eventgate_unavailable"
    counted = await stage.counted()
    assert counted['revertrisk_eventgate_request_seconds_count{outcome="maybe_accepted"}'] == 1


async def test_e02_the_retry_does_not_run_the_model_again(stage: Stage) -> None:
    """The score is kept while EventGate is down, so the dispatcher's retry does not run the model again."""
    event = stage.wikis.plain_edit()
    await stage.gate_faults({"kind": "status", "status": 503})
    await stage.deliver(event)
    await stage.gate_faults()
    assert (await stage.deliver(event, **RETRY)).outcome == "produced"
    assert (await stage.counted())["revertrisk_inference_batch_size_sum"] == 1


async def test_e02_a_direct_call_does_not_take_the_score_that_is_kept(stage: Stage) -> None:
    """A direct call for the same revision reads other facts about the author, so it does not use the kept score."""
    event = stage.wikis.plain_edit()
    event["revision"]["editor"] = event["performer"] = {"user_text": "192.0.2.5", "groups": ["*"]}
    call = {"lang": "en", "rev_id": event["revision"]["rev_id"]}
    before = await stage.ask(call)
    await stage.gate_faults({"kind": "status", "status": 503})
    await stage.deliver(event)
    assert (await stage.ask(call)).body == before.body
    await stage.gate_faults()
    assert (await stage.deliver(event, **RETRY)).outcome == "produced"
    assert (await stage.counted())["revertrisk_inference_batch_size_sum"] == 3


async def test_e11_a_young_revision_that_is_not_visible_yet_is_asked_for_again(stage: Stage) -> None:
    """A revision that the replicas do not have yet is asked for once more after a short pause."""
    event = just_now(stage.wikis.plain_edit())
    await stage.wiki_faults({"kind": "invisible", "requests": 1, "rev_id": event["revision"]["rev_id"]})
    assert (await stage.deliver(event)).outcome == "produced"
    assert len(await stage.wiki_calls()) == 2


async def test_e11_a_young_revision_that_stays_invisible_is_503_until_it_appears(stage: Stage) -> None:
    """A revision younger than a minute is never called missing: the answer is 503 until it appears."""
    event = just_now(stage.wikis.plain_edit())
    await stage.wiki_faults({"kind": "invisible", "requests": 2, "rev_id": event["revision"]["rev_id"]})
    reply = await stage.deliver(event)
    assert (reply.status, reply.body["code"], reply.headers["retry-after"]) == (
        503,
        "mediawiki_unavailable",
        "5",
    )
    assert len(await stage.wiki_calls()) == 2
    assert (await stage.deliver(event, **RETRY)).outcome == "produced"


async def test_e11_an_old_revision_that_is_missing_is_skipped_at_once(stage: Stage) -> None:
    """A revision older than a minute that is missing is skipped at once; a direct call gets 422 with the same code."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults({"kind": "invisible", "seconds": 3600, "rev_id": event["revision"]["rev_id"]})
    assert (await stage.deliver(event)).outcome == "skipped:revision_missing"
    assert len(await stage.wiki_calls()) == 1
    reply = await stage.ask({"lang": "en", "rev_id": event["revision"]["rev_id"]})
    assert (reply.status, reply.body["code"]) == (422, "revision_missing")
    assert await stage.posts() == 0


async def test_e11_a_young_event_whose_parent_is_missing_waits_too(stage: Stage) -> None:
    """If the parent of a young revision is missing, the server waits likewise: the parent may be as new."""
    reply = await stage.deliver(just_now(stage.wikis.event(YOUNG_WITHOUT_PARENT)))
    assert (reply.status, reply.body["code"]) == (503, "mediawiki_unavailable")


async def test_e11_an_event_without_meta_dt_is_of_unknown_age_and_the_answer_says_so(stage: Stage) -> None:
    """Without `meta.dt` the age is unknown, so a missing revision is not skipped; the answer names the cause."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults({"kind": "invisible", "seconds": 3600, "rev_id": event["revision"]["rev_id"]})
    del event["meta"]["dt"]
    reply = await stage.deliver(event)
    assert (reply.status, reply.body["code"]) == (503, "mediawiki_unavailable")
    assert "the event has no meta.dt" in reply.body["error"]


async def test_e43_both_upstreams_are_told_who_asks(stage: Stage) -> None:
    """The User-Agent names the project and its address, to MediaWiki and to EventGate (T400119)."""
    assert (await stage.deliver(stage.wikis.plain_edit())).outcome == "produced"
    for upstream in (stage.wikis.url, stage.gate):
        (agent,) = (await stage.client.get(f"{upstream}/_mock/stats"))["user_agents"]
        assert agent.startswith("revertrisk-events/")
        assert "https://" in agent


@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_e44_a_redirect_is_not_followed(stage: Stage, status: int) -> None:
    """A redirect of MediaWiki's is not followed, because a wiki's host comes from the table only."""
    elsewhere = stage.wikis.url.replace("127.0.0.1", "localhost") + "/w/api.php"
    await stage.wiki_faults({"kind": "redirect", "status": status, "location": elsewhere})
    reply = await stage.deliver(stage.wikis.plain_edit())
    assert (reply.status, reply.body["code"]) == (503, "mediawiki_unavailable")
    assert {call["host"].partition(":")[0] for call in await stage.wiki_calls()} == {"en.wikipedia.org"}
    assert await stage.posts() == 0
