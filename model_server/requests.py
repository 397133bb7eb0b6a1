"""Receive: an HTTP body becomes a scoring request, or a clear refusal.

Three forms: ``{"event": {…}}`` as change-propagation sends it, a bare page_change event, and
``{"lang": …, "rev_id": …}`` for a direct call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from event_platform import page_change
from event_platform.page_change import PageChange, PageChangeReader, RevisionRef, Skip, SkipReason
from event_platform.wikis import WikiTable
from model_server.errors import (
    AmbiguousRequestError,
    InvalidEventError,
    InvalidJsonError,
    InvalidRequestError,
    UnknownWikiError,
    UnscorableError,
    UnsupportedSchemaError,
)
from model_server.logs import label

MAX_ID = 2**53 - 1
"""The largest id that JSON carries exactly everywhere, and the schemas' maximum."""
OTHER_FORMS = ("instances", "revision_data")


@dataclass(frozen=True, slots=True)
class EventRequest:
    """A page_change event whose revision is to be scored, and its prediction emitted."""

    change: PageChange
    ref: RevisionRef

    @property
    def event(self) -> Mapping[str, Any]:
        """The event as received."""
        return self.change.event


@dataclass(frozen=True, slots=True)
class PartialEventRequest:
    """An event, taken leniently, whose missing facts the API has to supply."""

    event: Mapping[str, Any]
    ref: RevisionRef


@dataclass(frozen=True, slots=True)
class DirectRequest:
    """Somebody asks for one score; nothing is emitted."""

    ref: RevisionRef


ScoringRequest = EventRequest | PartialEventRequest | DirectRequest


class RequestReader:
    """Reads predict bodies, whatever their Content-Type says."""

    def __init__(self, changes: PageChangeReader, wikis: WikiTable, *, lenient: bool) -> None:
        self._changes = changes
        self._wikis = wikis
        self._lenient = lenient

    def read(self, body: bytes) -> ScoringRequest | Skip:
        """Turn a body into a request, or the reason why its event is not scored.

        Raises :class:`InvalidRequestError` with the field and what was expected, and
        :class:`UnscorableError` for a direct call to a wiki that is not a Wikipedia.
        """
        payload = parse_object(body)
        if "event" in payload:
            if any(form in payload for form in OTHER_FORMS):
                raise AmbiguousRequestError("send either event, instances or revision_data")
            event = payload["event"]
            if not isinstance(event, dict):
                raise InvalidRequestError("event must be an object")
            return self._read_event(event)
        if "$schema" in payload or "meta" in payload:
            return self._read_event(payload)
        return self._read_direct(payload)

    def _read_event(self, event: Mapping[str, Any]) -> ScoringRequest | Skip:
        if page_change.is_canary(event):
            return Skip(SkipReason.CANARY)
        try:
            change = self._changes.read(event)
            ref = self._changes.resolve(change)
        except page_change.UnsupportedSchemaError as exc:
            raise UnsupportedSchemaError(str(exc)) from exc
        except page_change.InvalidEventError as exc:
            partial = self._partial(event, exc) if self._lenient else None
            if partial is None:
                raise InvalidEventError(exc.violations) from exc
            return partial
        if isinstance(ref, Skip):
            if ref.reason is not SkipReason.UNKNOWN_WIKI:
                label(wiki_id=change.wiki_id, rev_id=change.rev_id)
            return ref
        if self._lenient:
            return PartialEventRequest(event, RevisionRef(ref.wiki, ref.rev_id))
        return EventRequest(change, ref)

    def _partial(
        self, event: Mapping[str, Any], error: page_change.InvalidEventError
    ) -> PartialEventRequest | Skip | None:
        """Take an event that only lacks facts, if it says which revision of which wiki it is about."""
        if any(found.keyword != "required" for found in error.violations):
            return None
        missing = {found.pointer for found in error.violations}
        if missing & {"/wiki_id", "/revision", "/revision/rev_id"}:
            return None
        wiki = self._wikis.by_id(event["wiki_id"])
        if wiki is None:
            return Skip(SkipReason.UNKNOWN_WIKI)
        if not wiki.is_scorable:
            return Skip(SkipReason.NOT_WIKIPEDIA)
        return PartialEventRequest(event, RevisionRef(wiki, int(event["revision"]["rev_id"])))

    def _read_direct(self, payload: Mapping[str, Any]) -> DirectRequest:
        if not payload.keys() & {"lang", "rev_id"}:
            raise InvalidRequestError("expected event, a page_change event, or lang and rev_id")
        rev_id = payload.get("rev_id")
        # bool is an int in Python, and true is not a revision.
        if type(rev_id) is not int or not 1 <= rev_id <= MAX_ID:
            raise InvalidRequestError(f"rev_id must be an integer from 1 to {MAX_ID}")
        lang = payload.get("lang")
        if not isinstance(lang, str) or not lang:
            raise InvalidRequestError("lang must be a string: a language code, a subdomain or a wiki id")
        wiki = self._wikis.by_name(lang)
        if wiki is None:
            raise UnknownWikiError(
                "lang is not a wiki known here: give a language code, a subdomain or a wiki id"
            )
        if not wiki.is_scorable:
            raise UnscorableError(SkipReason.NOT_WIKIPEDIA)
        return DirectRequest(RevisionRef(wiki, rev_id))


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object; raises :class:`InvalidJsonError` without echoing any of it."""
    if not body:
        raise InvalidJsonError("the body is empty: expected a JSON object")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise InvalidJsonError(f"the body is not JSON: see line {exc.lineno}, column {exc.colno}") from None
    if not isinstance(payload, dict):
        raise InvalidJsonError("the body must be a JSON object")
    return payload
