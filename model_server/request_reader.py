"""The receive step: reads a scoring request from an HTTP body, or refuses it with the field and the reason.

The forms are ``{"event": {…}}`` as change-propagation sends it, a page_change event itself,
``{"lang": …, "rev_id": …}`` for a direct call, ``{"instances": […]}`` for several of them, and
``{"revision_data": {…}}`` for an edit that is not saved yet; or any of these as the data of a structured CloudEvent.
"""

import base64
import logging
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from model_server import lenient
from model_server.errors import (
    AmbiguousRequestError,
    BatchTooLargeError,
    InvalidEventError,
    InvalidJsonError,
    InvalidRequestError,
    InvalidRevisionDataError,
    ServiceError,
    UnknownWikiError,
    UnscorableError,
    UnsupportedSchemaError,
)
from model_server.scoring_request import (
    UNSAVED_REV_ID,
    BatchItem,
    BatchRequest,
    DirectRequest,
    EventRequest,
    PartialEventRequest,
    RevisionDataRequest,
    ScoringRequest,
)
from revertrisk.event_platform import page_change
from revertrisk.event_platform.page_change import (
    MAIN_NAMESPACE,
    PageChangeReader,
    RevisionRef,
    Skip,
    SkipReason,
)
from revertrisk.event_platform.schemas import EventValidator
from revertrisk.event_platform.streams import is_canary
from revertrisk.runtime.instants import parse_date_time
from revertrisk.runtime.logs import label
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.wiki.revision_facts import LARGEST_ID
from revertrisk.wiki.table import Wiki, WikiTable
from revertrisk.wiki.user_kinds import user_kind

MAX_INSTANCES = 20
FORMS = frozenset({"event", "instances", "revision_data"})
CLOUD_EVENTS = "1.0"
"""The supported version of CloudEvents, which is in ``specversion``."""
A_WIKI = "a language code, a subdomain or a wiki id, such as en, simple or enwiki"
A_REV_ID = f"an integer from 1 to {LARGEST_ID}"
REV_ID_TEXT = re.compile(r"[0-9]{1,16}")
"""A revision id as decimal text, which Lift Wing accepts as well (H3)."""

logger = logging.getLogger(__name__)


class RequestReader:
    """Reads the bodies of predict requests, with any Content-Type."""

    def __init__(
        self,
        changes: PageChangeReader,
        wikis: WikiTable,
        revision_data: EventValidator,
        *,
        lenient: bool,
        allow_revision_data: bool,
    ) -> None:
        self._changes = changes
        self._wikis = wikis
        self._revision_data = revision_data
        self._lenient = lenient
        self._allow_revision_data = allow_revision_data
        self._renamed: set[str] = set()
        """Wikis that were logged because an event has another host than the table."""

    def read(self, body: bytes) -> ScoringRequest | BatchRequest | Skip:
        """Return the request in a body, or the reason why its event is skipped.

        Raises:
            InvalidRequestError: the message names the field and what was expected.
            UnscorableError: a direct call is for a wiki that is not a Wikipedia.

        """
        return self._read_payload(parse_object(body))

    def _read_payload(self, payload: Mapping[str, Any]) -> ScoringRequest | BatchRequest | Skip:
        if len(payload.keys() & FORMS) > 1:
            raise AmbiguousRequestError("send either event, instances or revision_data")
        if "instances" in payload:
            return self.read_batch(payload["instances"])
        if "revision_data" in payload:
            return self._read_revision_data(payload["revision_data"])
        if "event" in payload:
            event = payload["event"]
            if not isinstance(event, dict):
                raise InvalidRequestError("event must be an object")
            return self._read_event(event)
        if "specversion" in payload:
            return self._read_payload(cloud_event_data(payload))
        if "$schema" in payload or "meta" in payload:
            return self._read_event(payload)
        return self._read_direct(payload)

    def _read_event(self, event: Mapping[str, Any]) -> ScoringRequest | Skip:
        if is_canary(event):
            return Skip(SkipReason.CANARY)
        try:
            change = self._changes.read(event)
            ref = self._changes.resolve(change)
        except page_change.UnsupportedPageChangeError as exc:
            raise UnsupportedSchemaError(str(exc)) from exc
        except page_change.InvalidPageChangeError as exc:
            violations = exc.violations
            if self._lenient:
                violations = tuple(found for found in violations if not lenient.can_add(found))
                if not violations:
                    return self._partial(event)
            raise InvalidEventError(violations) from exc
        if isinstance(ref, Skip):
            if self._wikis.by_id(change.wiki_id) is not None:
                label(wiki_id=change.wiki_id, rev_id=change.rev_id)
                if ref.reason is SkipReason.UNKNOWN_WIKI:
                    self._note_renamed(change.wiki_id)
            return ref
        if self._lenient:
            return PartialEventRequest(RevisionRef(ref.wiki, ref.rev_id), event)
        return EventRequest(ref, change)

    def _note_renamed(self, wiki_id: str) -> None:
        """Log once for each wiki that its events are skipped until the wiki table is updated."""
        if wiki_id not in self._renamed:
            self._renamed.add(wiki_id)
            logger.error(
                "%s has another host than the wiki table says: its events are skipped until the table has it",
                wiki_id,
            )

    def _partial(self, event: Mapping[str, Any]) -> PartialEventRequest | Skip:
        """Return a request for an event that lacks only fields that the API can supply."""
        wiki = self._wikis.by_id(event["wiki_id"])
        if wiki is None:
            return Skip(SkipReason.UNKNOWN_WIKI)
        if not wiki.is_scorable:
            return Skip(SkipReason.NOT_WIKIPEDIA)
        return PartialEventRequest(RevisionRef(wiki, int(event["revision"]["rev_id"])), event)

    def _read_direct(self, payload: Mapping[str, Any]) -> DirectRequest:
        if not payload.keys() & {"lang", "rev_id"}:
            raise InvalidRequestError(
                "expected event, a page_change event, instances, revision_data, or lang and rev_id"
            )
        lang, rev_id = _read_call(payload, "")
        return DirectRequest(RevisionRef(self._scorable_wiki(lang), rev_id))

    def read_batch(self, instances: Any) -> BatchRequest:
        """Read several direct calls: 1 to 20, of any wikis.

        A wiki that cannot be scored fails its own item only.

        Raises:
            InvalidRequestError: there are no instances, too many, or one is invalid.

        """
        if not isinstance(instances, list) or not instances:
            raise InvalidRequestError("instances must be a list with at least one object")
        if len(instances) > MAX_INSTANCES:
            raise BatchTooLargeError(f"instances must have at most {MAX_INSTANCES} objects")
        items = []
        for index, instance in enumerate(instances):
            if not isinstance(instance, dict):
                raise InvalidRequestError(f"instances[{index}] must be an object with lang and rev_id")
            lang, rev_id = _read_call(instance, f"instances[{index}].")
            request: DirectRequest | ServiceError
            try:
                request = DirectRequest(RevisionRef(self._scorable_wiki(lang), rev_id))
            except ServiceError as error:
                request = error
            items.append(BatchItem(lang, rev_id, request))
        return BatchRequest(tuple(items))

    def _read_revision_data(self, data: Any) -> RevisionDataRequest:
        if not self._allow_revision_data:
            raise InvalidRequestError(
                "revision_data is not accepted here: ALLOW_REVISION_JSON_INPUT allows it"
            )
        violations = self._revision_data.violations(data)
        if violations:
            raise InvalidRevisionDataError(tuple(violations))
        wiki = _scorable(self._wikis.by_page_language(data["lang"]))
        page, parent = data["page"], data["parent"]
        revision = Revision(
            wiki_id=wiki.wiki_id,
            language=wiki.language,
            rev_id=UNSAVED_REV_ID,
            timestamp=parse_date_time(data["timestamp"]),
            text=data["text"],
            parent=ParentRevision(
                rev_id=parent.get("id", 0),
                timestamp=parse_date_time(parent["timestamp"]),
                text=parent["text"],
            ),
            page=Page(
                page_id=page.get("id", 0),
                title=page["title"],
                namespace_id=MAIN_NAMESPACE,
                first_edited_at=_optional_instant(page.get("first_edit_timestamp")),
            ),
            user=User(kind=user_kind(None, data.get("user", {}).get("id"))),
            comment=data.get("comment"),
        )
        return RevisionDataRequest(wiki, revision)

    def _scorable_wiki(self, lang: str) -> Wiki:
        return _scorable(self._wikis.by_name(lang))


def _scorable(wiki: Wiki | None) -> Wiki:
    if wiki is None:
        raise UnknownWikiError(f"lang is not a wiki known here: expected {A_WIKI}")
    if not wiki.is_scorable:
        raise UnscorableError(SkipReason.NOT_WIKIPEDIA)
    return wiki


def _read_call(call: Mapping[str, Any], where: str) -> tuple[str, int]:
    for name, expected in (("rev_id", A_REV_ID), ("lang", A_WIKI)):
        if name not in call:
            raise InvalidRequestError(f"{where}{name} is missing: expected {expected}")
    rev_id, lang = call["rev_id"], call["lang"]
    if isinstance(rev_id, str) and REV_ID_TEXT.fullmatch(rev_id):
        rev_id = int(rev_id)
    # bool is a subclass of int in Python, but true is not a revision id.
    if type(rev_id) is not int or not 1 <= rev_id <= LARGEST_ID:
        raise InvalidRequestError(f"{where}rev_id must be {A_REV_ID}")
    if not isinstance(lang, str) or not lang:
        raise InvalidRequestError(f"{where}lang must be a string: {A_WIKI}")
    return lang, rev_id


def _optional_instant(value: str | None) -> datetime | None:
    return None if value is None else parse_date_time(value)


def parse_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        InvalidJsonError: it is not a JSON object; the message repeats nothing of it.

    """
    if not body:
        raise InvalidJsonError("the body is empty: expected a JSON object")
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as exc:
        raise InvalidJsonError(f"the body is not JSON: see line {exc.lineno}, column {exc.colno}") from None
    if isinstance(payload, list):
        raise InvalidJsonError(
            "the body must be a JSON object: send each event, or CloudEvent, by itself, and several direct calls as "
            "instances"
        )
    if not isinstance(payload, dict):
        raise InvalidJsonError("the body must be a JSON object")
    return payload


def cloud_event_data(envelope: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data of a CloudEvent in structured mode, which is a body like any other.

    Raises:
        InvalidRequestError: it has no data that can be read; the message names the attribute.

    """
    if envelope["specversion"] != CLOUD_EVENTS:
        raise InvalidRequestError(f"specversion must be {CLOUD_EVENTS}")
    if ("data" in envelope) == ("data_base64" in envelope):
        raise InvalidRequestError("a CloudEvent must have data, or data_base64: a page_change event")
    data = envelope.get("data")
    if "data_base64" in envelope:
        try:
            data = orjson.loads(base64.b64decode(envelope["data_base64"], validate=True))
        except (TypeError, ValueError):
            raise InvalidRequestError("data_base64 must be JSON in base64") from None
    if not isinstance(data, dict) or "specversion" in data:
        raise InvalidRequestError("data must be an object: a page_change event")
    return data
