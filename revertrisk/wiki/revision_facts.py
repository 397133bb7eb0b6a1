"""What the Action API says of revisions (``formatversion=2``), and the limits and errors that its clients go by."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, Final, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from revertrisk.runtime.instants import parse_date_time
from revertrisk.wiki.user_kinds import UserKind, user_kind

PUBLIC_CONNECTIONS: Final = 3
"""Requests that a public host allows one client at a time (API:Etiquette, T400119)."""
BUSY_CODES: Final = ("maxlag", "ratelimited", "readonly")
"""API errors, as prefixes, by which a wiki says that it takes no such request now, whatever is asked for."""
TRANSIENT_CODES: Final = (*BUSY_CODES, "internal_api_error")
"""API errors, as prefixes, that a later try may not meet (Manual:Maxlag parameter, API:Etiquette)."""
LARGEST_ID: Final = 2**53 - 1
"""The largest id that JSON carries exactly everywhere, and the schemas' maximum."""
OUTCOME_TAGS = frozenset({"mw-reverted"})
"""Change tags that are put on a revision after the fact: reading them would be looking at the answer."""

REDIRECT_TAGS: Final = frozenset({"mw-new-redirect", "mw-changed-redirect-target"})
"""Change tags that MediaWiki gives a revision which is a redirect (Help:Tags)."""

HIDING_FLAGS = frozenset({"texthidden", "sha1hidden", "userhidden", "commenthidden", "suppressed"})

Documents = list[Mapping[str, Any]]
"""The ``query`` parts of one continued answer."""

Fact = TypeVar("Fact", str, int, bool)


class RevisionFacts(NamedTuple):
    """A revision as the API describes it now; what is hidden is None and named in ``hidden_*``.

    A tuple, since two are made for every event: a frozen dataclass of so many fields costs several times as much.
    """

    rev_id: int
    parent_id: int
    page_id: int
    title: str
    """With spaces, as the API writes titles."""
    namespace_id: int
    is_redirect: bool
    timestamp: str
    saved_at: datetime
    """The same, read."""
    is_minor: bool
    size: int
    sha1: bytes | None
    """Of the content, 20 bytes; None where it is hidden or was not asked for."""
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
    def user_kind(self) -> UserKind:
        """What kind of user its author is."""
        return user_kind(self.user_text, self.user_id, is_temp=self.is_temp or None)

    @property
    def is_or_was_redirect(self) -> bool:
        """Whether the page is a redirect today, or this revision was marked as one when it was made."""
        return self.is_redirect or not self.tags.isdisjoint(REDIRECT_TAGS)

    @property
    def hides_anything(self) -> bool:
        """Whether the API hides something of it."""
        return self.hidden_text or self.hidden_user or self.hidden_comment


def _types_of(hint: Any) -> tuple[type, ...]:
    """Return the classes that a field's value may be of."""
    if isinstance(hint, UnionType):
        return get_args(hint)
    return (get_origin(hint) or hint,)


FACT_TYPES = tuple(_types_of(hint) for hint in get_type_hints(RevisionFacts).values())
"""What each field of `RevisionFacts` may be, in their order: all are checked at once."""


class MissingRevision:
    """What the API says of a revision that it does not have (``badrevids``)."""


MISSING = MissingRevision()


def read_revisions(documents: Documents) -> dict[int, RevisionFacts | MissingRevision]:
    """Collect the revisions of an answer, and those that it says are missing.

    A revision that cannot be read is left out, as if nothing had been said of it: it must not spoil the
    others. Raises AttributeError, TypeError or ValueError on an answer that is no answer at all.
    """
    found: dict[int, RevisionFacts | MissingRevision] = {}
    for query in documents:
        for missing in query.get("badrevids", {}):
            found[int(missing)] = MISSING
    pages = [page for query in documents for page in query.get("pages", ()) if isinstance(page, dict)]
    found.update((facts.rev_id, facts) for facts in read_pages(pages))
    return found


def read_pages(pages: Collection[Mapping[str, Any]]) -> Iterator[RevisionFacts]:
    """Yield the revisions of an answer's pages that can be read."""
    # A continued answer describes a page itself only once.
    redirects = {page.get("pageid") for page in pages if page.get("redirect") is True}
    for page in pages:
        for revision in page.get("revisions", ()):
            try:
                yield _revision_facts(page, revision, is_redirect=page.get("pageid") in redirects)
            except (AttributeError, KeyError, TypeError, ValueError):
                continue


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
    hidden_text = hidden_user = hidden_comment = False
    if not (HIDING_FLAGS.isdisjoint(revision) and HIDING_FLAGS.isdisjoint(slot)):
        hidden_text, hidden_user, hidden_comment = _hidden(revision, slot)
    facts = RevisionFacts(
        rev_id=revision["revid"],
        parent_id=revision.get("parentid", 0),
        page_id=page["pageid"],
        title=page["title"],
        namespace_id=page["ns"],
        is_redirect=is_redirect,
        timestamp=revision["timestamp"],
        saved_at=parse_date_time(revision["timestamp"]),
        is_minor=revision.get("minor", False),
        size=revision.get("size", 0),
        sha1=None if hidden_text or not revision.get("sha1") else bytes.fromhex(revision["sha1"]),
        content_model=slot.get("contentmodel", "wikitext"),
        text=None if hidden_text else slot.get("content"),
        comment=None if hidden_comment else revision.get("comment"),
        user_text=None if hidden_user else revision.get("user"),
        user_id=None if hidden_user else revision.get("userid"),
        is_temp=False if hidden_user else revision.get("temp", False),
        tags=_tags(revision.get("tags", ())),
        hidden_text=hidden_text,
        hidden_user=hidden_user,
        hidden_comment=hidden_comment,
    )
    if not all(map(isinstance, facts, FACT_TYPES)):
        raise TypeError("a fact is of another type")
    return facts


def _hidden(revision: Mapping[str, Any], slot: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Tell whether text, user and comment are hidden."""
    text = any(flag(part, name) for part in (revision, slot) for name in ("texthidden", "sha1hidden"))
    user = flag(revision, "userhidden")
    comment = flag(revision, "commenthidden")
    if flag(revision, "suppressed") and not (text or user or comment):
        return True, True, True
    return text, user, comment


def _tags(tags: Iterable[Any]) -> frozenset[str]:
    told = frozenset(tags)
    return frozenset([typed(tag, str) for tag in told]) - OUTCOME_TAGS if told else told


def typed(value: Any, kind: type[Fact]) -> Fact:
    """Return a value of the kind that it has to be; raises TypeError where it is of another."""
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def optional(facts: Mapping[str, Any], name: str, kind: type[Fact]) -> Fact | None:
    """Return a field, None where it is absent or null; raises TypeError where it is of another kind."""
    value = facts.get(name)
    return None if value is None else typed(value, kind)


def flag(facts: Mapping[str, Any], name: str) -> bool:
    """Return a flag, which is absent where it is not set; raises TypeError where it is of another kind."""
    return typed(facts.get(name, False), bool)
