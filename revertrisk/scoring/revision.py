"""The facts about an edit that a model gets: the revision, its parent, its page and its author.

Each fact that a source may not have is optional. ``None`` means *unknown*, never "anonymous" or zero. User names and
other personal data are not part of it.
"""

from dataclasses import dataclass, field
from datetime import datetime

from revertrisk.wiki.user_kinds import UserKind


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """The author of a revision, as of the time of the edit."""

    kind: UserKind = UserKind.UNKNOWN
    edit_count: int | None = None
    registered_at: datetime | None = None
    groups: frozenset[str] | None = None
    is_bot: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The page that a revision belongs to."""

    page_id: int
    title: str
    """The title as the source writes it, with underscores or spaces."""
    namespace_id: int
    first_edited_at: datetime | None = None
    """When the page was created. Our models do not use it; official models need it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParentRevision:
    """The revision that an edit was made on."""

    rev_id: int
    timestamp: datetime
    text: str
    user_kind: UserKind = UserKind.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One edit that can be scored: its text, the text of its parent, and what is known about it."""

    wiki_id: str
    language: str
    """The wiki's language code (``be-tarask``), from the wiki table."""
    rev_id: int
    timestamp: datetime
    text: str
    parent: ParentRevision
    page: Page
    user: User = field(default_factory=User)
    comment: str | None = None
    is_minor: bool | None = None
    tags: frozenset[str] | None = None
    """The change tags (``mobile edit``) that the revision has when it is saved."""
