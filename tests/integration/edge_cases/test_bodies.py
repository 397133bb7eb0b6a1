"""Bodies that are not what they should be: a precise refusal, and nothing happens."""

import base64
from typing import Any

import orjson
import pytest

from tests.fakes.clients import STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import CREATION, HISTORY, MARKER, EditedWikis, edit_of
from tests.fakes.stage import Stage
from tests.integration.edge_cases.rows import LIMITS

CALL = {"lang": "en", "rev_id": edit_of(1)}
ONE = {"instances": [CALL]}


async def test_e24_incomplete_event_is_refused_with_everything_that_it_lacks(stage: Stage) -> None:
    """An incomplete event is refused with all places at once, as JSON pointers."""
    event = stage.wikis.plain_edit() | {"unheard_of": MARKER}
    for name in ("changelog_kind", "page_change_kind", "dt"):
        del event[name]
    del event["revision"]["rev_dt"]
    reply = await stage.deliver(event)
    assert (reply.status, reply.body["code"]) == (400, "invalid_event")
    assert {found["pointer"] for found in reply.body["violations"]} == {
        "/changelog_kind",
        "/page_change_kind",
        "/dt",
        "/revision/rev_dt",
    }
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e24_incomplete_event_is_completed_in_lenient_mode(
    client: Client, start_server: StartServer, wikis: EditedWikis, edge_gate: str, replies: list[Reply]
) -> None:
    """With `LENIENT_EVENTS=true` the API completes an incomplete event; a warning names what was filled in."""
    event = wikis.plain_edit()
    for name in ("changelog_kind", "page_change_kind", "dt", "performer"):
        del event[name]
    await client.forget(edge_gate)
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=STREAM, LENIENT_EVENTS="true", **LIMITS
    ) as program:
        replies.append(await client.predict(program.url, {"event": event}))
        assert replies[0].outcome == "produced"
        (emitted,) = await client.accepted(edge_gate)
        assert (emitted["page_change_kind"], emitted["dt"]) == ("edit", "2024-01-02T00:00:00Z")
        assert "performer" not in emitted
        warning = next(line for line in program.log.read_text().splitlines() if "completed" in line)
        assert all(pointer in warning for pointer in ("/changelog_kind", "/page_change_kind", "/dt"))
        assert "/page/page_title" not in warning


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ({"rev_id": 1}, "lang"),
        ({"lang": 7, "rev_id": 1}, "lang"),
        ({"lang": "", "rev_id": 1}, "lang"),
        ({"lang": None, "rev_id": 1}, "lang"),
        ({"lang": "en"}, "rev_id"),
        ({"lang": "en", "rev_id": ""}, "rev_id"),
        ({"lang": "en", "rev_id": " 1"}, "rev_id"),
        ({"lang": "en", "rev_id": "1\n"}, "rev_id"),
        ({"lang": "en", "rev_id": "+1"}, "rev_id"),
        ({"lang": "en", "rev_id": "-1"}, "rev_id"),
        ({"lang": "en", "rev_id": "1e3"}, "rev_id"),
        ({"lang": "en", "rev_id": "1_0"}, "rev_id"),
        ({"lang": "en", "rev_id": "1.0"}, "rev_id"),
        ({"lang": "en", "rev_id": "0x1"}, "rev_id"),
        ({"lang": "en", "rev_id": "0"}, "rev_id"),
        ({"lang": "en", "rev_id": "\u0661\u0662"}, "rev_id"),
        ({"lang": "en", "rev_id": "\uff11"}, "rev_id"),
        ({"lang": "en", "rev_id": str(2**53)}, "rev_id"),
        ({"lang": "en", "rev_id": "1" * 17}, "rev_id"),
        ({"lang": "en", "rev_id": True}, "rev_id"),
        ({"lang": "en", "rev_id": 0}, "rev_id"),
        ({"lang": "en", "rev_id": -1}, "rev_id"),
        ({"lang": "en", "rev_id": 1.0}, "rev_id"),
        ({"lang": "en", "rev_id": 2**53}, "rev_id"),
        ({"lang": "en", "rev_id": None}, "rev_id"),
    ],
    ids=lambda value: orjson.dumps(value).decode() if isinstance(value, dict) else "",
)
async def test_e30_malformed_call_is_refused_with_the_field_named(
    stage: Stage, call: Any, named: str
) -> None:
    """H3: A malformed direct call is refused with the field named; `true` is not an integer."""
    reply = await stage.ask(call)
    assert (reply.status, reply.body["code"]) == (400, "invalid_request")
    assert named in reply.body["error"]
    assert await stage.wiki_calls() == []


async def test_e30_rev_id_as_decimal_text_is_accepted(stage: Stage) -> None:
    """H3: A `rev_id` as decimal text is accepted, as on Lift Wing; the answer has the number."""
    rev_id = edit_of(1)
    for text in (str(rev_id), f"0{rev_id}"):
        reply = await stage.ask({"lang": "en", "rev_id": text})
        assert (reply.status, reply.body["revision_id"]) == (200, rev_id)


async def test_e30_wiki_id_as_lang_is_accepted(stage: Stage) -> None:
    """`enwiki` as `lang` means the same as `en`."""
    replies = [await stage.ask({"lang": lang, "rev_id": edit_of(1)}) for lang in ("en", "enwiki")]
    assert [reply.status for reply in replies] == [200, 200]
    assert replies[0].body == replies[1].body


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"),
        (b'{"lang": "en",', "invalid_json"),
        (b"[]", "invalid_json"),
        ([{"specversion": "1.0", "data": {}}], "invalid_json"),
        ({"specversion": "0.3", "data": CALL}, "invalid_request"),
        ({"specversion": "1.0"}, "invalid_request"),
        ({"specversion": "1.0", "data": [CALL]}, "invalid_request"),
        ({"specversion": "1.0", "data": MARKER}, "invalid_request"),
        ({"specversion": "1.0", "data": {"specversion": "1.0", "data": CALL}}, "invalid_request"),
        ({"specversion": "1.0", "data": CALL, "data_base64": "e30="}, "invalid_request"),
        ({"specversion": "1.0", "data_base64": MARKER}, "invalid_request"),
        ({"specversion": "1.0", "data_base64": 7}, "invalid_request"),
        ({"specversion": "1.0", "data_base64": "W10="}, "invalid_request"),
        (b'"event"', "invalid_json"),
        (b'{"lang": "\xff"}', "invalid_json"),
        (b'{"lang": "\\ud800", "rev_id": 1}', "invalid_json"),
        ({"instances": []}, "invalid_request"),
        ({"instances": {}}, "invalid_request"),
        ({"instances": [7]}, "invalid_request"),
        ({"instances": [{"lang": "en", "rev_id": n} for n in range(1, 22)]}, "batch_too_large"),
        ({}, "invalid_request"),
        ({"event": [MARKER]}, "invalid_request"),
    ],
)
async def test_e31_malformed_body_is_refused(stage: Stage, body: Any, code: str) -> None:
    """A body that is not a JSON object is refused, whatever its Content-Type says."""
    reply = await stage.ask(body)
    assert (reply.status, reply.body["code"]) == (400, code)
    assert await stage.wiki_calls() == []


CLOUD_EVENT = {"specversion": "1.0", "id": "1", "source": "/kafka", "type": "dev.knative.kafka.event"}


async def test_e31_cloud_event_in_structured_mode_is_taken(stage: Stage) -> None:
    """S10: The data of a CloudEvent in structured mode is the page_change event, also in base64."""
    event = stage.wikis.plain_edit()
    for data in (
        {"data": event, "datacontenttype": "application/json"},
        {"data_base64": base64.b64encode(orjson.dumps({"event": event})).decode()},
    ):
        reply = await stage.ask(CLOUD_EVENT | data, **{"Content-Type": "application/cloudevents+json"})
        assert (reply.status, reply.outcome) == (200, "produced")
    (first,) = await stage.emitted()
    assert first["revision"]["rev_id"] == event["revision"]["rev_id"]


async def test_e31_batch_may_ask_twice_for_one_revision(stage: Stage) -> None:
    """H3: A batch that asks twice for one revision gets two answers, and MediaWiki is asked once."""
    reply = await stage.ask({"instances": [CALL, CALL, {"lang": "enwiki", "rev_id": str(CALL["rev_id"])}]})
    assert (reply.status, len(reply.body["predictions"])) == (200, 3)
    assert reply.body["predictions"][1:] == reply.body["predictions"][:2]
    assert len(await stage.wiki_calls()) == 2  # the revision, and then its parent


async def test_e31_batch_of_mixed_wikis_answers_successes_and_failures_apart(stage: Stage) -> None:
    """A batch of several wikis has its scores in the order of input, and each failure with its index."""
    calls = [
        {"lang": "zh-yue", "rev_id": edit_of(1)},
        {"lang": "en", "rev_id": edit_of(CREATION)},
        {"lang": "tlh", "rev_id": 5},
        {"lang": "en", "rev_id": edit_of(1)},
    ]
    reply = await stage.ask({"instances": calls})
    assert reply.status == 200
    assert [found["wiki_db"] for found in reply.body["predictions"]] == ["zh_yuewiki", "enwiki"]
    assert [(found["index"], found["code"]) for found in reply.body["errors"]] == [
        (1, "no_parent"),
        (2, "unknown_wiki"),
    ]
    assert await stage.posts() == 0


async def test_e31_batch_that_fails_altogether_is_422(stage: Stage) -> None:
    """A batch of which every item fails is 422, with the reason for each."""
    reply = await stage.ask(
        {"instances": [{"lang": "en", "rev_id": edit_of(CREATION)}, {"lang": "tlh", "rev_id": 5}]}
    )
    assert (reply.status, reply.body["code"]) == (422, "nothing_scored")
    assert [found["code"] for found in reply.body["errors"]] == ["no_parent", "unknown_wiki"]


@pytest.mark.parametrize(
    "forms",
    [("event", "instances"), ("event", "revision_data"), ("instances", "revision_data")],
    ids="-".join,
)
async def test_e32_two_forms_at_once_are_ambiguous(stage: Stage, forms: tuple[str, str]) -> None:
    """A body with two of `event`, `instances` and `revision_data` is refused."""
    bodies = {"event": stage.wikis.event(CREATION), "instances": [CALL], "revision_data": {}}
    reply = await stage.ask({form: bodies[form] for form in forms})
    assert (reply.status, reply.body["code"]) == (400, "ambiguous_request")
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e32_revision_data_is_scored_and_never_emitted(stage: Stage) -> None:
    """`revision_data` is scored and never emitted: an edit that is not saved has no event."""
    data = {
        "lang": "en",
        "text": f"{MARKER} and more",
        "timestamp": "2024-01-02T00:00:00Z",
        "page": {"title": MARKER},
        "parent": {"text": MARKER, "timestamp": "2024-01-01T00:00:00Z"},
    }
    reply = await stage.ask({"revision_data": data})
    assert (reply.status, reply.body["revision_id"]) == (200, -1)
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e53_forged_event_is_refused(stage: Stage) -> None:
    """An event that names another parent than the API is refused with 409, and nothing is emitted."""
    event = stage.wikis.plain_edit()
    event["revision"]["rev_parent_id"] = 1
    event.pop("prior_state")
    reply = await stage.deliver(event)
    assert (reply.status, reply.body["code"]) == (409, "event_mismatch")
    assert "/revision/rev_parent_id" in reply.body["error"]
    assert await stage.posts() == 0


@pytest.mark.parametrize("parent_id", [None, 1], ids=["same-parent", "another-parent"])
async def test_e53_page_that_was_undeleted_or_merged_since_is_skipped(
    stage: Stage, parent_id: int | None
) -> None:
    """H4: A revision that belongs to another page by now is skipped."""
    event = stage.wikis.plain_edit()
    event["page"]["page_id"] = 4242
    if parent_id is not None:
        event["revision"]["rev_parent_id"] = parent_id
    assert (await stage.deliver(event)).outcome == "skipped:page_changed"
    assert await stage.posts() == 0
    assert (await stage.counted())['revertrisk_requests_total{outcome="skipped:page_changed"}'] == 1


async def test_e53_parent_that_was_reset_since_is_skipped(stage: Stage) -> None:
    """H4: A revision without a parent by now, after an import or a merge, is skipped."""
    event = stage.wikis.event(CREATION)
    event["page_change_kind"] = "edit"
    event["revision"]["rev_parent_id"] = 1
    assert (await stage.deliver(event)).outcome == "skipped:no_parent"
    assert await stage.posts() == 0


async def test_e53_title_that_has_moved_since_is_no_forgery(stage: Stage) -> None:
    """A title that has changed since is accepted: pages are renamed and keep their ids."""
    event = stage.wikis.of(edit_of(HISTORY))
    event["page"]["page_title"] = f"{MARKER}_as_it_was"
    assert (await stage.deliver(event)).outcome == "produced"
    assert (await stage.the_emitted())["page"]["page_title"] == f"{MARKER}_as_it_was"
