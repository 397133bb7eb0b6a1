"""Our own labelled edits: JSON lines made from a recorded page_change stream or from an export, and read back.

A line holds what a server would know when the edit is saved, the changed lines where the source has texts,
and the label. Authors and titles are digests: enough to keep related edits together.
"""

import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import Any

from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import Group
from revertrisk.scoring.features import EditFacts, Features, describe
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.scoring.training.labelling import HORIZON, Label, PageEdit, label_edits
from revertrisk.wiki.exports.reader import ExportedPage, ExportedRevision, exported_revisions
from revertrisk.wiki.user_kinds import UserKind, user_kind

FORMAT = "revertrisk-labelled-edits/1"
"""Stands in every line's field ``format``."""

_TEXT_GROUPS = frozenset({Group.WORDS, Group.REFERENCES, Group.MARKUP})


def label_events(lines: Iterable[bytes], horizon: timedelta = HORIZON) -> Iterator[dict[str, Any]]:
    """Label the edits of page_change events, given as JSON lines; texts stay unknown.

    Raises:
        TrainingError: naming the line and the field of an event that cannot be used.

    """
    events = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = json.loads(line)
            if event["page_change_kind"] in {"edit", "create"}:
                events[event["wiki_id"], event["revision"]["rev_id"]] = (_page_edit(event), event)
        except KeyError as exc:
            raise TrainingError(f"line {number}: field {exc} is missing") from None
        except (ValueError, TypeError, AttributeError):
            raise TrainingError(f"line {number}: expected a page_change event") from None
    ordered = sorted(events.values(), key=lambda pair: (pair[0].timestamp, pair[0].rev_id))
    labels = label_edits((edit for edit, _ in ordered), horizon)
    for edit, event in ordered:
        label = labels.get((edit.wiki_id, edit.rev_id))
        if label is not None and event["page_change_kind"] == "edit" and not _is_null_edit(event):
            yield {**_event_facts(edit, event), **_label_fields(label)}


def label_export(export: Path, wiki_id: str, horizon: timedelta = HORIZON) -> Iterator[dict[str, Any]]:
    """Label the edits of a MediaWiki XML export by identity reverts, with their changed lines."""

    def page_edit(page: ExportedPage, revision: ExportedRevision) -> PageEdit:
        return PageEdit(
            wiki_id=wiki_id,
            page_id=page.page_id,
            rev_id=revision.rev_id,
            timestamp=revision.saved_at,
            author=revision.user_name,
            # An empty text may be one that the archive lost.
            sha1=_digest(revision.text) if revision.text else None,
        )

    labels = label_edits(starmap(page_edit, exported_revisions(export)), horizon)
    before: tuple[ExportedPage, ExportedRevision] | None = None
    for page, current in exported_revisions(export):
        label = labels.get((wiki_id, current.rev_id))
        if before is not None and before[0] is page and label is not None:
            change = changes.between(before[1].text or "", current.text or "")
            if change.old_lines or change.new_lines:
                yield {**_export_facts(page, current, before[1], change, wiki_id), **_label_fields(label)}
        before = page, current


def write_labels(rows: Iterable[Mapping[str, Any]], path: Path) -> int:
    """Write labelled edits, gzipped if the name ends in ``.gz``; return their number."""
    number = 0
    with path.open("wb") as file, gzip.open(file, "wb") if path.suffix == ".gz" else nullcontext(file) as out:
        for row in rows:
            out.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            number += 1
    return number


def features_of(row: Mapping[str, Any]) -> Features:
    """Take the features of a line; texts that its source did not have are unknown."""
    user, timestamp = row["user"], datetime.fromisoformat(row["timestamp"])
    facts = EditFacts(
        user_kind=UserKind(user["kind"]),
        user_edit_count=user["edit_count"],
        user_age_seconds=_seconds_between(user["registered"], timestamp),
        user_is_bot=user["is_bot"],
        user_groups=None if user["groups"] is None else frozenset(user["groups"]),
        comment=row["comment"],
        is_minor=row["minor"],
        seconds_since_parent=_seconds_between(row["parent_timestamp"], timestamp),
        parent_user_kind=UserKind(row["parent_user_kind"]),
        namespace_id=row["namespace_id"],
    )
    if row["new_lines"] is None:
        return describe(changes.of_lines("", ""), facts, lacking=_TEXT_GROUPS | {Group.PAGE})
    change = changes.of_lines(
        row["old_lines"], row["new_lines"], old_length=row["old_length"], new_length=row["new_length"]
    )
    return describe(change, facts)


def _page_edit(event: Mapping[str, Any]) -> PageEdit:
    revision = event["revision"]
    revert = revision.get("revert")
    editor = revision.get("editor") or {}
    return PageEdit(
        wiki_id=event["wiki_id"],
        page_id=event["page"]["page_id"],
        rev_id=revision["rev_id"],
        timestamp=datetime.fromisoformat(revision.get("rev_dt") or event["dt"]),
        author=editor.get("user_text"),
        sha1=revision.get("rev_sha1"),
        reverts=None
        if revert is None
        else (revert["rev_reverted_oldest_id"], revert["rev_reverted_newest_id"]),
    )


def _is_null_edit(event: Mapping[str, Any]) -> bool:
    before = (event.get("prior_state") or {}).get("revision") or {}
    sha1 = event["revision"].get("rev_sha1")
    return sha1 is not None and sha1 == before.get("rev_sha1")


def _event_facts(edit: PageEdit, event: Mapping[str, Any]) -> dict[str, Any]:
    revision = event["revision"]
    before = (event.get("prior_state") or {}).get("revision") or {}
    editor = revision.get("editor") or {}
    return {
        "format": FORMAT,
        "wiki_id": edit.wiki_id,
        "rev_id": edit.rev_id,
        "page": _digest(f"{edit.wiki_id}|{edit.page_id}"),
        "author": _author(edit),
        "timestamp": edit.timestamp.isoformat(),
        "parent_timestamp": before.get("rev_dt"),
        "namespace_id": event["page"].get("namespace_id"),
        "user": {
            "kind": _kind(editor),
            "edit_count": editor.get("edit_count"),
            "registered": editor.get("registration_dt"),
            "groups": editor.get("groups"),
            "is_bot": editor.get("is_bot"),
        },
        "parent_user_kind": _kind(before.get("editor") or {}),
        "comment": revision.get("comment"),
        "minor": revision.get("is_minor_edit"),
        "old_lines": None,
        "new_lines": None,
        "old_length": None,
        "new_length": None,
    }


def _export_facts(
    page: ExportedPage,
    current: ExportedRevision,
    parent: ExportedRevision,
    change: changes.Change,
    wiki_id: str,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "wiki_id": wiki_id,
        "rev_id": current.rev_id,
        "page": _digest(f"{wiki_id}|{page.title}"),
        "author": None if current.user_name is None else _digest(f"{wiki_id}|{current.user_name}"),
        "timestamp": current.saved_at.isoformat(),
        "parent_timestamp": parent.saved_at.isoformat(),
        "namespace_id": None,
        "user": {
            "kind": current.user_kind,
            "edit_count": None,
            "registered": None,
            "groups": None,
            "is_bot": None,
        },
        "parent_user_kind": parent.user_kind,
        "comment": current.visible_comment,
        "minor": current.is_minor,
        "old_lines": change.old_lines,
        "new_lines": change.new_lines,
        "old_length": change.old_length,
        "new_length": change.new_length,
    }


def _label_fields(label: Label) -> dict[str, Any]:
    after = label.reverted_after
    return {
        "label": label.reverted,
        "mature": label.mature,
        "reverted_after_seconds": None if after is None else after.total_seconds(),
    }


def _kind(editor: Mapping[str, Any]) -> UserKind:
    return user_kind(editor.get("user_text"), editor.get("user_id"), is_temp=editor.get("is_temp"))


def _author(edit: PageEdit) -> str | None:
    return None if edit.author is None else _digest(f"{edit.wiki_id}|{edit.author}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _seconds_between(earlier: str | None, later: datetime) -> float | None:
    return None if earlier is None else max(0.0, (later - datetime.fromisoformat(earlier)).total_seconds())
