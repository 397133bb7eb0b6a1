"""What becomes of an event: the closed set of endings that a summary counts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from revertrisk.streams.base import Position


class Ending(StrEnum):
    """How it ended."""

    PRODUCED = "produced"
    SCORED_ONLY = "scored_only"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    """Taken by a server that does not say which of the three above it was."""
    IGNORED = "ignored"
    """Refused with a status that the rule ignores."""
    GIVEN_UP = "given_up"
    """In the dead letters now."""
    UNMATCHED = "unmatched"
    """No rule takes it."""
    CANARY = "canary"
    SAMPLED_OUT = "sampled_out"
    DUPLICATE = "duplicate"
    """The same ``meta.id`` came a short while ago and is, or was, being taken care of."""
    EXPIRED = "expired"
    """Older than the rule's ``claim_ttl``."""
    POSTPONED = "postponed"
    """In the retry topic now; what becomes of it there is counted when it does."""


UNEXPANDABLE = "unexpandable"
"""The dead letter's reason where a template found nothing in the event to fill it."""
UNKNOWN_RULE = "unknown_rule"
"""The dead letter's reason where the retry topic holds an event for a rule that is no longer there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event under one rule."""

    ending: Ending
    position: Position
    detail: str | None = None
    """The reason of a skip or of a dead letter, or the field for which no rule took it."""
    rule: str | None = None
    """The rule that took it; None where none did."""
    status: int | None = None
    """The last answer's status; None where none came."""
    attempts: int = 0
    seconds: float = 0.0
    """From the first try to the last answer, pauses included."""
    event: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Return the name it is counted under: ``produced``, ``skipped:redirect``, ``given_up:status_400``."""
        return f"{self.ending}:{self.detail}" if self.detail else str(self.ending)
