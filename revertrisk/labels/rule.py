"""Decides which events are labelled: those that a server scores, by the server's own code, and more with flags."""

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
"""The most characters of a problem, since an event can violate the contract in any number of fields."""
WIDENABLE: Final = (
    SkipReason.NOT_WIKIPEDIA,
    SkipReason.NAMESPACE,
    SkipReason.REDIRECT,
    SkipReason.CONTENT_MODEL,
    SkipReason.TOO_LARGE,
)
"""The reasons for which a server skips an edit, though it can be labelled."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """The rule's decision about an event."""

    reason: str | None
    """Why it is not labelled; None if it can be."""
    change: PageChange | None
    """None for a canary, and for an event that is not a valid page_change event."""
    problem: str | None = None
    """The errors in an invalid event: the paths of its fields, without values."""


class LabelRule:
    """Judges events as a server does."""

    def __init__(
        self, wikis: WikiTable, widened: Collection[SkipReason] = (), named_wiki: str | None = None
    ) -> None:
        """Take the wikis; ``widened`` are reasons in `WIDENABLE` to ignore, ``named_wiki`` counts as a scored wiki."""
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
            found = self._reader.resolve(PageChange.of(self._as_asked(event)))
        except (InvalidPageChangeError, UnsupportedPageChangeError) as exc:
            return Judgement(INVALID_EVENT, None, str(exc)[:_MAX_PROBLEM])
        if isinstance(found, Skip):
            return Judgement(found.reason, change)
        if change.kind not in EDITING_KINDS:
            return Judgement(SkipReason.PAGE_CHANGE_KIND, change)
        return Judgement(None, change)

    def _as_asked(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return an event without the facts for which the server skips it and that a flag ignores.

        So the server's rule is used unchanged.
        """
        asked = dict(event)
        wiki = self._wikis.by_id(event["wiki_id"])
        if event["wiki_id"] == self._named_wiki or (
            wiki is not None and not wiki.is_scorable and SkipReason.NOT_WIKIPEDIA in self._widened
        ):
            asked["wiki_id"] = self._a_scored_wiki
            asked["meta"] = {name: value for name, value in event["meta"].items() if name != "domain"}
        page = dict(event["page"])
        if SkipReason.NAMESPACE in self._widened:
            page.pop("namespace_id", None)
        if SkipReason.REDIRECT in self._widened:
            page.pop("is_redirect", None)
        asked["page"] = page
        if SkipReason.CONTENT_MODEL in self._widened:
            revision = event["revision"].items()
            asked["revision"] = {name: value for name, value in revision if name != "content_slots"}
        return asked
