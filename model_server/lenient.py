"""Lenient mode: completes an incomplete event, for people who try out the server.

Missing facts come from the MediaWiki API, or get a default. Facts about the page and the revision that differ are
replaced by the API's. The performer is never filled in.
"""

from collections.abc import Mapping
from typing import Any, Final

from revertrisk.event_platform.schemas import Violation
from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.table import Wiki

NEWEST_SCHEMA = "/mediawiki/page/change/1.2.0"


ADDABLE: Final = frozenset(
    {
        "/$schema",
        "/changelog_kind",
        "/page_change_kind",
        "/dt",
        "/meta",
        "/meta/stream",
        "/page",
        "/page/page_id",
        "/page/page_title",
        "/revision/rev_dt",
    }
)
"""The required fields that `complete` adds; wiki and revision id must be in the event."""


def can_add(violation: Violation) -> bool:
    """Return whether a violation of the reading contract is a missing field that `complete` adds."""
    return violation.keyword == "required" and violation.pointer in ADDABLE


def complete(
    event: Mapping[str, Any], wiki: Wiki, revision: RevisionFacts
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Return the event with the API's facts, and the JSON pointers of the fields that were added, and replaced."""
    completed = dict(event)
    added: list[str] = []
    replaced: list[str] = []

    def put(pointer: str, into: dict[str, Any], name: str, fact: Any, *, overrule: bool) -> None:
        if into.get(name) == fact or (name in into and not overrule):
            return
        (replaced if name in into else added).append(pointer)
        into[name] = fact

    def assume(name: str, value: Any) -> None:
        put(f"/{name}", completed, name, value, overrule=False)

    assume("$schema", NEWEST_SCHEMA)
    assume("changelog_kind", "update")
    assume("page_change_kind", "edit" if revision.parent_id else "create")
    assume("dt", revision.timestamp)
    for part, facts in {
        "page": _page_facts(revision),
        "revision": _revision_facts(revision),
    }.items():
        entity = completed[part] = dict(event.get(part, {}))
        for name, fact in facts.items():
            put(f"/{part}/{name}", entity, name, fact, overrule=True)
    meta = completed["meta"] = dict(event.get("meta", {}))
    put("/meta/stream", meta, "stream", PAGE_CHANGE_STREAM, overrule=False)
    put("/meta/domain", meta, "domain", wiki.domain, overrule=False)
    return completed, tuple(added), tuple(replaced)


def _page_facts(revision: RevisionFacts) -> dict[str, Any]:
    return {
        "page_id": revision.page_id,
        "page_title": revision.title.replace(" ", "_"),
        "namespace_id": revision.namespace_id,
        "is_redirect": revision.is_redirect,
    }


def _revision_facts(revision: RevisionFacts) -> dict[str, Any]:
    facts = {
        "rev_id": revision.rev_id,
        "rev_parent_id": revision.parent_id,
        "rev_dt": revision.timestamp,
        "is_minor_edit": revision.is_minor,
        "rev_size": revision.size,
        "is_content_visible": not revision.hidden_text,
        "is_editor_visible": not revision.hidden_user,
        "is_comment_visible": not revision.hidden_comment,
    }
    if revision.comment is not None:
        facts["comment"] = revision.comment
    return facts
