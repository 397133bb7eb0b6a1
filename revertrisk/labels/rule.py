"""Decides which events are labelled: those that the server scores, by the code of the server. Flags can add more."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from revertrisk.event_platform.page_change import (
    MAX_REVISION_BYTES,
    READING_CONTRACT,
    InvalidPageChangeError,
    PageChange,
    PageChangeReader,
    Skip,
    SkipReason,
    UnsupportedPageChangeError,
)
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.event_platform.streams import is_canary
from revertrisk.labels.recorded import EDITING_KINDS
from revertrisk.wiki.revision_facts import LARGEST_ID
from revertrisk.wiki.table import WikiTable

INVALID_EVENT: Final = "invalid_event"
_MAX_PROBLEM: Final = 300
"""The maximum length of a problem in characters, because an event can have errors in any number of fields."""
WIDENABLE: Final = (
    SkipReason.NOT_WIKIPEDIA,
    SkipReason.NAMESPACE,
    SkipReason.REDIRECT,
    SkipReason.CONTENT_MODEL,
    SkipReason.TOO_LARGE,
)
"""The reasons for which the server skips an edit although it can be labelled; a flag can ignore them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The decision about an event."""

    reason: str | None
    """The reason why the event is not labelled; None if it can be labelled."""
    change: PageChange | None
    """None for a canary, and for an event that is not a valid page_change event."""
    problem: str | None = None
    """The errors in an invalid event: the paths of the fields, without their values."""


class LabelRule:
    """Decides about events as the server does."""

    def __init__(
        self, wikis: WikiTable, widened: Collection[SkipReason] = (), named_wiki: str | None = None
    ) -> None:
        """Prepare the rule.

        ``widened`` has the reasons of `WIDENABLE` to ignore. ``named_wiki`` counts as a wiki that is scored.
        """
        self._widened = frozenset(widened)
        self._named_wiki = named_wiki
        self._a_scored_wiki = next(wiki.wiki_id for wiki in wikis if wiki.is_scorable)
        self._reader = PageChangeReader(
            EventValidator(SchemaRepository().load(READING_CONTRACT)),
            wikis,
            max_revision_bytes=LARGEST_ID if SkipReason.TOO_LARGE in self._widened else MAX_REVISION_BYTES,
        )
        self._wikis = wikis

    def judge(self, event: Mapping[str, Any]) -> Judgement:
        """Decide whether an event can be labelled."""
        if is_canary(event):
            return Judgement(SkipReason.CANARY, None)
        try:
            change = self._reader.read(event)
            found = self._reader.resolve(PageChange.of(self._without_ignored(event)))
        except (InvalidPageChangeError, UnsupportedPageChangeError) as exc:
            return Judgement(INVALID_EVENT, None, str(exc)[:_MAX_PROBLEM])
        if isinstance(found, Skip):
            return Judgement(found.reason, change)
        if change.kind not in EDITING_KINDS:
            return Judgement(SkipReason.PAGE_CHANGE_KIND, change)
        return Judgement(None, change)

    def _without_ignored(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a copy of an event without the facts for which the server would skip it and that a flag ignores.

        So the rule of the server is applied without a change.
        """
        copy = dict(event)
        wiki = self._wikis.by_id(event["wiki_id"])
        if event["wiki_id"] == self._named_wiki or (
            wiki is not None and not wiki.is_scorable and SkipReason.NOT_WIKIPEDIA in self._widened
        ):
            copy["wiki_id"] = self._a_scored_wiki
            copy["meta"] = {name: value for name, value in event["meta"].items() if name != "domain"}
        page = dict(event["page"])
        if SkipReason.NAMESPACE in self._widened:
            page.pop("namespace_id", None)
        if SkipReason.REDIRECT in self._widened:
            page.pop("is_redirect", None)
        copy["page"] = page
        if SkipReason.CONTENT_MODEL in self._widened:
            revision = event["revision"].items()
            copy["revision"] = {name: value for name, value in revision if name != "content_slots"}
        return copy
