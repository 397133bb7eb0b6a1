"""Scored edits and what happened to each of them: the arrays from which all figures of outcomes are computed.

An edit is watched from the time it is saved until one of three things happens: somebody reverts it, its page is
deleted, or the record ends.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


def page_numbers(wiki: Any, page_id: Any) -> NDArray[np.int64]:
    """Return a number for the page of each row; the rows are ordered by wiki and page, and numbers never decrease."""
    is_new = np.ones(len(wiki), dtype=np.int64)
    is_new[1:] = (np.diff(wiki) != 0) | (np.diff(page_id) != 0)
    numbers: NDArray[np.int64] = np.cumsum(is_new)
    return numbers


def or_never(seconds: Any) -> Floats:
    """Return times from a query; null, for what has not happened, becomes infinite."""
    filled: Floats = np.ma.filled(np.ma.asarray(seconds, dtype=np.float64), np.inf)
    return filled


class Cause(IntEnum):
    """Why an edit is no longer watched."""

    OPEN = 0
    """Nothing has happened to it; the record ends."""
    REVERTED_BY_PERSON = 1
    REVERTED_BY_BOT = 2
    REVERTED_BY_ACTING = 3
    """Reverted by an account that acts on the score itself (``acts_on: model`` in the list of bots)."""
    SELF_REVERTED = 4
    DELETED = 5


ANYONE: Final = (Cause.REVERTED_BY_PERSON, Cause.REVERTED_BY_BOT, Cause.REVERTED_BY_ACTING)
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
"""The kinds of users; `Watched.kind` has indexes into this tuple."""
REGISTERED: Final = tuple(number for number, name in enumerate(USER_KINDS) if name.startswith("registered"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Edits that one model version scored; arrays of equal length, ordered by wiki, page and revision.

    Times are in seconds. The time of something that has not happened is infinite.
    """

    wikis: tuple[str, ...]
    wiki: NDArray[np.int16]
    """Indexes into ``wikis``."""
    page: NDArray[np.int64]
    """A number for each page; it never decreases."""
    rev_id: NDArray[np.int64]
    day: NDArray[np.int32]
    """Days since 1970, UTC."""
    probability: Floats
    kind: NDArray[np.int8]
    """Indexes into `USER_KINDS`."""
    age: Floats
    """From the edit to the end of the record of its wiki."""
    revert_after: Floats
    """From the edit to its first revert, by anyone."""
    undone_after: Floats
    """From that revert to the revert that reverted it."""
    deleted_after: Floats
    """From the edit to the deletion of its page."""
    reverter: NDArray[np.int8]
    """The `Cause` of the first revert: one of `ANYONE`, or SELF_REVERTED. Meaningless if there is no revert."""
    is_null_edit: Booleans
    is_skipped_by_automoderator: Booleans
    """Automoderator's rules skip edits by bots and privileged editors, self-reverts, creations, and null edits."""

    def __len__(self) -> int:
        """Return the number of edits."""
        return len(self.page)

    def part(self, members: Booleans | NDArray[np.intp] | slice) -> "Watched":
        """Return the edits that a mask, indexes or a slice selects."""
        arrays: dict[str, Any] = {
            each.name: getattr(self, each.name)[members] for each in fields(self) if each.name != "wikis"
        }
        return Watched(wikis=self.wikis, **arrays)

    def ends(self) -> tuple[Floats, NDArray[np.int8]]:
        """Return how many seconds each edit was watched, and the `Cause` of what came first."""
        seconds = np.minimum(np.minimum(self.revert_after, self.deleted_after), self.age)
        cause = np.full(len(self), Cause.OPEN, dtype=np.int8)
        deleted = self.deleted_after == seconds
        cause[deleted & (self.deleted_after <= self.age)] = Cause.DELETED
        reverted = self.revert_after == seconds
        cause[reverted] = self.reverter[reverted]
        return np.maximum(seconds, 0.0), cause
