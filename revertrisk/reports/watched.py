"""Scored edits with what became of each: the arrays that every figure of outcomes is taken from."""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


class Cause(IntEnum):
    """What ended the watch over an edit."""

    OPEN = 0
    """Nothing yet: the record ends."""
    REVERTED_BY_PERSON = 1
    REVERTED_BY_BOT = 2
    REVERTED_BY_ACTING = 3
    """By an account that acts on the score itself (``acts_on: model`` in the bots' list)."""
    SELF_REVERTED = 4
    DELETED = 5


ANYBODY: Final = (Cause.REVERTED_BY_PERSON, Cause.REVERTED_BY_BOT, Cause.REVERTED_BY_ACTING)
NOT_ACTING: Final = (Cause.REVERTED_BY_PERSON, Cause.REVERTED_BY_BOT)
PEOPLE: Final = (Cause.REVERTED_BY_PERSON,)

USER_KINDS: Final = (
    "ip",
    "temporary",
    "registered, 0 edits",
    "registered, 1-9 edits",
    "registered, 10-99 edits",
    "registered, 100-499 edits",
    "registered, 500+ edits",
    "registered, edits unknown",
    "bot",
    "unknown",
)
"""The kinds of users, in the order of their numbers in `Watched.kind`."""
REGISTERED: Final = tuple(number for number, name in enumerate(USER_KINDS) if name.startswith("registered"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Edits that one model version scored, in the order of their pages; arrays of equal length, times in seconds.

    A time that has not come is infinite.
    """

    wikis: tuple[str, ...]
    wiki: NDArray[np.int16]
    """Places in ``wikis``."""
    page: NDArray[np.int64]
    """A number for each page, not falling."""
    rev_id: NDArray[np.int64]
    day: NDArray[np.int32]
    """Days since 1970, UTC."""
    probability: Floats
    kind: NDArray[np.int8]
    """Places in `USER_KINDS`."""
    age: Floats
    """From the edit to the end of the record of its wiki."""
    revert_after: Floats
    """To its first revert, by anybody."""
    undone_after: Floats
    """From that revert to the revert of it."""
    deleted_after: Floats
    reverter: NDArray[np.int8]
    """A `Cause` of `ANYBODY` or SELF_REVERTED, where there is a revert."""
    is_null_edit: Booleans
    is_passed_over: Booleans
    """Whether Automoderator's rules pass it over: bots, privileged editors, self-reverts, creations, null edits."""

    def __len__(self) -> int:
        """Return how many edits there are."""
        return len(self.page)

    def part(self, members: Booleans | NDArray[np.intp] | slice) -> "Watched":
        """Return some of the edits."""
        arrays: dict[str, Any] = {
            each.name: getattr(self, each.name)[members] for each in fields(self) if each.name != "wikis"
        }
        return Watched(wikis=self.wikis, **arrays)

    def ends(self) -> tuple[Floats, NDArray[np.int8]]:
        """Return how long each edit was watched, and the `Cause` of the end: whatever came first."""
        seconds = np.minimum(np.minimum(self.revert_after, self.deleted_after), self.age)
        cause = np.full(len(self), Cause.OPEN, dtype=np.int8)
        deleted = self.deleted_after == seconds
        cause[deleted & (self.deleted_after <= self.age)] = Cause.DELETED
        reverted = self.revert_after == seconds
        cause[reverted] = self.reverter[reverted]
        return np.maximum(seconds, 0.0), cause

    @property
    def is_bot(self) -> Booleans:
        """Which edits were made by bots."""
        found: Booleans = self.kind == USER_KINDS.index("bot")
        return found
