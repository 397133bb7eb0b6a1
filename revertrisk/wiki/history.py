"""The stored pages, revisions and users of a wiki, from sample pages or from an export.

A history is read-only. A fact that its source lacks is ``None``; a part that the wiki hides is named in
``StoredRevision.hidden``; a page or revision that does not exist is not found. Timestamps are strings in MediaWiki's
form (``2026-08-01T10:00:00Z``), which sort by time.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol

from revertrisk.wiki.user_kinds import UserKind

_BASE36: Final = "0123456789abcdefghijklmnopqrstuvwxyz"
_SHA1_DIGITS: Final = 31

_FORMATS: Final = {
    "css": "text/css",
    "javascript": "text/javascript",
    "json": "application/json",
    "sanitized-css": "text/css",
    "Scribunto": "text/plain",
    "text": "text/plain",
    "wikibase-item": "application/json",
    "wikibase-property": "application/json",
}
_REDIRECT_WORDS: Final = (
    "REDIRECT",  # every wiki accepts it; the others are the words of some languages
    "ALIDIREKTU", "ALIH", "BIRZUZENDU", "DOORVERWIJZING", "LENCONG", "OHJAUS", "OMDIRIGERING", "OMDIRIGER",
    "OMDIREGER", "PATRZ", "PRZEKIERUJ", "PŘESMĚRUJ", "REDIRECCIÓN", "REDIRECCION", "REDIRECIONAMENTO",
    "REDIRECTEAZA", "REDIRECTION", "REDIRECIONAR", "RINVIA", "RINVIO", "TAM", "VIDERESTILLING", "WEITERLEITUNG",
    "YÖNLENDİRME", "YÖNLENDIR", "ÁTIRÁNYÍTÁS", "ĐỔI", "ΑΝΑΚΑΤΕΥΘΥΝΣΗ", "ПЕРАНАКІРАВАНЬНЕ", "ПЕРЕНАПРАВЛЕНИЕ",
    "ПЕРЕНАПР", "ПЕРЕНАПРАВЛЕННЯ", "ПРЕУСМЕРИ", "виж", "הפניה", "تحويل", "تغییر_مسیر", "تغییرمسیر",
    "पुनर्प्रेषित", "เปลี่ยนทาง", "転送", "リダイレクト", "重定向", "넘겨주기",
    "ADKAS", "AIL-CYFEIRIO", "ATHSHEOLADH", "PERADRESAVIMAS", "PREUSMERI", "PREUSMERITEV", "PREUSMJERI", "PRESMERUJ",
    "RIDREJTO", "SUUNA", "TILVÍSUN", "İSTİQAMƏTLƏNDİRMƏ", "АЙДАУ", "ПЕРАНАКІРАВАННЕ", "ПРЕНАСОЧУВАЊЕ", "ЮНӘЛТҮ",
    "ՎԵՐԱՀՂՈՒՄ", "გადამისამართება", "अनुप्रेषित", "पुनर्निर्देशन", "পুনর্নির্দেশ", "வழிமாற்று", "దారిమార్పు", "തിരിച്ചുവിടുക",
)  # fmt: skip

_REDIRECT: Final = re.compile(
    rf"\s*#(?:{'|'.join(map(re.escape, _REDIRECT_WORDS))})\s*(?::\s*)?\[\[", re.IGNORECASE
)


class Part(StrEnum):
    """A part of a revision that can be hidden separately."""

    TEXT = "text"
    USER = "user"
    COMMENT = "comment"


class ChangeKind(StrEnum):
    """The kind of change that made the revision: ``page_change_kind`` of its event."""

    CREATE = "create"
    EDIT = "edit"
    MOVE = "move"
    UNDELETE = "undelete"


class RevertMethod(StrEnum):
    """How MediaWiki recognises a revert."""

    ROLLBACK = "rollback"
    UNDO = "undo"
    MANUAL = "manual"


class SampleLabel(StrEnum):
    """The judgement of an experienced patroller about a sample edit."""

    GOOD = "good"
    BAD = "bad"
    BORDERLINE = "borderline"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUser:
    """An author, with the facts of one time. ``user_id`` is 0 for a user without an account."""

    name: str
    kind: UserKind
    user_id: int = 0
    edit_count: int | None = None
    registered: str | None = None
    groups: tuple[str, ...] | None = None
    """All effective groups, including implicit ones such as ``*`` and ``user``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """A page in its present state. The title has its namespace prefix, and spaces."""

    wiki_id: str
    page_id: int
    namespace_id: int
    title: str
    latest_rev_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRevision:
    """One stored revision, without its text."""

    wiki_id: str
    page_id: int
    page_title: str
    """The title at the time, with spaces."""
    namespace_id: int
    rev_id: int
    parent_id: int
    """0 for the first revision of a page."""
    position: int
    """The position in the source."""
    timestamp: str
    user: StoredUser | None
    comment: str | None
    is_minor: bool
    size: int | None
    """Length of the text in bytes of UTF-8."""
    sha1: str | None
    """Base 36, 31 digits."""
    content_model: str
    content_format: str
    is_redirect: bool
    hidden: frozenset[Part] = frozenset()
    is_suppressed: bool = False
    """Whether the hidden parts are hidden from administrators too."""
    tags: tuple[str, ...] = ()
    kind: ChangeKind = ChangeKind.EDIT
    moved_from: str | None = None
    revert_method: RevertMethod | None = None
    label: SampleLabel | None = None


class EarlierText(NamedTuple):
    """The facts about an earlier revision for finding reverts. ``sha1`` is None for a hidden or lost text."""

    rev_id: int
    timestamp: str
    sha1: str | None


Place = tuple[str, int]
"""A timestamp and a rev_id; lists of revisions are sorted by both."""


@dataclass(frozen=True, slots=True)
class RevisionRange:
    """The range of a list, including both ends; ``start`` is where the list starts, so it can be the later one."""

    is_newer: bool
    """Whether the list goes from the oldest to the newest."""
    start: Place
    end: Place

    @property
    def is_empty(self) -> bool:
        """True if the end is before the start."""
        return self.start > self.end if self.is_newer else self.start < self.end

    def select(self, revisions: Iterable[StoredRevision]) -> list[StoredRevision]:
        """Return the revisions in the range, in the direction of the list."""
        first, last = sorted((self.start, self.end))
        found = [each for each in revisions if first <= (each.timestamp, each.rev_id) <= last]
        return sorted(found, key=lambda each: (each.timestamp, each.rev_id), reverse=not self.is_newer)


class History(Protocol):
    """The history of one or more wikis."""

    @property
    def default_wiki_id(self) -> str:
        """The wiki of requests to a loopback host."""

    def revision(self, wiki_id: str, rev_id: int) -> StoredRevision | None:
        """Return a revision, or None if the wiki has no revision with this id."""

    def text(self, revision: StoredRevision) -> str | None:
        """Return a revision's text, hidden or not, or None if the source lacks it."""

    def page(self, wiki_id: str, page_id: int) -> StoredPage | None:
        """Return a page, or None."""

    def page_titled(self, wiki_id: str, title: str) -> StoredPage | None:
        """Return the page that has this title now (with spaces), or None."""

    def pages(self, wiki_id: str) -> Iterator[StoredPage]:
        """Yield every page of a wiki."""

    def page_revisions(self, page: StoredPage, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a page within a range, at most ``limit`` of them, in its direction."""

    def wiki_revisions(self, wiki_id: str, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a wiki within a range, at most ``limit`` of them, in its direction."""

    def preceding(self, revision: StoredRevision, count: int) -> Sequence[EarlierText]:
        """Return up to ``count`` earlier revisions of the same page, newest first."""

    def changes(self) -> Iterator[StoredRevision]:
        """Yield every revision that has a page_change event, oldest first."""


def sha1_base36(text: str) -> str:
    """Return a text's SHA-1 in the form of MediaWiki's tables and events: base 36, 31 digits."""
    return base36_sha1(hashlib.sha1(text.encode(), usedforsecurity=False).digest())


def base36_sha1(digest: bytes) -> str:
    """Return a SHA-1 of 20 bytes in the form of MediaWiki's tables and events."""
    number = int.from_bytes(digest)
    digits = []
    for _ in range(_SHA1_DIGITS):
        number, digit = divmod(number, 36)
        digits.append(_BASE36[digit])
    return "".join(reversed(digits))


def content_format(content_model: str) -> str:
    """Return the format of a content model in MediaWiki; for an unknown model that of wikitext."""
    return _FORMATS.get(content_model, "text/x-wiki")


def is_redirect(text: str) -> bool:
    """Return whether a wikitext begins with a redirect, in English or in one of the languages above."""
    return _REDIRECT.match(text) is not None
