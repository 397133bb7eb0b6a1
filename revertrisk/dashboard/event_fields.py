"""What events tell of edits: reverts, authors and titles. Nothing is raised for what came in."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Revert(NamedTuple):
    """The revisions of a page that an edit undid, from the oldest to the newest."""

    oldest_id: int
    newest_id: int
    by_bot: bool


def read_revert(event: Mapping[str, Any]) -> Revert | None:
    """Return what a page_change event says its edit undid, None where it undid nothing or does not say what."""
    match event.get("revision"):
        case {"revert": {"rev_reverted_oldest_id": int(oldest), "rev_reverted_newest_id": int(newest)}}:
            editor = author_of(event) or {}
            return Revert(oldest, newest, editor.get("is_bot") is True)
    return None


def author_of(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the author of an event's revision, None where it is hidden or not told.

    On an undelete the performer is somebody else, so it stands in only on edit and create.
    """
    revision = event["revision"]
    if revision.get("is_editor_visible") is False:
        return None
    found = revision.get("editor")
    if found is None and event.get("page_change_kind") in {"edit", "create"}:
        found = event.get("performer")
    return found if isinstance(found, Mapping) else None


def title_of(event: Mapping[str, Any]) -> str | None:
    """Return the title of an event's page as people read it, None where there is none."""
    title = event["page"].get("page_title")
    return plain(title) if isinstance(title, str) and title else None


def plain(title: str) -> str:
    """Return a title with spaces."""
    return title.replace("_", " ")
