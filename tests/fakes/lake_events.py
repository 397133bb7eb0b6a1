"""Streams of synthetic events for the lake: edits, reverts, predictions, hidings, undeletes; any number, any order."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM, PREDICTION_STREAMS

START = datetime(2026, 10, 1, tzinfo=UTC)
WIKIS = ("enwiki", "dewiki", "frwiki", "eswiki", "ptwiki", "ruwiki", "bgwiki", "fawiki", "simplewiki")
LANGUAGE_AGNOSTIC, MULTILINGUAL = PREDICTION_STREAMS


@dataclass(frozen=True, slots=True)
class Edit:
    """What the events of one edit are made of."""

    number: int
    wiki_id: str
    page_id: int
    rev_id: int
    parent_id: int
    user: int
    moment: datetime
    reverts: tuple[int, int, int] | None = None
    """Original, oldest and newest reverted revision."""


def edits(
    number: int, *, days: int = 3, pages: int | None = None, users: int = 50, seed: int = 7
) -> Iterator[Edit]:
    """Yield edits in the order of their making; every twelfth or so undoes the one or two before it on its page."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    pages = pages or max(number // 10, 1)
    last: dict[int, list[int]] = {}
    step = timedelta(days=days) / number
    for each in range(number):
        page_id = chance.randrange(pages) + 1
        before = last.setdefault(page_id, [])
        reverts = None
        if len(before) > 1 and chance.random() < 0.12:
            undone = min(chance.choice((1, 1, 2)), len(before) - 1)
            reverts = (before[-undone - 1], before[-undone], before[-1])
        rev_id = 1_000_000 * seed + each
        moment = START + each * step
        yield Edit(
            each,
            WIKIS[page_id % len(WIKIS)],
            page_id,
            rev_id,
            before[-1] if before else 0,
            chance.randrange(users),
            moment.replace(microsecond=0),
            reverts,
        )
        before.append(rev_id)
        del before[:-4]


def user_of(number: int) -> dict[str, Any]:
    """Return a user entity: every fifth an address, every tenth a bot."""
    if number % 5 == 1:
        return {"user_text": f"198.51.100.{number % 250}", "groups": ["*"], "is_bot": False, "is_temp": False}
    groups = [
        "*",
        "user",
        "autoconfirmed",
        *(["bot"] if number % 10 == 0 else []),
        *(["sysop"] if number % 7 == 0 else []),
    ]
    return {
        "user_text": f"User {number}",
        "user_id": number + 1,
        "groups": groups,
        "is_bot": "bot" in groups,
        "is_system": False,
        "is_temp": False,
        "edit_count": number * 13 % 900,
        "registration_dt": f"20{10 + number % 15}-0{1 + number % 9}-12T08:00:00Z",
    }


def page_change(edit: Edit, *, kind: str = "edit", after_s: float = 1.0, **facts: Any) -> dict[str, Any]:
    """Return the page_change event of an edit, received ``after_s`` after it; ``facts`` are of its revision."""
    received = edit.moment + timedelta(seconds=after_s)
    user = user_of(edit.user)
    revision: dict[str, Any] = {
        "rev_id": edit.rev_id,
        "rev_dt": _z(edit.moment),
        "rev_parent_id": edit.parent_id,
        "is_minor_edit": edit.number % 3 == 0,
        "rev_size": 1000 + edit.number % 977,
        "rev_sha1": f"sha{edit.rev_id}",
        "is_content_visible": True,
        "is_editor_visible": True,
        "is_comment_visible": True,
        "comment": "changed a sentence about something",
        "editor": user,
        "content_slots": {"main": {"slot_role": "main", "content_model": "wikitext", "content_size": 1000}},
    } | facts
    if not revision["is_editor_visible"]:
        del revision["editor"]
    if edit.reverts is not None and kind == "edit":
        original, oldest, newest = edit.reverts
        revision["revert"] = {
            "method": "rollback",
            "is_exact": True,
            "rev_original_id": original,
            "rev_reverted_oldest_id": oldest,
            "rev_reverted_newest_id": newest,
        }
    event: dict[str, Any] = {
        "$schema": "/mediawiki/page/change/1.12.0",
        "meta": _meta(edit, PAGE_CHANGE_STREAM, received, f"{kind}-{after_s}"),
        "changelog_kind": {"delete": "delete", "undelete": "insert"}.get(kind, "update"),
        "page_change_kind": kind,
        "dt": _z(edit.moment if kind == "edit" else received),
        "wiki_id": edit.wiki_id,
        "page": {
            "page_id": edit.page_id,
            "page_title": f"Page_{edit.page_id}",
            "namespace_id": 0,
            "is_redirect": False,
            "namespace_is_content": True,
        },
        "performer": user,
        "revision": revision,
    }
    if kind == "edit" and edit.parent_id:
        event["prior_state"] = {
            "revision": {"rev_id": edit.parent_id, "rev_sha1": f"sha{edit.parent_id}", "rev_size": 990}
        }
    return event


def prediction(
    edit: Edit, model: str = LANGUAGE_AGNOSTIC, *, version: str = "3", suffix: str = ""
) -> dict[str, Any]:
    """Return the prediction of an edit on the model's stream, or on the one with a suffix."""
    probability = round((edit.rev_id * 7919 + len(model)) % 100_000 / 100_000, 6)
    return {
        "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "meta": _meta(
            edit, PREDICTION_STREAMS[model] + suffix, edit.moment + timedelta(seconds=2), model + version
        ),
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": _z(edit.moment),
        "wiki_id": edit.wiki_id,
        "page": {
            "page_id": edit.page_id,
            "page_title": f"Page_{edit.page_id}",
            "namespace_id": 0,
            "is_redirect": False,
        },
        "performer": user_of(edit.user),
        "revision": {
            "rev_id": edit.rev_id,
            "rev_dt": _z(edit.moment),
            "rev_parent_id": edit.parent_id,
            "rev_size": 1000,
        },
        "predicted_classification": {
            "model_name": model,
            "model_version": version,
            "predictions": ["true" if probability >= 0.5 else "false"],
            "probabilities": {"true": probability, "false": round(1 - probability, 6)},
        },
    }


def author_hidden(edit: Edit, *, after_s: float = 3600.0, user: bool = False) -> dict[str, Any]:
    """Return the event that says that an old revision's author is hidden (or visible again)."""
    received = edit.moment + timedelta(seconds=after_s)
    return {
        "$schema": "/mediawiki/revision/visibility-change/1.1.0",
        "meta": _meta(edit, "mediawiki.revision-visibility-change", received, f"visibility-{after_s}"),
        "database": edit.wiki_id,
        "page_id": edit.page_id,
        "page_title": f"Page_{edit.page_id}",
        "page_namespace": 0,
        "rev_id": edit.rev_id,
        "rev_timestamp": _z(edit.moment),
        "performer": {"user_text": "An admin", "user_groups": ["sysop"], "user_is_bot": False},
        "visibility": {"text": True, "user": user, "comment": True},
        "prior_state": {"visibility": {"text": True, "user": not user, "comment": True}},
    }


def canary(stream: str = PAGE_CHANGE_STREAM) -> dict[str, Any]:
    """Return an event that only shows that a stream is alive."""
    event = page_change(Edit(0, "enwiki", 1, 1, 0, 0, START))
    return event | {"meta": event["meta"] | {"domain": "canary", "stream": stream}}


def events_of(edit: Edit) -> list[dict[str, Any]]:
    """Return what happens to one edit, in the order in which it happens: predictions, an undelete, hidings."""
    events = [page_change(edit)]
    events += [prediction(edit, model) for model in (LANGUAGE_AGNOSTIC, MULTILINGUAL)]
    if edit.number % 7 == 0:
        events.append(prediction(edit, suffix=(".backfill", ".shadow")[edit.number % 2]))
    if edit.number % 11 == 0:
        events.append(page_change(edit, kind="delete", after_s=500))
        events.append(page_change(edit, kind="undelete", after_s=90_000))
    if edit.number % 13 == 0:
        events.append(author_hidden(edit, after_s=86_400 * (edit.number % 5)))
    if edit.number % 39 == 0:
        events.append(author_hidden(edit, after_s=86_400 * 9, user=True))
    if edit.number % 17 == 0:
        visible = edit.number % 2 == 0
        events.append(page_change(edit, kind="visibility_change", after_s=700, is_editor_visible=visible))
    return events


def month(number: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return what happens to some edits of forty days."""
    return [event for edit in edits(number, days=40, seed=seed) for event in events_of(edit)]


def shuffled(events: list[dict[str, Any]], seed: int) -> list[dict[str, Any]]:
    """Return them in any order, a tenth twice."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    mixed = events + chance.choices(events, k=len(events) // 10)
    chance.shuffle(mixed)
    return mixed


def as_lines(events: Iterable[dict[str, Any]]) -> list[bytes]:
    """Return events as JSON, one a line."""
    return [orjson.dumps(event) for event in events]


def _meta(edit: Edit, stream: str, received: datetime, what: str) -> dict[str, Any]:
    return {
        "stream": stream,
        "id": f"{edit.wiki_id}-{edit.rev_id}-{what}",
        "request_id": f"request-{edit.rev_id}",
        "domain": f"{edit.wiki_id.removesuffix('wiki')}.wikipedia.org",
        "uri": f"https://{edit.wiki_id.removesuffix('wiki')}.wikipedia.org/wiki/Page_{edit.page_id}",
        "dt": _z(received),
    }


def _z(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
