"""Our own labelled edits, JSON lines that `revertrisk.labels` makes from recorded events or an export, read back.

A line holds what a server would know when the edit is saved, the changed lines where the source has texts,
and the label. Authors and titles are digests: enough to keep related edits together.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import Group
from revertrisk.scoring.features import EditFacts, Features, describe
from revertrisk.wiki.user_kinds import UserKind

FORMAT = "revertrisk-labelled-edits/1"
"""Stands in every line's field ``format``."""

_TEXT_GROUPS = frozenset({Group.WORDS, Group.REFERENCES, Group.MARKUP})


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


def _seconds_between(earlier: str | None, later: datetime) -> float | None:
    return None if earlier is None else max(0.0, (later - datetime.fromisoformat(earlier)).total_seconds())
