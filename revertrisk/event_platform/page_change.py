"""Reads ``mediawiki/page/change`` events, and decides whether their revision can be scored.

:meth:`PageChangeReader.read` checks an event against the reading contract
(``schemas/reading/mediawiki/page/change/1.yaml``), which has only the fields that we use.
:meth:`PageChangeReader.resolve` returns the revision to fetch, or the reason why there is nothing to score, as far as
the event itself decides it, without a request.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from revertrisk.event_platform.schemas import EventValidator, Violation
from revertrisk.event_platform.streams import received_at
from revertrisk.runtime.instants import parse_date_time
from revertrisk.wiki.table import Wiki, WikiTable

READING_CONTRACT = "/reading/mediawiki/page/change/1"
"""The schema of the fields that we use."""
PAGE_CHANGE_SCHEMA = re.compile(r"/mediawiki/page/change/1(?:\.\d+\.\d+)?")
"""Any schema of major version 1, with or without a minor version."""

WIKIPEDIA_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.){1,3}wikipedia\.org")
"""The host of a Wikipedia, in the wiki table or not."""
MAX_REVISION_BYTES = 2_097_152
"""A server's default for ``MAX_REVISION_BYTES``."""
MAIN_NAMESPACE = 0
SCORABLE_KINDS = frozenset({"create", "edit", "move", "undelete"})
WIKITEXT = "wikitext"


class SkipReason(StrEnum):
    """Why a revision is not scored without an error. The set is closed, and in the order of the checks."""

    CANARY = "canary"
    UNKNOWN_WIKI = "unknown_wiki"
    NOT_WIKIPEDIA = "not_wikipedia"
    UNSUPPORTED_WIKI = "unsupported_wiki"
    PAGE_CHANGE_KIND = "page_change_kind"
    NAMESPACE = "namespace"
    REDIRECT = "redirect"
    REVISION_HIDDEN = "revision_hidden"
    REVISION_MISSING = "revision_missing"
    PAGE_CHANGED = "page_changed"
    NO_PARENT = "no_parent"
    PARENT_MISSING = "parent_missing"
    PARENT_HIDDEN = "parent_hidden"
    NULL_EDIT = "null_edit"
    CONTENT_MODEL = "content_model"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Skip:
    """A revision that is provably not scorable."""

    reason: SkipReason


@dataclass(frozen=True, slots=True)
class RevisionRef:
    """The revision to fetch; a fact that the source lacks is None, and the API supplies it."""

    wiki: Wiki
    rev_id: int
    parent_id: int | None = None
    page_id: int | None = None
    text_bytes: int = 0
    """The size of both texts, as far as it is known; it only decides which revisions share a request."""


@dataclass(frozen=True, slots=True)
class Editor:
    """The author of a revision, with the fields of the event's user entity; None for missing fields."""

    user_text: str | None = None
    user_id: int | None = None
    edit_count: int | None = None
    groups: tuple[str, ...] | None = None
    is_bot: bool | None = None
    is_temp: bool | None = None
    registration_dt: datetime | None = None


class InvalidPageChangeError(ValueError):
    """The event violates the reading contract; ``violations`` lists every violation."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{found.pointer} {found.message}" for found in violations))
        self.violations = violations


class UnsupportedPageChangeError(ValueError):
    """The event's ``$schema`` is not that of a page_change event of major version 1."""


@dataclass(frozen=True, slots=True)
class PageChange:
    """One page_change event that satisfies the reading contract."""

    event: Mapping[str, Any]
    """The whole event as received; the outgoing event is copied from it."""
    wiki_id: str
    page_id: int
    rev_id: int
    kind: str
    """The kind of change (``page_change_kind``)."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Return an event that satisfies the contract as a PageChange; in JSON 1.0 is an integer too."""
        return cls(
            event=event,
            wiki_id=event["wiki_id"],
            page_id=int(event["page"]["page_id"]),
            rev_id=int(event["revision"]["rev_id"]),
            kind=event["page_change_kind"],
        )

    @property
    def identity(self) -> str:
        """Wiki, page, revision and kind of change as one text: the event's part of the prediction's id."""
        return f"{self.wiki_id}|{self.page_id}|{self.rev_id}|{self.kind}"

    @property
    def received_at(self) -> datetime | None:
        """When EventGate received the event. It is used for the event's age, since ``dt`` can be long ago."""
        return received_at(self.event)

    @property
    def request_id(self) -> str | None:
        """The id of the MediaWiki request that caused the change."""
        request_id: str | None = self.event["meta"].get("request_id")
        return request_id

    @property
    def describes_page(self) -> bool:
        """Whether the event has the page's namespace, and whether it was a redirect."""
        page = self.event["page"]
        return "namespace_id" in page and "is_redirect" in page

    @property
    def editor(self) -> Editor | None:
        """The revision's author, or None if it is hidden or not known.

        ``performer`` is used instead only for an edit or a create: for an undelete it is the administrator.
        """
        revision = self.event["revision"]
        if revision.get("is_editor_visible") is False:
            return None
        user = revision.get("editor")
        if user is None and self.kind in ("edit", "create"):
            user = self.event.get("performer")
        return None if user is None else _editor(user)


def _editor(user: Mapping[str, Any]) -> Editor:
    groups = user.get("groups")
    registered = user.get("registration_dt")
    return Editor(
        user_text=user.get("user_text"),
        user_id=user.get("user_id"),
        edit_count=user.get("edit_count"),
        groups=None if groups is None else tuple(groups),
        is_bot=user.get("is_bot"),
        is_temp=user.get("is_temp"),
        registration_dt=None if registered is None else parse_date_time(registered),
    )


class PageChangeReader:
    """Reads page_change events of any 1.x schema, and returns which revision to score."""

    def __init__(
        self,
        contract: EventValidator,
        wikis: WikiTable,
        *,
        max_revision_bytes: int,
        supports: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Take the parts; ``supports`` returns whether the model was made for a wiki_id."""
        self._contract = contract
        self._wikis = wikis
        self._max_revision_bytes = max_revision_bytes
        self._supports = supports

    def read(self, event: Mapping[str, Any]) -> PageChange:
        """Check an event against the reading contract.

        Raises:
            UnsupportedPageChangeError: it is another kind of event.
            InvalidPageChangeError: it violates the contract; the error has all violations.

        """
        schema = event.get("$schema")
        if isinstance(schema, str) and not PAGE_CHANGE_SCHEMA.fullmatch(schema):
            raise UnsupportedPageChangeError(
                "/$schema must be /mediawiki/page/change/1 or a version 1.x.y of it"
            )
        if not self._contract.is_valid(event):
            raise InvalidPageChangeError(tuple(self._contract.violations(event)))
        return PageChange.of(event)

    def resolve(self, change: PageChange) -> RevisionRef | Skip:
        """Return the revision to fetch, or the first reason in the order of `SkipReason` why there is none.

        Raises:
            InvalidPageChangeError: the event's domain is not that of its wiki, nor of any Wikipedia.

        """
        wiki = self._wikis.by_id(change.wiki_id)
        if wiki is None:
            return Skip(SkipReason.UNKNOWN_WIKI)
        domain = change.event["meta"].get("domain")
        if domain is not None and domain != wiki.domain:
            if WIKIPEDIA_HOST.fullmatch(domain):  # the wiki was renamed after the table was made
                return Skip(SkipReason.UNKNOWN_WIKI)
            raise InvalidPageChangeError(
                (Violation("/meta/domain", "must be the domain of /wiki_id", "const"),)
            )
        if not wiki.is_scorable:
            return Skip(SkipReason.NOT_WIKIPEDIA)
        if not self._supports(wiki.wiki_id):
            return Skip(SkipReason.UNSUPPORTED_WIKI)
        reason = unscorable_change(change) or unscorable_revision(change, self._max_revision_bytes)
        if reason is not None:
            return Skip(reason)
        revision = change.event["revision"]
        parent_id = revision.get("rev_parent_id")
        # Most edits are small, so the parent is assumed to be as long as the new text.
        text_bytes = 2 * revision.get("rev_size", 0)
        return RevisionRef(
            wiki, change.rev_id, None if parent_id is None else int(parent_id), change.page_id, text_bytes
        )


def unscorable_change(change: PageChange) -> SkipReason | None:
    """Return why this kind of change, or this kind of page, is never scored, or None."""
    page = change.event["page"]
    if change.kind not in SCORABLE_KINDS:
        return SkipReason.PAGE_CHANGE_KIND
    if page.get("namespace_id", MAIN_NAMESPACE) != MAIN_NAMESPACE:
        return SkipReason.NAMESPACE
    if page.get("is_redirect") is True:
        return SkipReason.REDIRECT
    return None


def unscorable_revision(  # noqa: PLR0911 - one line for each reason, in the order of `SkipReason`
    change: PageChange, max_bytes: int
) -> SkipReason | None:
    """Return why the event's revision cannot be scored, from the event's facts about it and its parent, or None."""
    revision = change.event["revision"]
    if revision.get("is_content_visible") is False:
        return SkipReason.REVISION_HIDDEN
    parent_id = revision.get("rev_parent_id")
    if parent_id == 0 or (parent_id is None and change.kind == "create"):
        return SkipReason.NO_PARENT
    parent = _prior_revision(change.event, parent_id)
    if parent.get("is_content_visible") is False:
        return SkipReason.PARENT_HIDDEN
    sha1 = revision.get("rev_sha1")  # EventBus writes an empty text for an unknown hash
    if sha1 and sha1 == parent.get("rev_sha1"):
        return SkipReason.NULL_EDIT
    main_slot = revision.get("content_slots", {}).get("main", {})
    if main_slot.get("content_model", WIKITEXT) != WIKITEXT:
        return SkipReason.CONTENT_MODEL
    if max(revision.get("rev_size", 0), parent.get("rev_size", 0)) > max_bytes:
        return SkipReason.TOO_LARGE
    return None


def _prior_revision(event: Mapping[str, Any], parent_id: int | None) -> Mapping[str, Any]:
    """Return ``prior_state.revision`` if it is the parent; for a delete or a move it can be another revision."""
    prior: Mapping[str, Any] = event.get("prior_state", {}).get("revision", {})
    return prior if parent_id is not None and prior.get("rev_id") == parent_id else {}
