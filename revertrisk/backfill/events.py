"""Builds the page_change event of a past revision, from the wiki's present answer about it.

The event holds what does not change after an edit: ids, times, sizes, hashes, comment and author. It leaves out the
author's edit count and groups, which a wiki has only as of today, and whether the edit moved or restored a page.
"""

from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.runtime.instants import iso_z
from revertrisk.wiki.history import base36_sha1
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.table import Wiki

SCHEMA: Final = "/mediawiki/page/change/1.2.0"
"""The first version in which the performer is optional."""
_UNQUOTED: Final = ";@$!*(),/~:"  # characters that MediaWiki does not escape in the path of a page


def page_change(
    wiki: Wiki, revision: RevisionFacts, parent: RevisionFacts | None, asked_at: datetime
) -> dict[str, Any]:
    """Return the event of a revision; ``asked_at`` is the time of the request to the wiki.

    The first revision of a page is a ``create``, any other is an ``edit``: a list of revisions does not distinguish
    moves and restorations from edits. The title and the namespace of the page are the present ones.
    """
    title = revision.title.replace(" ", "_")
    event: dict[str, Any] = {
        "$schema": SCHEMA,
        "meta": {
            # The event is not produced to a stream; the prediction's stream shows that it is of a backfill.
            "stream": PAGE_CHANGE_STREAM,
            "domain": wiki.domain,
            "uri": f"https://{wiki.domain}/wiki/{quote(title, safe=_UNQUOTED)}",
            "dt": iso_z(asked_at),
        },
        "changelog_kind": "update" if revision.parent_id else "insert",
        "page_change_kind": "edit" if revision.parent_id else "create",
        "dt": revision.timestamp,
        "wiki_id": wiki.wiki_id,
        "page": {
            "page_id": revision.page_id,
            "page_title": title,
            "namespace_id": revision.namespace_id,
            "is_redirect": revision.is_or_was_redirect,
        },
        "revision": _revision(revision),
    }
    if (author := _author(revision)) is not None:
        event["performer"] = author
    if parent is not None:
        event["prior_state"] = {"revision": _revision(parent)}
    return event


def _revision(facts: RevisionFacts) -> dict[str, Any]:
    entity: dict[str, Any] = {
        "rev_id": facts.rev_id,
        "rev_parent_id": facts.parent_id,
        "rev_dt": facts.timestamp,
        "is_minor_edit": facts.is_minor,
        "is_content_visible": not facts.hidden_text,
        "is_editor_visible": not facts.hidden_user,
        "is_comment_visible": not facts.hidden_comment,
    }
    known = {
        "rev_sha1": None if facts.sha1 is None else base36_sha1(facts.sha1),
        "rev_size": None if facts.hidden_text else facts.size,
        "comment": facts.comment,
        "editor": _author(facts),
    }
    entity |= {name: value for name, value in known.items() if value is not None}
    if facts.content_model is not None and not facts.hidden_text:
        entity["content_slots"] = {"main": {"slot_role": "main", "content_model": facts.content_model}}
    return entity


def _author(facts: RevisionFacts) -> dict[str, Any] | None:
    if not facts.user_text:
        return None
    author: dict[str, Any] = {"user_text": facts.user_text, "is_temp": facts.is_temp}
    return author | {"user_id": facts.user_id} if facts.user_id else author
