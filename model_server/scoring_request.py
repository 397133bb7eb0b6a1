"""Parsed requests: for one revision, for several, or for an edit that is not saved yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from model_server.errors import ServiceError
from revertrisk.event_platform.page_change import PageChange, RevisionRef
from revertrisk.scoring.revision import Revision
from revertrisk.wiki.table import Wiki

UNSAVED_REV_ID = -1
"""The revision id in the answer for an unsaved edit."""


@dataclass(frozen=True, slots=True)
class _SavedRevision:
    """A request for a saved revision."""

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
    """A page_change event; its revision is scored and the prediction emitted."""

    change: PageChange

    @property
    def event(self) -> Mapping[str, Any]:
        """The event as received."""
        return self.change.event


@dataclass(frozen=True, slots=True)
class PartialEventRequest(_SavedRevision):
    """An incomplete event in lenient mode, to be completed from the API."""

    event: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class DirectRequest(_SavedRevision):
    """A request for one score; nothing is emitted."""


@dataclass(frozen=True, slots=True)
class RevisionDataRequest:
    """A request for the score of an unsaved edit; nothing is fetched and nothing is emitted."""

    wiki: Wiki
    revision: Revision

    @property
    def rev_id(self) -> int:
        """The id of unsaved edits."""
        return UNSAVED_REV_ID


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One of several direct calls: the caller's values, and the parsed request or its failure."""

    lang: str
    rev_id: int
    request: DirectRequest | ServiceError


@dataclass(frozen=True, slots=True)
class BatchRequest:
    """Several direct calls in one request."""

    items: tuple[BatchItem, ...]


ScoringRequest = EventRequest | PartialEventRequest | DirectRequest | RevisionDataRequest
