"""The format of our own labelled edits: JSON lines that `revertrisk.labels` writes from events or an export.

A line has the facts that a server knows when the edit is saved, the features that it computes, by name, the changed
lines if the source has texts, and the label. Authors and pages are hashes, by which related edits are kept together.
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
"""The value of the field ``format`` in every line."""

_TEXT_GROUPS = frozenset({Group.WORDS, Group.REFERENCES, Group.MARKUP})
_NAMES = frozenset(feature.name for feature in FEATURES)


def with_features(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a line with its features, by name, and the version of the feature table."""
    return {**row, "feature_set": FEATURE_SET, "features": dict(_features(row).values)}


def features_of(row: Mapping[str, Any]) -> Features:
    """Return the features of a line. What depends on texts is unknown if its source had none.

    Raises:
        TrainingError: the line has another format, or the features of another version of the feature table.

    """
    if row["format"] != FORMAT:
        raise TrainingError(f"format: expected {FORMAT}; label the edits again")
    if row["feature_set"] != FEATURE_SET or row["features"].keys() != _NAMES:
        raise TrainingError(
            f"feature_set: expected version {FEATURE_SET} of the features; label the edits again"
        )
    values = {name: None if value is None else float(value) for name, value in row["features"].items()}
    # The values are those that were computed when the edit was labelled; the order and the text are computed here.
    computed = _features(row)
    return Features({name: values[name] for name in computed.values}, computed.changed_bytes, computed.text)


def _features(row: Mapping[str, Any]) -> Features:
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
        return describe(changes.of_lines("", ""), facts, missing_groups=_TEXT_GROUPS | {Group.PAGE})
    change = changes.of_lines(
        row["old_lines"], row["new_lines"], old_length=row["old_length"], new_length=row["new_length"]
    )
    return describe(change, facts)


def _seconds_between(earlier: str | None, later: datetime) -> float | None:
    return None if earlier is None else max(0.0, (later - datetime.fromisoformat(earlier)).total_seconds())
