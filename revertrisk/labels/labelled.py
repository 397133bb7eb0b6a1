"""Labels the edits in recorded page_change events, and counts the events that are left out, by reason."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from revertrisk.event_platform.page_change import SkipReason
from revertrisk.labels.recorded import VISIBILITY_CHANGE, facts_of, makes_revision, page_edit
from revertrisk.labels.rule import INVALID_EVENT, Judgement, LabelRule
from revertrisk.labels.store import EditStore, StoredEdit
from revertrisk.scoring.changes import Change
from revertrisk.scoring.training.labelling import HORIZON
from revertrisk.scoring.training.own_labels import with_features

REPEATED: Final = "repeated"

_OF_ANOTHER_WIKI: Final = frozenset(
    {SkipReason.UNKNOWN_WIKI, SkipReason.NOT_WIKIPEDIA, SkipReason.UNSUPPORTED_WIKI}
)
"""Events that are left out for these reasons do not affect any label. They are counted and not stored."""
_NO_OBJECT: Final = Judgement(INVALID_EVENT, None, "expected a JSON object")

ChangeOf = Callable[[str, int, int | None], Change | None]
"""Takes wiki id, revision id and parent id; returns the changed lines of the edit, or None without its texts."""


@dataclass(slots=True)
class Counts:
    """The counts of the events of a record. ``labelled`` and ``left_out`` add up to ``read``."""

    read: int = 0
    labelled: int = 0
    reverted: int = 0
    immature: int = 0
    """How many labelled edits are younger than the horizon at the end of the record."""
    left_out: Counter[str] = field(default_factory=Counter)
    reverts_without_range: int = 0
    """How many edits are marked as reverts without saying which edits they revert."""
    first_invalid: str | None = None
    """The first event that is not a valid page_change event, with the reason."""


def no_texts(_wiki_id: str, _rev_id: int, _parent_id: int | None) -> Change | None:
    """Return None, because events do not have texts."""
    return None


def label_events(
    events: Iterable[tuple[int, Mapping[str, Any] | None]],
    rule: LabelRule,
    counts: Counts,
    *,
    horizon: timedelta = HORIZON,
    change_of: ChangeOf = no_texts,
) -> Iterator[dict[str, Any]]:
    """Yield the lines of a labelled file for numbered page_change events, in any order.

    An event that could not be read is None. ``counts`` is complete when the iterator ends.

    Raises:
        sqlite3.Error: the edits cannot be written to the disk.

    """
    store = EditStore()
    try:
        end = _read(events, rule, counts, store)
        store.label(horizon)
        held = store.counts()
        counts.labelled = held.pop(None, 0)
        counts.left_out.update({str(reason): number for reason, number in held.items()})
        if repeated := counts.read - counts.labelled - counts.left_out.total():
            counts.left_out[REPEATED] = repeated
        counts.reverts_without_range = store.reverts_without_range()
        for edit in store.labelled():
            mature = end is not None and end - edit.saved_at >= horizon
            counts.reverted += edit.label.reverted
            counts.immature += not mature
            yield _line(edit, change_of(edit.wiki_id, edit.rev_id, edit.parent_id), mature=mature)
    finally:
        store.close()


def _read(
    events: Iterable[tuple[int, Mapping[str, Any] | None]], rule: LabelRule, counts: Counts, store: EditStore
) -> datetime | None:
    """Store the edits of the record; return the time of the last one."""
    end: datetime | None = None
    for number, event in events:
        counts.read += 1
        judgement = _NO_OBJECT if event is None else rule.judge(event)
        reason, change = judgement.reason, judgement.change
        if reason == INVALID_EVENT and counts.first_invalid is None:
            counts.first_invalid = f"line {number}: {judgement.problem}"
        if change is None or reason in _OF_ANOTHER_WIKI:
            counts.left_out[str(reason)] += 1
            continue
        if not makes_revision(change):
            counts.left_out[str(reason)] += 1
            if change.kind == VISIBILITY_CHANGE:
                _hide(store, change.event)
            continue
        edit = page_edit(change)
        end = edit.timestamp if end is None else max(end, edit.timestamp)
        store.add(edit, reason, None if reason is not None else facts_of(change, edit))
    return end


def _hide(store: EditStore, event: Mapping[str, Any]) -> None:
    revision = event["revision"]
    store.hide(
        event["wiki_id"],
        int(revision["rev_id"]),
        text=revision.get("is_content_visible") is False,
        user=revision.get("is_editor_visible") is False,
        comment=revision.get("is_comment_visible") is False,
    )


def _line(edit: StoredEdit, change: Change | None, *, mature: bool) -> dict[str, Any]:
    after = edit.label.reverted_after
    line = {
        **edit.facts,
        "old_lines": None if change is None else change.old_lines,
        "new_lines": None if change is None else change.new_lines,
        "old_length": None if change is None else change.old_length,
        "new_length": None if change is None else change.new_length,
        "label": edit.label.reverted,
        "mature": mature,
        "reverted_after_seconds": None if after is None else after.total_seconds(),
    }
    return with_features(line)
