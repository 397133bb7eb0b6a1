"""What the Action API tells of revisions and accounts, read out of its answers (``formatversion=2``)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
    sha1: str | None
    comment: str | None
    user_text: str | None
    user_id: int | None
    is_temp: bool
    tags: frozenset[str]
    hidden_text: bool
    hidden_user: bool
    hidden_comment: bool


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a wiki says today of a user account."""

    edit_count: int | None
    registered_at: str | None
    groups: frozenset[str] | None


class MissingRevision:
    """What the API says of a revision that it does not have (``badrevids``)."""


MISSING = MissingRevision()


def read_revisions(documents: Documents) -> dict[int, RevisionFacts | MissingRevision]:
    """Collect the revisions of an answer, and those that it says are missing.

    Raises AttributeError, KeyError, TypeError or ValueError on an answer of another shape.
    """
    found: dict[int, RevisionFacts | MissingRevision] = {}
    for query in documents:
        for missing in query.get("badrevids", {}):
            found[int(missing)] = MISSING
        for page in query.get("pages", ()):
            for revision in page.get("revisions", ()):
                facts = _revision_facts(page, revision)
                found[facts.rev_id] = facts
    return found


def _revision_facts(page: Mapping[str, Any], revision: Mapping[str, Any]) -> RevisionFacts:
    slot = revision.get("slots", {}).get("main", {})
    hidden_text = slot.get("texthidden", False) or revision.get("texthidden", False)
    hidden_user = revision.get("userhidden", False)
    hidden_comment = revision.get("commenthidden", False)
    if revision.get("suppressed", False) and not (hidden_text or hidden_user or hidden_comment):
        hidden_text = hidden_user = hidden_comment = True
    text = slot.get("content")
    if not (text is None or isinstance(text, str)):
        raise TypeError("content")
    parse_date_time(revision["timestamp"])
    return RevisionFacts(
        rev_id=revision["revid"],
        parent_id=revision.get("parentid", 0),
        page_id=page["pageid"],
        title=page["title"],
        namespace_id=page["ns"],
        is_redirect=page.get("redirect", False),
        timestamp=revision["timestamp"],
        is_minor=revision.get("minor", False),
        size=revision.get("size", 0),
        content_model=slot.get("contentmodel", "wikitext"),
        text=None if hidden_text else text,
        sha1=None if revision.get("sha1hidden", False) else revision.get("sha1"),
        comment=None if hidden_comment else revision.get("comment"),
        user_text=None if hidden_user else revision.get("user"),
        user_id=None if hidden_user else revision.get("userid"),
        is_temp=not hidden_user and revision.get("temp", False),
        tags=frozenset(revision.get("tags", ())) - OUTCOME_TAGS,
        hidden_text=hidden_text,
        hidden_user=hidden_user,
        hidden_comment=hidden_comment,
    )


def read_accounts(documents: Documents) -> dict[str, AccountFacts]:
    """Collect the accounts of an answer by user name; raises as :func:`read_revisions` does."""
    return {
        user["name"]: AccountFacts(
            edit_count=user.get("editcount"),
            registered_at=user.get("registration"),
            groups=frozenset(user["groups"]) if "groups" in user else None,
        )
        for document in documents
        for user in document.get("users", ())
        if "userid" in user
    }
