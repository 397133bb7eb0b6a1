"""Decide of each revision whether it is sent, and name the reason where it is not.

First comes what the command leaves out, then what cannot be scored, by the code and in the order of the server
(docs/STREAM.md), then the dispatcher's rule.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from revertrisk.backfill.events import page_change
from revertrisk.backfill.facts import RevisionFacts, UserKind
from revertrisk.backfill.lookup import Found
from revertrisk.dispatcher.rule_language.rule import NotMatched, Rule, Taken
from revertrisk.event_platform.page_change import (
    READING_CONTRACT,
    WIKITEXT,
    InvalidPageChangeError,
    PageChangeReader,
    Skip,
    SkipReason,
)
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.runtime.instants import parse_date_time
from revertrisk.wiki.table import Wiki, WikiTable

INVALID_EVENT = "invalid_event"
"""The reason where what the wiki tells of a revision makes no event that keeps the reading contract."""


class LeftOut(StrEnum):
    """Which part of the command leaves a revision out."""

    NOT_LATEST = "not_latest"
    """A later revision of its page is taken."""
    TIME = "time"
    NAMESPACE = "namespace"
    USER_KIND = "user_kind"
    PAGE_AGE = "page_age"

    @property
    def reason(self) -> str:
        """The reason as it is counted."""
        return f"left_out:{self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What a command asks of the revisions beside selecting them."""

    since: datetime | None = None
    until: datetime | None = None
    namespaces: Collection[int] = (0,)
    user_kinds: Collection[UserKind] = ()
    """Empty for all."""
    page_age_from: timedelta | None = None
    page_age_to: timedelta | None = None
    """How old the page was when the revision was made."""

    @property
    def needs_page_age(self) -> bool:
        """Whether the time of the page's first revision has to be asked for."""
        return self.page_age_from is not None or self.page_age_to is not None

    def left_out(self, revision: RevisionFacts) -> LeftOut | None:
        """Say which filter leaves a revision out, but for the one by page age."""
        changed_at = parse_date_time(revision.timestamp)
        if (self.since is not None and changed_at < self.since) or (
            self.until is not None and changed_at > self.until
        ):
            return LeftOut.TIME
        if revision.page.namespace_id not in self.namespaces:
            return LeftOut.NAMESPACE
        if self.user_kinds and revision.user_kind not in self.user_kinds:
            return LeftOut.USER_KIND
        return None

    def takes_age(self, changed_at: datetime, created_at: datetime) -> bool:
        """Tell whether a page was as old as asked for."""
        age = changed_at - created_at
        too_young = self.page_age_from is not None and age < self.page_age_from
        too_old = self.page_age_to is not None and age > self.page_age_to
        return not (too_young or too_old)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Either an event to send, or a reason."""

    reason: str | None = None
    event: dict[str, Any] | None = field(default=None, repr=False)


class Judge:
    """Decides by filters, scorability and the rule."""

    def __init__(self, wikis: WikiTable, filters: Filters, rule: Rule, *, max_revision_bytes: int) -> None:
        """``max_revision_bytes`` is the scoring server's own limit."""
        contract = EventValidator(SchemaRepository().load(READING_CONTRACT))
        self._changes = PageChangeReader(contract, wikis, max_revision_bytes=max_revision_bytes)
        self.filters = filters
        self._rule = rule

    def judge(  # noqa: PLR0911 - one for each thing that decides, in their order
        self, wiki: Wiki, found: Found, asked_at: datetime
    ) -> Verdict:
        """Decide about a revision that was looked up at ``asked_at``."""
        revision = found.revision
        if revision is None:
            return _skip(SkipReason.REVISION_MISSING)
        if (left_out := self.filters.left_out(revision)) is not None:
            return Verdict(left_out.reason)
        event = page_change(wiki, revision, found.parent, asked_at)
        try:
            ref = self._changes.resolve(self._changes.read(event))
        except InvalidPageChangeError:  # what the wiki tells is nothing that the server would read
            return Verdict(INVALID_EVENT)
        if isinstance(ref, Skip):
            return _skip(ref.reason)
        if found.parent is None or found.parent.page.page_id != revision.page.page_id:
            return _skip(SkipReason.PARENT_MISSING)
        if found.parent.content_model not in (WIKITEXT, None):
            return _skip(SkipReason.CONTENT_MODEL)
        verdict = self._rule.judge(event)
        if isinstance(verdict, Taken):
            return Verdict(event=event)
        return Verdict(f"unmatched:{verdict.field}" if isinstance(verdict, NotMatched) else "sampled_out")


def _skip(reason: SkipReason) -> Verdict:
    return Verdict(f"skipped:{reason}")
