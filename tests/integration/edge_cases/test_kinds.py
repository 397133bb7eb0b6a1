"""What kind of event, page and change it is decides before anything is fetched."""

from collections.abc import Callable

import pytest

from tests.fakes.edited_wikis import CREATION, MARKER, MOVED, REDIRECT, Event
from tests.fakes.stage import Stage

SECRET = {"surprise": {"deep": [MARKER]}}


async def test_e17_move_is_a_null_edit_without_a_call(stage: Stage) -> None:
    """A move whose event shows the same hash as its parent is a null edit, skipped without a fetch."""
    assert (await stage.deliver(stage.wikis.event(MOVED))).outcome == "skipped:null_edit"
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e17_move_that_shows_no_hash_is_a_null_edit_by_its_text(stage: Stage) -> None:
    """A move whose event shows no hash is a null edit if the API's two texts are equal."""
    event = stage.wikis.event(MOVED)
    del event["prior_state"]
    assert (await stage.deliver(event)).outcome == "skipped:null_edit"
    assert (len(await stage.wiki_calls()), await stage.posts()) == (1, 0)


async def test_e18_redirect_is_not_scored(stage: Stage) -> None:
    """A redirect, or a page outside the main namespace, is skipped without a fetch."""
    assert (await stage.deliver(stage.wikis.event(REDIRECT))).outcome == "skipped:redirect"
    event = stage.wikis.plain_edit()
    event["page"]["namespace_id"] = 1
    assert (await stage.deliver(event)).outcome == "skipped:namespace"
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


@pytest.mark.parametrize(
    "link",
    [
        {"page_title": f"Special:{MARKER}", "namespace_id": -1, "is_redirect": False},
        {"page_title": MARKER, "page_id": 7, "namespace_id": 0, "interwiki_prefix": "de"},
    ],
    ids=["special", "interwiki"],
)
async def test_e18_redirect_target_is_passed_through_where_the_schema_has_it(
    stage: Stage, link: Event
) -> None:
    """A redirect's target is copied where the output schema has it, and left out elsewhere."""
    event = stage.wikis.plain_edit()
    event["page"]["redirect_page_link"] = link
    event["prior_state"]["page"] = {"page_id": event["page"]["page_id"], "redirect_page_link": link}
    event["created_redirect_page"] = {"page_id": 8, "page_title": MARKER, "redirect_page_link": link}
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await stage.the_emitted()
    assert emitted["page"]["redirect_page_link"] == link
    assert "redirect_page_link" not in emitted["created_redirect_page"]
    assert "redirect_page_link" not in emitted["prior_state"]["page"]


@pytest.mark.parametrize("kind", ["delete", "visibility_change", "restore_of_the_future", ""])
async def test_e20_delete_and_visibility_change_are_skipped_without_a_call(stage: Stage, kind: str) -> None:
    """Delete, visibility change and unknown kinds are skipped without a fetch; no prediction is withdrawn."""
    event = stage.wikis.plain_edit() | {"page_change_kind": kind, "changelog_kind": "delete"}
    assert (await stage.deliver(event)).outcome == "skipped:page_change_kind"
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


@pytest.mark.parametrize("version", ["1", "1.0.0", "1.2.0", "1.99.7"])
async def test_e21_any_1_x_schema_is_read(stage: Stage, version: str) -> None:
    """An event of any 1.x schema is read; fields that a later version added are ignored."""
    event = stage.wikis.plain_edit() | {"$schema": f"/mediawiki/page/change/{version}"}
    assert (await stage.deliver(event)).outcome == "produced"


@pytest.mark.parametrize(
    "schema",
    [
        "/mediawiki/page/change/10.0.0",
        "/mediawiki/page/change/2.0.0",
        "/mediawiki/page/change/1.0",
        "/mediawiki/revision/create/1.0.0",
    ],
)
async def test_e21_another_major_schema_is_refused(stage: Stage, schema: str) -> None:
    """An event of another major version is refused; 10.0.0 is not 1.x."""
    reply = await stage.deliver(stage.wikis.plain_edit() | {"$schema": schema})
    assert (reply.status, reply.body["code"]) == (400, "unsupported_schema")
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


async def test_e22_unknown_fields_are_left_out_at_every_level(stage: Stage) -> None:
    """A field that the output schema does not name is not copied, at any level, and is counted."""
    event = stage.wikis.plain_edit()
    for part in (
        event,
        event["page"],
        event["meta"],
        event["revision"],
        event["performer"],
        event["prior_state"],
        event["prior_state"]["revision"],
        event["revision"]["editor"],
    ):
        part.update(SECRET)
    assert (await stage.deliver(event)).outcome == "produced"
    assert "surprise" not in str(await stage.the_emitted())
    assert (await stage.counted())["revertrisk_unknown_event_fields_total"] >= 8


async def test_e23_content_slots_are_left_out(stage: Stage) -> None:
    """Content slots, and the bodies of a page_content_change event, are left out."""
    event = stage.wikis.plain_edit()
    event["revision"]["content_slots"]["main"]["content_body"] = MARKER * 1000
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await stage.the_emitted()
    assert "content_slots" not in emitted["revision"]
    assert "content_slots" not in emitted["prior_state"]["revision"]


def bare(event: Event) -> Event:
    return {"meta": event["meta"]}


def whole(event: Event) -> Event:
    return event


@pytest.mark.parametrize("shape", [whole, bare])
@pytest.mark.parametrize("form", ["wrapped", "unwrapped"])
async def test_e25_canary_is_skipped_without_a_call(
    stage: Stage, shape: Callable[[Event], Event], form: str
) -> None:
    """A canary event is skipped before anything else of it is looked at."""
    event = stage.wikis.event(CREATION)
    event["meta"]["domain"] = "canary"
    body = shape(event)
    reply = await stage.ask({"event": body} if form == "wrapped" else body)
    assert (reply.status, reply.outcome) == (200, "skipped:canary")
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)
