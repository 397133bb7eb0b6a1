"""What was hidden, deleted or never there is neither scored nor said, whoever knows of it first."""

from typing import Any

import pytest

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.fakes.edited_wikis import (
    AUTHOR,
    CREATION,
    DELETED_PARENT,
    FOREIGN_PARENT,
    HIDDEN_PARENT,
    HIDDEN_TEXT,
    MARKER,
    SUPPRESSED,
    UNDELETED,
    Event,
    edit_of,
)
from tests.fakes.stage import RETRY, Stage

EVERYTHING = ["text", "user", "comment"]
VALIDATOR = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))


def hide(event: Event, *parts: str, after: int = 0, part_of: str = "revision") -> dict[str, Any]:
    """A fault that hides parts of an event's revision, or of its parent, from its n-th request on."""
    revision = event["revision"]
    rev_id = revision["rev_id"] if part_of == "revision" else revision["rev_parent_id"]
    return {"kind": "hide", "parts": list(parts), "after": after, "rev_id": rev_id}


def names(value: Any) -> set[str]:
    """Every user name and user id that an event gives."""
    if isinstance(value, dict):
        own = {str(value[name]) for name in ("user_text", "user_id") if name in value}
        return own.union(*(names(item) for item in value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


async def the_emitted_without(stage: Stage, *parts: str) -> Event:
    """Return the one prediction, which is valid, and of these parts says only that they are hidden."""
    emitted = await stage.the_emitted()
    assert VALIDATOR.violations(emitted) == []
    for part in parts:
        own, of_the_revision = {"user": ("performer", "editor"), "comment": ("comment", "comment")}[part]
        assert own not in emitted
        assert of_the_revision not in emitted["revision"]
        assert emitted["revision"][f"is_{of_the_revision}_visible"] is False
    return emitted


async def test_e12_hidden_revision_that_the_event_tells_of_costs_no_call(stage: Stage) -> None:
    """An event with `is_content_visible: false` is skipped without a fetch."""
    reply = await stage.deliver(stage.wikis.event(HIDDEN_TEXT))
    assert (reply.status, reply.outcome) == (200, "skipped:revision_hidden")
    assert (await stage.wiki_calls(), await stage.posts()) == ([], 0)


@pytest.mark.parametrize("parts", [["text"], EVERYTHING], ids="-".join)
async def test_e12_hidden_revision_that_only_the_api_tells_of_is_skipped(
    stage: Stage, parts: list[str]
) -> None:
    """If only the API says that the text is hidden, the API wins; a direct call gets 422 with the same code."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults(hide(event, *parts))
    assert (await stage.deliver(event)).outcome == "skipped:revision_hidden"
    reply = await stage.ask({"lang": "en", "rev_id": event["revision"]["rev_id"]})
    assert (reply.status, reply.body["code"]) == (422, "revision_hidden")
    assert await stage.posts() == 0


async def test_e12_hidden_revision_that_is_suppressed_by_now_is_skipped(stage: Stage) -> None:
    """A revision that was suppressed after its event was sent is skipped."""
    event = stage.wikis.event(SUPPRESSED)
    for part in ("content", "editor", "comment"):
        event["revision"][f"is_{part}_visible"] = True
    assert (await stage.deliver(event)).outcome == "skipped:revision_hidden"
    assert (len(await stage.wiki_calls()), await stage.posts()) == (1, 0)


async def test_e12_hidden_between_the_first_try_and_the_retry_is_skipped(stage: Stage) -> None:
    """A retry fetches again, so what was suppressed since the first try is not emitted."""
    event = stage.wikis.plain_edit()
    await stage.gate_faults({"kind": "status", "status": 503})
    assert (await stage.deliver(event)).status == 503
    await stage.gate_faults()
    await stage.wiki_faults(hide(event, "text"))
    assert (await stage.deliver(event, **RETRY)).outcome == "skipped:revision_hidden"
    assert await stage.emitted() == []


async def test_e13_hidden_user_that_the_event_tells_of_is_left_out(stage: Stage) -> None:
    """An event without performer and editor gives an event without them: no empty name, no id 0."""
    event = stage.wikis.plain_edit()
    del event["performer"], event["revision"]["editor"]
    event["revision"]["is_editor_visible"] = False
    assert (await stage.deliver(event)).outcome == "produced"
    await the_emitted_without(stage, "user")


@pytest.mark.parametrize("parts", [["user"], EVERYTHING[1:]], ids="-".join)
async def test_e13_hidden_user_that_only_the_api_tells_of_is_left_out(stage: Stage, parts: list[str]) -> None:
    """If only the API says that the user is hidden, the user is left out."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults(hide(event, *parts))
    assert (await stage.deliver(event)).outcome == "produced"
    await the_emitted_without(stage, "user")


async def test_e13_hidden_user_is_unknown_to_the_model_and_not_anonymous(stage: Stage) -> None:
    """For the model a hidden user is unknown.

    The score differs from that of an IP address and that of the real account.
    """
    scores = {}
    for kind in ("known", "hidden", "ip"):
        event = stage.wikis.plain_edit()
        if kind == "hidden":
            await stage.wiki_faults(hide(event, "user"))
        if kind == "ip":
            event["performer"] = event["revision"]["editor"] = {"user_text": "192.0.2.99", "groups": ["*"]}
        scores[kind] = (await stage.deliver(event)).body["output"]["probabilities"]["true"]
    assert len(set(scores.values())) == 3


async def test_e13_hidden_user_is_unknown_to_the_model_after_a_retry_as_well(stage: Stage) -> None:
    """A kept score that was made from a user who is hidden by now is not used."""
    hidden_from_the_beginning, hidden_later = stage.wikis.plain_edit(), stage.wikis.plain_edit()
    await stage.wiki_faults(hide(hidden_from_the_beginning, "user"), hide(hidden_later, "user", after=1))
    expected = (await stage.deliver(hidden_from_the_beginning)).body["output"]
    await stage.gate_faults({"kind": "status", "status": 503})
    assert (await stage.deliver(hidden_later)).status == 503
    await stage.gate_faults()
    assert (await stage.deliver(hidden_later, **RETRY)).body["output"] == expected


async def test_e13_hidden_parent_user_is_left_out_of_the_prior_state(stage: Stage) -> None:
    """What the API hides of the parent is left out of the prior state."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults(hide(event, "user", "comment", part_of="parent"))
    assert (await stage.deliver(event)).outcome == "produced"
    prior = (await stage.the_emitted())["prior_state"]["revision"]
    assert prior.keys().isdisjoint({"editor", "comment"})
    assert (prior["is_editor_visible"], prior["is_comment_visible"]) == (False, False)


@pytest.mark.parametrize("told_by", ["the event", "the API"])
async def test_e14_hidden_comment_is_left_out(stage: Stage, told_by: str) -> None:
    """A hidden comment is emitted neither as the event's nor as the revision's; the user stays."""
    event = stage.wikis.plain_edit()
    event["comment"] = event["revision"]["comment"]
    if told_by == "the API":
        await stage.wiki_faults(hide(event, "comment"))
    else:
        event["revision"]["is_comment_visible"] = False
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await the_emitted_without(stage, "comment")
    assert emitted["performer"]["user_text"] == AUTHOR


async def test_e14_hidden_comment_and_user_between_the_first_try_and_the_retry(stage: Stage) -> None:
    """A comment and a user that were hidden after the first try are left out of the retry's event."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults(hide(event, "user", "comment", after=1))
    await stage.gate_faults({"kind": "status", "status": 503})
    assert (await stage.deliver(event)).status == 503
    await stage.gate_faults()
    assert (await stage.deliver(event, **RETRY)).outcome == "produced"
    emitted = await the_emitted_without(stage, "user", "comment")
    del emitted["prior_state"]  # the parent's own author and comment are not hidden
    assert names(emitted) == set()


async def test_e15_creation_is_skipped_without_a_call(stage: Stage) -> None:
    """A creation (parent 0, or no parent on a create) is skipped without a fetch; a direct call gets 422."""
    event = stage.wikis.event(CREATION)
    assert (await stage.deliver(event)).outcome == "skipped:no_parent"
    del event["revision"]["rev_parent_id"]
    assert (await stage.deliver(event)).outcome == "skipped:no_parent"
    assert await stage.wiki_calls() == []
    reply = await stage.ask({"lang": "en", "rev_id": edit_of(CREATION)})
    assert (reply.status, reply.body["code"]) == (422, "no_parent")
    assert await stage.posts() == 0


async def test_e15_parent_that_an_edit_does_not_name_is_asked_of_the_api(stage: Stage) -> None:
    """If an edit's event names no parent, the API is asked."""
    event = stage.wikis.plain_edit()
    del event["revision"]["rev_parent_id"]
    assert (await stage.deliver(event)).outcome == "produced"
    assert len(await stage.wiki_calls()) >= 2


@pytest.mark.parametrize(
    ("page_id", "reason"),
    [
        (DELETED_PARENT, "parent_missing"),
        (FOREIGN_PARENT, "parent_missing"),
        (HIDDEN_PARENT, "parent_hidden"),
    ],
    ids=["deleted", "of-another-page", "hidden"],
)
async def test_e16_parent_that_cannot_be_read_is_a_skip(stage: Stage, page_id: int, reason: str) -> None:
    """If the parent is missing, hidden or on another page, the edit is skipped: there is nothing to compare with."""
    assert (await stage.deliver(stage.wikis.event(page_id))).outcome == f"skipped:{reason}"
    reply = await stage.ask({"lang": "en", "rev_id": edit_of(page_id)})
    assert (reply.status, reply.body["code"]) == (422, reason)
    assert await stage.posts() == 0


async def test_e16_parent_hidden_by_now_is_a_skip(stage: Stage) -> None:
    """A parent that the API hides is a skip, whatever the event shows."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults(hide(event, "text", part_of="parent"))
    assert (await stage.deliver(event)).outcome == "skipped:parent_hidden"
    assert await stage.posts() == 0


async def test_e19_undelete_is_scored_and_names_author_and_admin_apart(stage: Stage) -> None:
    """An undeleted revision is scored; `revision.editor` is its author and `performer` is who restored the page."""
    event = stage.wikis.event(UNDELETED)
    event["performer"] = {"user_text": f"{MARKER} Admin", "user_id": 99, "groups": ["sysop"]}
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await stage.the_emitted()
    assert emitted["page_change_kind"] == "undelete"
    assert emitted["performer"]["user_id"] == 99
    assert emitted["revision"]["editor"]["user_id"] == event["revision"]["editor"]["user_id"]


async def test_e19_undelete_of_a_hidden_authors_revision_still_names_the_admin(stage: Stage) -> None:
    """If the author is hidden, the event still names who restored the page."""
    event = stage.wikis.plain_edit() | {"page_change_kind": "undelete", "changelog_kind": "insert"}
    event["performer"] = {"user_text": f"{MARKER} Admin", "user_id": 99, "groups": ["sysop"]}
    del event["prior_state"]
    await stage.wiki_faults(hide(event, "user"))
    assert (await stage.deliver(event)).outcome == "produced"
    emitted = await stage.the_emitted()
    assert "editor" not in emitted["revision"]
    assert emitted["performer"]["user_id"] == 99
