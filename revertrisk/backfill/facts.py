"""What the Action API tells of revisions without their texts, read out of its answers (``formatversion=2``)."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from revertrisk.runtime.instants import is_instant
from revertrisk.wiki.action_api import flag, optional, typed
from revertrisk.wiki.user_kinds import UserKind, user_kind

log = logging.getLogger(__name__)

PROPERTIES: Final = "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags"
"""``rvprop``: everything but the text. A hidden text shows in ``sha1hidden``."""
REDIRECT_TAGS: Final = frozenset({"mw-new-redirect", "mw-changed-redirect-target"})
"""Change tags that MediaWiki gives a revision which is a redirect (Help:Tags)."""
_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHA1_DIGITS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class PageFacts:
    """A page as it is today."""

    page_id: int
    title: str
    """With spaces, as the API writes titles."""
    namespace_id: int
    is_redirect: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionFacts:
    """A revision as the API describes it today; what is hidden is None and named in ``hidden_*``."""

    page: PageFacts
    rev_id: int
    parent_id: int
    """0 for the first revision of a page."""
    timestamp: str
    is_minor: bool
    size: int | None
    """Of the text, in bytes."""
    sha1: str | None
    """Base 36, 31 digits, as events have it; the API's is hexadecimal."""
    content_model: str | None
    comment: str | None
    user_text: str | None
    user_id: int | None
    """None for somebody without an account."""
    is_temp: bool
    tags: frozenset[str]
    hidden_text: bool
    hidden_user: bool
    hidden_comment: bool

    @property
    def user_kind(self) -> UserKind:
        """What kind of author it has."""
        return user_kind(self.user_text, self.user_id, is_temp=self.is_temp or None)

    @property
    def is_redirect(self) -> bool:
        """Whether the page is a redirect today, or this revision was marked as one when it was made."""
        return self.page.is_redirect or bool(self.tags & REDIRECT_TAGS)


def read_revisions(query: Mapping[str, Any]) -> dict[int, RevisionFacts]:
    """Return the revisions in the ``query`` part of an answer with ``prop=revisions|info``, by their id.

    One that is not as it should be is left out with a warning: it must not stop the others.
    """
    return {facts.rev_id: facts for page in query.get("pages", ()) for facts in _revisions_of(page)}


def _revisions_of(page: Mapping[str, Any]) -> Iterator[RevisionFacts]:
    for revision in page.get("revisions", ()):
        try:
            yield _revision(_page(page), revision)
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("the MediaWiki API told of a revision in another shape; it counts as missing")


def _page(page: Mapping[str, Any]) -> PageFacts:
    return PageFacts(
        page_id=typed(page["pageid"], int),
        title=typed(page["title"], str),
        namespace_id=typed(page["ns"], int),
        is_redirect=flag(page, "redirect"),
    )


def _revision(page: PageFacts, revision: Mapping[str, Any]) -> RevisionFacts:
    slot = revision.get("slots", {}).get("main", {})
    hidden_text = any(flag(part, name) for part in (revision, slot) for name in ("texthidden", "sha1hidden"))
    hidden_user = flag(revision, "userhidden")
    hidden_comment = flag(revision, "commenthidden")
    if flag(revision, "suppressed") and not (hidden_text or hidden_user or hidden_comment):
        hidden_text = hidden_user = hidden_comment = True
    timestamp = typed(revision["timestamp"], str)
    if not is_instant(timestamp):
        raise ValueError("not a time")
    sha1 = optional(revision, "sha1", str)
    return RevisionFacts(
        page=page,
        rev_id=typed(revision["revid"], int),
        parent_id=typed(revision.get("parentid", 0), int),
        timestamp=timestamp,
        is_minor=flag(revision, "minor"),
        size=None if hidden_text else optional(revision, "size", int),
        sha1=_base36(sha1) if sha1 and not hidden_text else None,
        content_model=optional(slot, "contentmodel", str),
        comment=None if hidden_comment else optional(revision, "comment", str),
        user_text=None if hidden_user else optional(revision, "user", str) or None,
        user_id=None if hidden_user else optional(revision, "userid", int) or None,
        is_temp=not hidden_user and flag(revision, "temp"),
        tags=frozenset(typed(tag, str) for tag in revision.get("tags", ())),
        hidden_text=hidden_text,
        hidden_user=hidden_user,
        hidden_comment=hidden_comment,
    )


def _base36(hexadecimal: str) -> str:
    number, digits = int(hexadecimal, 16), ""
    while number:
        number, digit = divmod(number, 36)
        digits = _BASE36[digit] + digits
    return digits.rjust(_SHA1_DIGITS, "0")
