"""What the Action API tells of revisions, read out of its answers (``formatversion=2``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from event_platform.action_api import flag, optional, typed
from event_platform.formats import parse_date_time

OUTCOME_TAGS = frozenset({"mw-reverted"})
"""Change tags that are put on a revision after the fact: reading them would be looking at the answer."""

Documents = list[Mapping[str, Any]]
"""The ``query`` parts of one continued answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFacts:
    """A revision as the API describes it now; what is hidden is None and named in ``hidden_*``."""

    rev_id: int
    parent_id: int
    page_id: int
    title: str
    """With spaces, as the API writes titles."""
    namespace_id: int
    is_redirect: bool
    timestamp: str
    is_minor: bool
    size: int
    content_model: str
    text: str | None
    comment: str | None
    user_text: str | None
    user_id: int | None
    is_temp: bool
    tags: frozenset[str]
    hidden_text: bool
    hidden_user: bool
    hidden_comment: bool

    @property
    def hides_anything(self) -> bool:
        """Whether the API hides something of it."""
        return self.hidden_text or self.hidden_user or self.hidden_comment


class MissingRevision:
    """What the API says of a revision that it does not have (``badrevids``)."""


MISSING = MissingRevision()


def read_revisions(documents: Documents) -> dict[int, RevisionFacts | MissingRevision]:
    """Collect the revisions of an answer, and those that it says are missing.

    A revision that cannot be read is left out, as if nothing had been said of it: it must not spoil the
    others. Raises AttributeError, TypeError or ValueError on an answer that is no answer at all.
    """
    found: dict[int, RevisionFacts | MissingRevision] = {}
    pages = [page for query in documents for page in query.get("pages", ()) if isinstance(page, dict)]
    # A continued answer tells of a page itself only once.
    redirects = {page.get("pageid") for page in pages if page.get("redirect") is True}
    for query in documents:
        for missing in query.get("badrevids", {}):
            found[int(missing)] = MISSING
    for page in pages:
        for revision in page.get("revisions", ()):
            try:
                facts = _revision_facts(page, revision, is_redirect=page.get("pageid") in redirects)
            except (AttributeError, KeyError, TypeError, ValueError):
                continue
            found[facts.rev_id] = facts
    return found


def read_first_edit(documents: Documents) -> datetime:
    """Read the time of the only revision of the only page; raises AttributeError, KeyError, TypeError or ValueError.

    A continued answer offers the next revisions, which nobody has asked for.
    """
    (page,) = documents[0]["pages"]
    (revision,) = page["revisions"]
    return parse_date_time(typed(revision["timestamp"], str))


def _revision_facts(
    page: Mapping[str, Any], revision: Mapping[str, Any], *, is_redirect: bool
) -> RevisionFacts:
    slot = revision.get("slots", {}).get("main", {})
    hidden_text = flag(slot, "texthidden") or flag(revision, "texthidden")
    hidden_user = flag(revision, "userhidden")
    hidden_comment = flag(revision, "commenthidden")
    if flag(revision, "suppressed") and not (hidden_text or hidden_user or hidden_comment):
        hidden_text = hidden_user = hidden_comment = True
    parse_date_time(revision["timestamp"])
    return RevisionFacts(
        rev_id=typed(revision["revid"], int),
        parent_id=typed(revision.get("parentid", 0), int),
        page_id=typed(page["pageid"], int),
        title=typed(page["title"], str),
        namespace_id=typed(page["ns"], int),
        is_redirect=is_redirect,
        timestamp=typed(revision["timestamp"], str),
        is_minor=flag(revision, "minor"),
        size=typed(revision.get("size", 0), int),
        content_model=typed(slot.get("contentmodel", "wikitext"), str),
        text=None if hidden_text else optional(slot, "content", str),
        comment=None if hidden_comment else optional(revision, "comment", str),
        user_text=None if hidden_user else optional(revision, "user", str),
        user_id=None if hidden_user else optional(revision, "userid", int),
        is_temp=not hidden_user and flag(revision, "temp"),
        tags=frozenset(typed(tag, str) for tag in revision.get("tags", ())) - OUTCOME_TAGS,
        hidden_text=hidden_text,
        hidden_user=hidden_user,
        hidden_comment=hidden_comment,
    )
