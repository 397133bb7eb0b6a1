"""Makes page_change events from a history, as a wiki would have sent them when the changes happened.

The events have the fields of schema version 1.12.0, as captured in production. A fact that the history does not
contain is absent. The same history gives the same events, including their ids.
"""

import os
import uuid
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO, Final
from urllib.parse import quote

import orjson

from mock_mediawiki.reverts import Revert, find_revert
from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.wiki.history import ChangeKind, History, Part, StoredRevision, StoredUser
from revertrisk.wiki.reverts import TEXTS_COMPARED
from revertrisk.wiki.table import Wiki, WikiTable
from revertrisk.wiki.user_kinds import UserKind

SCHEMA: Final = "/mediawiki/page/change/1.12.0"

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, PAGE_CHANGE_STREAM)
_UNQUOTED: Final = ";@$!*(),/~:"  # characters that MediaWiki does not escape in the path of a page
_CHANGELOG_KINDS: Final = {
    ChangeKind.CREATE: "insert",
    ChangeKind.EDIT: "update",
    ChangeKind.MOVE: "update",
    ChangeKind.UNDELETE: "insert",
}


def page_changes(history: History, wikis: WikiTable) -> Iterator[dict[str, Any]]:
    """Yield the events of a history as JSON values, oldest first.

    ``wikis`` must contain every wiki of the history; loading a history checks that.
    """
    for revision in history.changes():
        wiki = wikis.by_id(revision.wiki_id)
        assert wiki is not None, revision.wiki_id  # noqa: S101 - states the precondition
        yield _page_change(history, wiki, revision)


def write_page_changes(history: History, wikis: WikiTable, out: BinaryIO, limit: int | None = None) -> None:
    """Write the first ``limit`` events (all by default), one JSON object a line.

    It ends without an error when the reader of ``out`` closes it, as in ``| head``.
    """
    try:
        events = islice(page_changes(history, wikis), limit)
        out.writelines(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events)
        out.flush()
    except BrokenPipeError:
        # At exit the interpreter would write the buffered rest, and fail again: it goes to the null device.
        null_device = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null_device, out.fileno())
        os.close(null_device)


def _page_change(history: History, wiki: Wiki, revision: StoredRevision) -> dict[str, Any]:
    kind = revision.kind
    parent = history.revision(revision.wiki_id, revision.parent_id) if revision.parent_id else None
    event: dict[str, Any] = {
        "$schema": SCHEMA,
        "meta": _meta(wiki, revision),
        "changelog_kind": _CHANGELOG_KINDS[kind],
        "page_change_kind": kind.value,
        "dt": revision.timestamp,
        "wiki_id": revision.wiki_id,
        "page": _page(revision),
        "revision": _revision(history, revision),
    }
    # A history does not contain who restored a deleted page, or why.
    if kind is not ChangeKind.UNDELETE and (user := _visible_user(revision)) is not None:
        event["performer"] = _user(user, revision.wiki_id)
    if kind is ChangeKind.MOVE and (comment := _visible_comment(revision)) is not None:
        event["comment"] = comment
    revert = find_revert(revision, history.preceding(revision, TEXTS_COMPARED))
    if revert is not None:
        event["revision"]["revert"] = _revert(revert)
    prior_state: dict[str, Any] = {}
    if revision.moved_from is not None:
        prior_state["page"] = {"page_title": _underscored(revision.moved_from)}
        if (created := _redirect_left_behind(history, revision)) is not None:
            event["created_redirect_page"] = created
    if parent is not None and kind in {ChangeKind.EDIT, ChangeKind.MOVE}:
        prior_state["revision"] = _revision(history, parent)
    if prior_state:
        event["prior_state"] = prior_state
    return event


def _meta(wiki: Wiki, revision: StoredRevision) -> dict[str, Any]:
    name = f"{revision.wiki_id}|{revision.page_id}|{revision.rev_id}|{revision.kind}"
    path = quote(_underscored(revision.page_title), safe=_UNQUOTED)
    return {
        "stream": PAGE_CHANGE_STREAM,
        "uri": f"https://{wiki.domain}/wiki/{path}",
        "id": str(uuid.uuid5(_NAMESPACE, f"event|{name}")),
        "request_id": str(uuid.uuid5(_NAMESPACE, f"request|{name}")),
        "domain": wiki.domain,
        "dt": revision.timestamp,
        "key": {"wiki_id": revision.wiki_id, "page_id": revision.page_id},
    }


def _page(revision: StoredRevision) -> dict[str, Any]:
    return {
        "page_id": revision.page_id,
        "page_title": _underscored(revision.page_title),
        "namespace_id": revision.namespace_id,
        "is_redirect": revision.is_redirect,
        "namespace_is_content": revision.namespace_id == 0,  # MediaWiki's default, and every Wikipedia's
    }


def _redirect_left_behind(history: History, move: StoredRevision) -> dict[str, Any] | None:
    """Return the page entity of the redirect at the old title; None if the history has no redirect there."""
    page = history.page_titled(move.wiki_id, move.moved_from or "")
    latest = history.revision(page.wiki_id, page.latest_rev_id) if page is not None else None
    return _page(latest) if latest is not None and latest.is_redirect else None


def _revision(history: History, revision: StoredRevision) -> dict[str, Any]:
    # An export can lack a text and its hash. The schema allows a missing hash only where the text is not visible.
    is_content_visible = Part.TEXT not in revision.hidden and revision.sha1 is not None
    entity: dict[str, Any] = {
        "rev_id": revision.rev_id,
        "rev_dt": revision.timestamp,
        "is_minor_edit": revision.is_minor,
        "rev_parent_id": revision.parent_id,
        "is_content_visible": is_content_visible,
        "is_editor_visible": Part.USER not in revision.hidden,
        "is_comment_visible": Part.COMMENT not in revision.hidden,
    }
    if (comment := _visible_comment(revision)) is not None:
        entity["comment"] = comment
    if (user := _visible_user(revision)) is not None:
        entity["editor"] = _user(user, revision.wiki_id)
    if is_content_visible:
        content = {"rev_sha1": revision.sha1, "rev_size": revision.size}
        entity |= {name: value for name, value in content.items() if value is not None}
        entity["content_slots"] = {"main": _main_slot(history, revision)}
    return entity


def _main_slot(history: History, revision: StoredRevision) -> dict[str, Any]:
    origin = revision
    while origin.kind is ChangeKind.MOVE:  # a move's revision keeps its parent's content
        parent = history.revision(origin.wiki_id, origin.parent_id)
        if parent is None:
            break
        origin = parent
    slot = {
        "slot_role": "main",
        "content_model": revision.content_model,
        "content_sha1": revision.sha1,
        "content_size": revision.size,
        "content_format": revision.content_format,
        "origin_rev_id": origin.rev_id,
    }
    return {name: value for name, value in slot.items() if value is not None}


def _revert(revert: Revert) -> dict[str, Any]:
    return {
        "method": revert.method.value,
        "is_exact": True,  # it was recognised by its hash
        "rev_original_id": revert.original.rev_id,
        "rev_original_dt": revert.original.timestamp,
        "rev_reverted_oldest_id": revert.oldest_reverted.rev_id,
        "rev_reverted_newest_id": revert.newest_reverted.rev_id,
    }


def _user(user: StoredUser, wiki_id: str) -> dict[str, Any]:
    facts = {
        "user_text": user.name,
        "groups": None if user.groups is None else list(user.groups),
        "is_temp": user.kind is UserKind.TEMPORARY,
        "wiki_id": wiki_id,
        "user_id": user.user_id or None,
        "edit_count": user.edit_count,
        "registration_dt": user.registered,
        "is_bot": None if user.groups is None else "bot" in user.groups,
        "is_system": None if user.groups is None else False,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _visible_user(revision: StoredRevision) -> StoredUser | None:
    return None if Part.USER in revision.hidden else revision.user


def _visible_comment(revision: StoredRevision) -> str | None:
    return None if Part.COMMENT in revision.hidden else revision.comment


def _underscored(title: str) -> str:
    return title.replace(" ", "_")
