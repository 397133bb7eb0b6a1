"""Decides whether a revision is sent, and gives the reason if it is not.

First the command's filters decide, then whether the revision can be scored, with the server's code and in its order
(docs/STREAM.md), then the dispatcher's rule.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from revertrisk.backfill.events import page_change
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
from revertrisk.wiki.revision_facts import RevisionFacts
from revertrisk.wiki.table import Wiki, WikiTable
from revertrisk.wiki.user_kinds import UserKind

INVALID_EVENT = "invalid_event"
"""The reason if the event made from the wiki's answer violates the reading contract."""


class LeftOut(StrEnum):
    """The part of the command that leaves a revision out."""

    NOT_LATEST = "not_latest"
    """A later revision of its page is sent."""
    TIME = "time"
    NAMESPACE = "namespace"
    USER_KIND = "user_kind"
    PAGE_AGE = "page_age"

    @property
    def reason(self) -> str:
        """The reason under which it is counted."""
        return f"left_out:{self}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """The filters of a command, in addition to its selection."""

    since: datetime | None = None
    until: datetime | None = None
    namespaces: Collection[int] = (0,)
    user_kinds: Collection[UserKind] = ()
    """Empty for all."""
    page_age_from: timedelta | None = None
    page_age_to: timedelta | None = None
    """The age of the page at the time of the revision."""

    @property
    def needs_page_age(self) -> bool:
        """Whether the time of the page's first revision must be looked up."""
        return self.page_age_from is not None or self.page_age_to is not None

    def left_out(self, revision: RevisionFacts) -> LeftOut | None:
        """Return the filter that leaves a revision out, except that by page age, or None."""
        if (self.since is not None and revision.saved_at < self.since) or (
            self.until is not None and revision.saved_at > self.until
        ):
            return LeftOut.TIME
        if revision.namespace_id not in self.namespaces:
            return LeftOut.NAMESPACE
        if self.user_kinds and revision.user_kind not in self.user_kinds:
            return LeftOut.USER_KIND
        return None

    def takes_age(self, changed_at: datetime, created_at: datetime) -> bool:
        """Return whether the age of a page is in the range."""
        age = changed_at - created_at
        too_young = self.page_age_from is not None and age < self.page_age_from
        too_old = self.page_age_to is not None and age > self.page_age_to
        return not (too_young or too_old)


@dataclass(frozen=True, slots=True)
class SelectionVerdict:
    """Either an event to send, or a reason."""

    reason: str | None = None
    event: dict[str, Any] | None = field(default=None, repr=False)


class SelectionJudge:
    """Decides by filters, scorability and the rule."""

    def __init__(self, wikis: WikiTable, filters: Filters, rule: Rule, *, max_revision_bytes: int) -> None:
        """Take the parts; ``max_revision_bytes`` is the scoring server's limit."""
        contract = EventValidator(SchemaRepository().load(READING_CONTRACT))
        self._changes = PageChangeReader(contract, wikis, max_revision_bytes=max_revision_bytes)
        self.filters = filters
        self._rule = rule

    def judge(  # noqa: PLR0911 - one return for each check, in their order
        self, wiki: Wiki, found: Found, asked_at: datetime
    ) -> SelectionVerdict:
        """Decide about a revision that was looked up at ``asked_at``."""
        revision = found.revision
        if revision is None:
            return _skip(SkipReason.REVISION_MISSING)
        if (left_out := self.filters.left_out(revision)) is not None:
            return SelectionVerdict(left_out.reason)
        event = page_change(wiki, revision, found.parent, asked_at)
        try:
            ref = self._changes.resolve(self._changes.read(event))
        except InvalidPageChangeError:  # the server would refuse this event
            return SelectionVerdict(INVALID_EVENT)
        if isinstance(ref, Skip):
            return _skip(ref.reason)
        if found.parent is None or found.parent.page_id != revision.page_id:
            return _skip(SkipReason.PARENT_MISSING)
        if found.parent.content_model != WIKITEXT:
            return _skip(SkipReason.CONTENT_MODEL)
        verdict = self._rule.judge(event)
        if isinstance(verdict, Taken):
            return SelectionVerdict(event=event)
        return SelectionVerdict(
            f"unmatched:{verdict.field}" if isinstance(verdict, NotMatched) else "sampled_out"
        )


def _skip(reason: SkipReason) -> SelectionVerdict:
    return SelectionVerdict(f"skipped:{reason}")
