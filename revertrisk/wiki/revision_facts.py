"""Reads revisions in answers of the Action API (``formatversion=2``), and has the API's limits and error codes."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from types import UnionType
from typing import Any, Final, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from revertrisk.runtime.instants import parse_date_time
from revertrisk.wiki.user_kinds import UserKind, user_kind

PUBLIC_CONNECTIONS: Final = 3
"""The most concurrent requests of one client to a public host (API:Etiquette, T400119)."""
BUSY_CODES: Final = ("maxlag", "ratelimited", "readonly")
"""Prefixes of API errors with which a wiki refuses any request at present, independent of its content."""
TRANSIENT_CODES: Final = (*BUSY_CODES, "internal_api_error")
"""Prefixes of API errors after which a retry can succeed (Manual:Maxlag parameter, API:Etiquette)."""
LARGEST_ID: Final = 2**53 - 1
"""The largest integer that every JSON parser reads exactly, and the schemas' maximum."""
OUTCOME_TAGS = frozenset({"mw-reverted"})
"""Change tags that are added to a revision later. They are removed: a model that read them would read its label."""

REDIRECT_TAGS: Final = frozenset({"mw-new-redirect", "mw-changed-redirect-target"})
"""Change tags that MediaWiki adds to a revision that is a redirect (Help:Tags)."""

HIDING_FLAGS = frozenset({"texthidden", "sha1hidden", "userhidden", "commenthidden", "suppressed"})

Documents = list[Mapping[str, Any]]
"""The ``query`` parts of one continued answer."""

Fact = TypeVar("Fact", str, int, bool)


class RevisionFacts(NamedTuple):
    """A revision in the API's present answer; a hidden part is None and named in ``hidden_*``.

    It is a tuple, since two are created for every event, and a frozen dataclass of so many fields takes several times
    as long.
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
    """The timestamp as a datetime."""
    is_minor: bool
    size: int
    sha1: bytes | None
    """The hash of the content, 20 bytes; None if it is hidden or was not requested."""
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
        """The kind of its author."""
        return user_kind(self.user_text, self.user_id, is_temp=self.is_temp or None)

    @property
    def is_or_was_redirect(self) -> bool:
        """Whether the page is a redirect at present, or this revision was tagged as one when it was saved."""
        return self.is_redirect or not self.tags.isdisjoint(REDIRECT_TAGS)

    @property
    def hides_anything(self) -> bool:
        """Whether the API hides a part of it."""
        return self.hidden_text or self.hidden_user or self.hidden_comment


def _types_of(hint: Any) -> tuple[type, ...]:
    """Return the allowed classes of a field's value."""
    if isinstance(hint, UnionType):
        return get_args(hint)
    return (get_origin(hint) or hint,)


FACT_TYPES = tuple(_types_of(hint) for hint in get_type_hints(RevisionFacts).values())
"""The allowed classes of each field of `RevisionFacts`, in their order, to check all in one call."""


class MissingRevision:
    """A revision that the API reports as missing (``badrevids``)."""


MISSING = MissingRevision()


def read_revisions(documents: Documents) -> dict[int, RevisionFacts | MissingRevision]:
    """Return the revisions of an answer by id, and those that it reports as missing.

    A revision that cannot be read is left out, so that it does not affect the others. An answer of another form raises
    AttributeError, TypeError or ValueError.
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
    # If an answer is continued, only one of its parts has the facts of a page.
    redirects = {page.get("pageid") for page in pages if page.get("redirect") is True}
    for page in pages:
        for revision in page.get("revisions", ()):
            try:
                yield _revision_facts(page, revision, is_redirect=page.get("pageid") in redirects)
            except (AttributeError, KeyError, TypeError, ValueError):
                continue


def read_first_edit(documents: Documents) -> datetime:
    """Return the time of the only revision of the only page.

    Only the first document is read: the API offers to continue with later revisions, which are not needed. An answer of
    another form raises AttributeError, KeyError, TypeError or ValueError.
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
        raise TypeError("a fact has the wrong type")
    return facts


def _hidden(revision: Mapping[str, Any], slot: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Return whether the text, the user and the comment are hidden."""
    # A suppressed revision without any other flag is treated as wholly hidden: showing too little is safe.
    text = any(flag(part, name) for part in (revision, slot) for name in ("texthidden", "sha1hidden"))
    user = flag(revision, "userhidden")
    comment = flag(revision, "commenthidden")
    if flag(revision, "suppressed") and not (text or user or comment):
        return True, True, True
    return text, user, comment


def _tags(tags: Iterable[Any]) -> frozenset[str]:
    found = frozenset(tags)
    return frozenset([typed(tag, str) for tag in found]) - OUTCOME_TAGS if found else found


def typed(value: Any, kind: type[Fact]) -> Fact:
    """Return a value of a required type; raises TypeError if it has another."""
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def optional(facts: Mapping[str, Any], name: str, kind: type[Fact]) -> Fact | None:
    """Return a field, or None if it is absent or null; raises TypeError if it has another type."""
    value = facts.get(name)
    return None if value is None else typed(value, kind)


def flag(facts: Mapping[str, Any], name: str) -> bool:
    """Return a flag, False if it is absent; raises TypeError if it is not a boolean."""
    return typed(facts.get(name, False), bool)
