"""What a request asks for, once it has been read: one revision, several, or one that no wiki has yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_server.errors import ServiceError
from revertrisk.event_platform.page_change import PageChange, RevisionRef
from revertrisk.scoring.revision import Revision
from revertrisk.wiki.table import Wiki

UNSAVED_REV_ID = -1
"""The revision id in the answer for an edit that no wiki has."""


@dataclass(frozen=True, slots=True)
class _SavedRevision:
    """A request for a revision that a wiki has."""

    ref: RevisionRef

    @property
    def wiki(self) -> Wiki:
        """The wiki of the revision."""
        return self.ref.wiki

    @property
    def rev_id(self) -> int:
        """The revision's id."""
        return self.ref.rev_id


@dataclass(frozen=True, slots=True)
class EventRequest(_SavedRevision):
    """A page_change event whose revision is to be scored, and its prediction emitted."""

    change: PageChange

    @property
    def event(self) -> Mapping[str, Any]:
        """The event as received."""
        return self.change.event


@dataclass(frozen=True, slots=True)
class PartialEventRequest(_SavedRevision):
    """An event, taken leniently, whose missing facts the API has to supply."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DirectRequest(_SavedRevision):
    """Somebody asks for one score; nothing is emitted."""


@dataclass(frozen=True, slots=True)
class RevisionDataRequest:
    """Somebody asks for the score of an edit that is not saved; nothing is fetched and nothing emitted."""

    wiki: Wiki
    revision: Revision

    @property
    def rev_id(self) -> int:
        """The id that says that there is none."""
        return UNSAVED_REV_ID


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One of several direct calls, in the caller's words, and the request or the failure that it is."""

    lang: str
    rev_id: int
    request: DirectRequest | ServiceError


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Several direct calls in one request."""

    items: tuple[BatchItem, ...]


ScoringRequest = EventRequest | PartialEventRequest | DirectRequest | RevisionDataRequest
