"""Reads from events what the page shows of edits: reverts, kinds of authors, titles.

A field that is missing, or of another type than expected, gives None or "unknown"; nothing is raised.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from revertrisk.wiki.user_kinds import UserKind, user_kind


class Revert(NamedTuple):
    """The revisions of a page that an edit reverted, from the oldest to the newest."""

    oldest_id: int
    newest_id: int
    by_bot: bool
    rev_id: int
    """The edit that reverted them; 0 if it is not known."""

    def includes(self, rev_id: int) -> bool:
        """Return whether it reverted a revision of its page."""
        return self.oldest_id <= rev_id <= self.newest_id


def read_revert(event: Mapping[str, Any]) -> Revert | None:
    """Return which revisions a page_change event reverted, None if none or if it does not name them."""
    match event.get("revision"):
        case {"revert": {"rev_reverted_oldest_id": int(oldest), "rev_reverted_newest_id": int(newest)}}:
            editor = _author(event) or {}
            rev_id = event["revision"].get("rev_id")
            return Revert(
                oldest, newest, editor.get("is_bot") is True, rev_id if isinstance(rev_id, int) else 0
            )
    return None


def author_kind(event: Mapping[str, Any]) -> UserKind:
    """Return what kind of user made an event's revision."""
    author = _author(event)
    if author is None:
        return UserKind.UNKNOWN
    name, user_id, is_temp = (author.get(name) for name in ("user_text", "user_id", "is_temp"))
    return user_kind(
        name if isinstance(name, str) else None,
        user_id if isinstance(user_id, int) else None,
        is_temp=is_temp if isinstance(is_temp, bool) else None,
    )


def _author(event: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the author of an event's revision, None if hidden or missing.

    On edit and create the performer is the author. On an undelete it is another user.
    """
    revision = event["revision"]
    if revision.get("is_editor_visible") is False:
        return None
    found = revision.get("editor")
    if found is None and event.get("page_change_kind") in {"edit", "create"}:
        found = event.get("performer")
    return found if isinstance(found, Mapping) else None


def title_of(event: Mapping[str, Any]) -> str | None:
    """Return the title of an event's page, with spaces; None if it has none."""
    title = event["page"].get("page_title")
    return with_spaces(title) if isinstance(title, str) and title else None


def with_spaces(title: str) -> str:
    """Return a title with spaces instead of underscores."""
    return title.replace("_", " ")
