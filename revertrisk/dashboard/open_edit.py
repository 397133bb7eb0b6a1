"""What the page knows of an edit that somebody should look at."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from revertrisk.wiki.user_kinds import UserKind


class Order(StrEnum):
    """Which edits come first."""

    NEWEST = "newest"
    WORST = "worst"


class EditKey(NamedTuple):
    """Identifies a card: a revision, and the model that scored it."""

    wiki_id: str
    rev_id: int
    model_name: str


@dataclass(frozen=True, slots=True)
class OpenEdit:
    """An edit to look at. It has no user name, no address and no comment."""

    key: EditKey
    page_id: int
    model_version: str
    risk: float
    """Probability of a revert, 0 to 1."""
    title: str | None
    titled_at: datetime
    """When the event with this title was received; a later event can change the title."""
    made_at: datetime
    received_at: datetime
    user_kind: UserKind
    is_revert: bool = False
    """Whether the edit itself reverts earlier ones."""


class Gone(StrEnum):
    """Why an edit is no longer listed."""

    REVERTED = "reverted"
    REMOVED = "removed"
    """Hidden, deleted, too old, or scored again below the threshold. The page does not say which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Which edits a reader wants to see; None means all."""

    model: str
    wiki: str | None = None
    user: UserKind | None = None
    order: Order = Order.NEWEST


class Reverts(NamedTuple):
    """How many edits above their threshold were reverted, and how many of them by bots."""

    edits: int
    by_bots: int
