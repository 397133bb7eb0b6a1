"""Reads recorded page_change events: the lines of a file, and from each event the facts for its label and its score."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from revertrisk.event_platform.page_change import SCORABLE_KINDS, Editor, PageChange
from revertrisk.runtime.instants import parse_date_time
from revertrisk.runtime.unpacking import split_lines, unpacked_chunks
from revertrisk.scoring.training.labelling import PageEdit
from revertrisk.scoring.training.own_labels import FORMAT
from revertrisk.streams.base import unwrapped
from revertrisk.wiki.revision_facts import LARGEST_ID
from revertrisk.wiki.user_kinds import UserKind, user_kind

VISIBILITY_CHANGE: Final = "visibility_change"
EDITING_KINDS: Final = frozenset({"create", "edit"})
"""A move or an undeletion is scored too, but it does not change the text, so there is no edit to label."""
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def is_export(path: Path) -> bool:
    """Return whether a file, plain or compressed, is XML: whether its first character is ``<``.

    Raises:
        PackedFileError: the file cannot be read or decompressed.

    """
    for chunk in unpacked_chunks(path):
        begin = chunk.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if begin:
            # UTF-16 has other byte order marks.
            return begin.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<"))
    return False


def recorded_events(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the number and the event of each line that is not blank; None for a line that is not a JSON object.

    For a line ``{"event": {…}}``, the form of a request body, the event is the inner object.

    Raises:
        PackedFileError: the file cannot be read or decompressed.

    """
    for number, line in enumerate(split_lines(unpacked_chunks(path)), start=1):
        if line is None or line.strip():
            yield number, None if line is None else _event(line.removeprefix(_BYTE_ORDER_MARK))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return unwrapped(value) if isinstance(value, dict) else None


def makes_revision(change: PageChange) -> bool:
    """Return whether the event adds a revision to the history of the page; a deletion, for example, does not."""
    return change.kind in SCORABLE_KINDS


def page_edit(change: PageChange) -> PageEdit:
    """Return the facts that determine the label of an edit and of the edits around it."""
    revision = change.event["revision"]
    revert = revision.get("revert")
    sha1 = revision.get("rev_sha1") or ""
    is_visible = revision.get("is_content_visible") is not False
    editor = change.editor
    return PageEdit(
        wiki_id=change.wiki_id,
        page_id=change.page_id,
        rev_id=change.rev_id,
        parent_id=_whole(revision.get("rev_parent_id")),
        timestamp=parse_date_time(revision.get("rev_dt") or change.event["dt"]),
        author=None
        if editor is None or not editor.user_text
        else digest(f"{change.wiki_id}|{editor.user_text}"),
        sha1=sha1 if sha1 and sha1.isascii() and is_visible else None,
        is_edit=change.kind in EDITING_KINDS,
        is_revert=isinstance(revert, dict),
        reverts=_range(revert),
    )


def facts_of(change: PageChange, edit: PageEdit) -> dict[str, Any]:
    """Return a line of a labelled file, without its label and its changed lines."""
    revision = change.event["revision"]
    before = _parent(change.event)
    editor = change.editor or Editor()
    comment_is_visible = revision.get("is_comment_visible") is not False
    return {
        "format": FORMAT,
        "wiki_id": edit.wiki_id,
        "rev_id": edit.rev_id,
        "page": digest(f"{edit.wiki_id}|{edit.page_id}"),
        "author": edit.author,
        "timestamp": edit.timestamp.isoformat(),
        "parent_timestamp": None
        if before.get("rev_dt") is None
        else parse_date_time(before["rev_dt"]).isoformat(),
        "namespace_id": _whole(change.event["page"].get("namespace_id")),
        "user": {
            "kind": UserKind.UNKNOWN
            if change.editor is None
            else user_kind(editor.user_text, editor.user_id, is_temp=editor.is_temp),
            "edit_count": editor.edit_count,
            "registered": None if editor.registration_dt is None else editor.registration_dt.isoformat(),
            "groups": None if editor.groups is None else list(editor.groups),
            "is_bot": editor.is_bot,
        },
        "parent_user_kind": _prior_user_kind(before),
        "comment": revision.get("comment") if comment_is_visible else None,
        "minor": revision.get("is_minor_edit"),
    }


def digest(text: str) -> str:
    """Return the hash that replaces a name in a labelled file. Equal names have equal hashes."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _range(revert: Any) -> tuple[int, int] | None:
    """Return the oldest and the newest reverted revision id, or None: EventBus leaves out ids that it does not know."""
    if not isinstance(revert, dict):
        return None
    oldest, newest = (revert.get(f"rev_reverted_{end}_id") for end in ("oldest", "newest"))
    # The schema for incoming events does not check these fields.
    if not isinstance(oldest, int) or not isinstance(newest, int):
        return None
    return (oldest, newest) if 0 < oldest <= LARGEST_ID and 0 < newest <= LARGEST_ID else None


def _parent(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what the event says about the parent of the revision; {} if it describes none, or another revision."""
    before: Mapping[str, Any] = event.get("prior_state", {}).get("revision", {})
    parent_id = event["revision"].get("rev_parent_id")
    return before if before.get("rev_id", parent_id) == parent_id else {}


def _prior_user_kind(before: Mapping[str, Any]) -> UserKind:
    editor = before.get("editor")
    if editor is None or before.get("is_editor_visible") is False:
        return UserKind.UNKNOWN
    return user_kind(editor.get("user_text"), editor.get("user_id"), is_temp=editor.get("is_temp"))


def _whole(number: Any) -> int | None:
    return None if number is None else int(number)
