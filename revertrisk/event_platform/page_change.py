"""Reading ``mediawiki/page/change`` events: what they say, and whether their revision can be scored.

Two steps of the path live here. :meth:`PageChangeReader.read` checks an incoming event against the
reading contract (``schemas/reading/mediawiki/page/change/1.yaml``: the fields we use, and no more).
:meth:`PageChangeReader.resolve` names the revision to fetch, or the reason why there is nothing to
score; whatever the event itself can decide costs no request.
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
"""Any schema of major version 1, which may be written without its minor version."""

WIKIPEDIA_HOST = re.compile(r"(?:[a-z0-9-]{1,63}\.){1,3}wikipedia\.org")
"""Where a Wikipedia lives, whether the wiki table knows it or not."""
MAX_REVISION_BYTES = 2_097_152
"""A server's default for ``MAX_REVISION_BYTES``."""
MAIN_NAMESPACE = 0
SCORABLE_KINDS = frozenset({"create", "edit", "move", "undelete"})
WIKITEXT = "wikitext"


class SkipReason(StrEnum):
    """Why a revision is not scored although nothing went wrong: a closed set, in the order of the checks."""

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
    """The revision to fetch; what the source did not say is None and is asked of the API."""

    wiki: Wiki
    rev_id: int
    parent_id: int | None = None
    page_id: int | None = None
    text_bytes: int = 0
    """Size of both texts, as far as it is known: it only decides which revisions are asked for together."""


@dataclass(frozen=True, slots=True)
class Editor:
    """Who made a revision, in the terms of the event's user entity; None where the event does not say."""

    user_text: str | None = None
    user_id: int | None = None
    edit_count: int | None = None
    groups: tuple[str, ...] | None = None
    is_bot: bool | None = None
    is_temp: bool | None = None
    registration_dt: datetime | None = None


class InvalidPageChangeError(ValueError):
    """The event breaks the reading contract; ``violations`` lists every place."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{found.pointer} {found.message}" for found in violations))
        self.violations = violations


class UnsupportedPageChangeError(ValueError):
    """The event says that it is something else than a page_change event of major version 1."""


@dataclass(frozen=True, slots=True)
class PageChange:
    """One page_change event that keeps the reading contract."""

    event: Mapping[str, Any]
    """The whole event as received: the outgoing event is copied from it."""
    wiki_id: str
    page_id: int
    rev_id: int
    kind: str
    """What happened to the page (``page_change_kind``)."""

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """Take an event that keeps the contract; for JSON 1.0 is an integer too."""
        return cls(
            event=event,
            wiki_id=event["wiki_id"],
            page_id=int(event["page"]["page_id"]),
            rev_id=int(event["revision"]["rev_id"]),
            kind=event["page_change_kind"],
        )

    @property
    def identity(self) -> str:
        """What happened to which revision of which page, as a line: the event's part in its prediction's id."""
        return f"{self.wiki_id}|{self.page_id}|{self.rev_id}|{self.kind}"

    @property
    def received_at(self) -> datetime | None:
        """When EventGate took the page_change event: the clock for freshness, since ``dt`` may lie far back."""
        return received_at(self.event)

    @property
    def request_id(self) -> str | None:
        """The id of the MediaWiki request that caused the change."""
        request_id: str | None = self.event["meta"].get("request_id")
        return request_id

    @property
    def tells_page(self) -> bool:
        """Whether the event says what the page was: its namespace, and whether it was a redirect."""
        page = self.event["page"]
        return "namespace_id" in page and "is_redirect" in page

    @property
    def editor(self) -> Editor | None:
        """The revision's author, or None where it is hidden or not known.

        On an undelete the performer is the admin, so ``performer`` stands in only on edit and create.
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
    """Reads page_change events of any 1.x schema and says which revision to score."""

    def __init__(
        self,
        contract: EventValidator,
        wikis: WikiTable,
        *,
        max_revision_bytes: int,
        supports: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """``supports`` says of a wiki_id whether the model was made for that wiki."""
        self._contract = contract
        self._wikis = wikis
        self._max_revision_bytes = max_revision_bytes
        self._supports = supports

    def read(self, event: Mapping[str, Any]) -> PageChange:
        """Check an event against the reading contract.

        Raises:
            UnsupportedPageChangeError: for another kind of event.
            InvalidPageChangeError: with all violations, for one that lacks what we use.

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
        """Name the revision to fetch, or why there is none; the first reason in the order of `SkipReason` wins.

        Raises:
            InvalidPageChangeError: the event's domain is not that of its wiki, nor of any Wikipedia.

        """
        wiki = self._wikis.by_id(change.wiki_id)
        if wiki is None:
            return Skip(SkipReason.UNKNOWN_WIKI)
        domain = change.event["meta"].get("domain")
        if domain is not None and domain != wiki.domain:
            if WIKIPEDIA_HOST.fullmatch(domain):  # the wiki has been renamed since the table was made
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
        # Most edits are small: an unknown parent is taken to be as long as the new text.
        text_bytes = 2 * revision.get("rev_size", 0)
        return RevisionRef(
            wiki, change.rev_id, None if parent_id is None else int(parent_id), change.page_id, text_bytes
        )


def unscorable_change(change: PageChange) -> SkipReason | None:
    """Say why this kind of change, or this kind of page, is never scored."""
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
    """Say why the event's revision cannot be scored, from what the event says of it and of its parent."""
    revision = change.event["revision"]
    if revision.get("is_content_visible") is False:
        return SkipReason.REVISION_HIDDEN
    parent_id = revision.get("rev_parent_id")
    if parent_id == 0 or (parent_id is None and change.kind == "create"):
        return SkipReason.NO_PARENT
    parent = _prior_revision(change.event, parent_id)
    if parent.get("is_content_visible") is False:
        return SkipReason.PARENT_HIDDEN
    sha1 = revision.get("rev_sha1")  # EventBus writes an empty one where it does not know it
    if sha1 and sha1 == parent.get("rev_sha1"):
        return SkipReason.NULL_EDIT
    main_slot = revision.get("content_slots", {}).get("main", {})
    if main_slot.get("content_model", WIKITEXT) != WIKITEXT:
        return SkipReason.CONTENT_MODEL
    if max(revision.get("rev_size", 0), parent.get("rev_size", 0)) > max_bytes:
        return SkipReason.TOO_LARGE
    return None


def _prior_revision(event: Mapping[str, Any], parent_id: int | None) -> Mapping[str, Any]:
    """Return ``prior_state.revision`` if it describes the parent; a delete or move may describe another one."""
    prior: Mapping[str, Any] = event.get("prior_state", {}).get("revision", {})
    return prior if parent_id is not None and prior.get("rev_id") == parent_id else {}
