"""Our own labelled edits, JSON lines that `revertrisk.labels` makes from recorded events or an export, read back.

A line holds what a server would know when the edit is saved, the features that it would take, by name, the changed
lines where the source has texts, and the label. Authors and titles are digests: enough to keep related edits together.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from revertrisk.scoring import changes
from revertrisk.scoring.feature_table import FEATURE_SET, FEATURES, Group
from revertrisk.scoring.features import EditFacts, Features, describe
from revertrisk.scoring.training.examples import TrainingError
from revertrisk.wiki.user_kinds import UserKind

FORMAT = "revertrisk-labelled-edits/2"
"""Stands in every line's field ``format``."""

_TEXT_GROUPS = frozenset({Group.WORDS, Group.REFERENCES, Group.MARKUP})
_NAMES = frozenset(feature.name for feature in FEATURES)


def with_features(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line with its features, by name, and the version of the table that they are of."""
    return {**row, "feature_set": FEATURE_SET, "features": dict(_taken(row).values)}


def features_of(row: Mapping[str, Any]) -> Features:
    """Return the features that a line holds; texts that its source did not have are unknown.

    Raises:
        TrainingError: the line is of another format, or has the features of another table.

    """
    if row["format"] != FORMAT:
        raise TrainingError(f"format: expected {FORMAT}; label the edits anew")
    if row["feature_set"] != FEATURE_SET or row["features"].keys() != _NAMES:
        raise TrainingError(
            f"feature_set: expected version {FEATURE_SET} of the features; label the edits anew"
        )
    values = {name: None if value is None else float(value) for name, value in row["features"].items()}
    taken = _taken(row)
    return Features({name: values[name] for name in taken.values}, taken.changed_bytes, taken.text)


def _taken(row: Mapping[str, Any]) -> Features:
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
