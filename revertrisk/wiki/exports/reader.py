"""Reads a MediaWiki XML export (formats 0.3 to 0.11) as a stream, in bounded memory.

https://www.mediawiki.org/wiki/Help:Export describes the format. What is read is the main slot of every revision
of every page; uploads, log items and other slots are passed over. The file may be plain or packed with gzip,
bzip2, xz or lzma, which its first bytes tell.
"""

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BufferedIOBase
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.parsers import expat

from revertrisk.wiki.user_kinds import UserKind, user_kind

_CHUNK: Final = 1 << 18
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_SHA1: Final = re.compile(r"[0-9a-z]{31}")
_NAMESPACE: Final = "mediawiki/siteinfo/namespaces/namespace"
_PAGE: Final = "mediawiki/page"
_REVISION: Final = "mediawiki/page/revision"
_SITE_LEAVES: Final = frozenset(f"mediawiki/siteinfo/{name}" for name in ("base", "dbname"))
_PAGE_LEAVES: Final = frozenset(f"{_PAGE}/{name}" for name in ("id", "ns", "title"))
_REVISION_LEAVES: Final = frozenset(
    f"{_REVISION}/{name}"
    for name in (
        "comment", "format", "id", "minor", "model", "parentid", "sha1", "text", "timestamp",
        "contributor", "contributor/id", "contributor/ip", "contributor/username",
    )
)  # fmt: skip
_LEAVES: Final = frozenset({_NAMESPACE, *_SITE_LEAVES, *_PAGE_LEAVES, *_REVISION_LEAVES})


class ExportError(ValueError):
    """An export cannot be used; the message names the file and the place, and quotes nothing of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSite:
    """Which wiki the export is of, as far as it says."""

    dbname: str | None
    domain: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPage:
    """A page; its revisions follow."""

    page_id: int
    namespace_id: int
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRevision:
    """A revision of the page before it. What the export does not give is None."""

    rev_id: int
    parent_id: int | None
    timestamp: str
    user_name: str | None
    user_id: int
    user_hidden: bool
    comment: str
    comment_hidden: bool
    is_minor: bool
    text: str | None
    text_hidden: bool
    size: int | None
    sha1: str | None
    content_model: str | None
    content_format: str | None

    @property
    def saved_at(self) -> datetime:
        """The timestamp, read."""
        return datetime.fromisoformat(self.timestamp)

    @property
    def visible_comment(self) -> str | None:
        """The comment, None where it is hidden."""
        return None if self.comment_hidden else self.comment

    @property
    def user_kind(self) -> UserKind:
        """What kind of user its author is."""
        return UserKind.UNKNOWN if self.user_name is None else user_kind(self.user_name, self.user_id)


ExportedItem = ExportedSite | ExportedPage | ExportedRevision


class ExportReader:
    """One pass over an export.

    :raises ExportError: while iterating, where the file is not a complete export.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = _CHUNK
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._open: list[str] = []
        self._chars: list[str] = []
        self._fields: dict[str, str] = {}
        self._attributes: dict[str, dict[str, str]] = {}
        self._namespaces: dict[str, int] = {}
        self._site: ExportedSite | None = None
        self._page: ExportedPage | None = None
        self._items: list[ExportedItem] = []

    def __iter__(self) -> Iterator[ExportedItem]:
        """Yield the site, then each page followed by its revisions, in file order."""
        try:
            with _open_unpacked(self._path) as file:
                while chunk := file.read(_CHUNK):
                    self._parser.Parse(chunk, False)
                    yield from self._take()
            self._parser.Parse(b"", True)
            yield from self._take()
        except expat.ExpatError as exc:
            raise self.error(f"not a complete XML file: {expat.ErrorString(exc.code)}") from exc
        except EOFError as exc:
            raise self.error("the packed file is cut off") from exc
        except (lzma.LZMAError, zlib.error, OSError) as exc:
            reason = getattr(exc, "strerror", None) or "the packed file is damaged"
            raise self.error(reason) from exc
        if self._site is None:
            raise self.error("there is no <siteinfo>: not a MediaWiki export")

    def error(self, problem: str) -> ExportError:
        """Return an error that names the file and how far the reading had come."""
        parser = self._parser
        return ExportError(
            f"{self._path}: line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1} "
            f"(byte {max(parser.CurrentByteIndex, 0)} of the unpacked text): {problem}"
        )

    def _take(self) -> list[ExportedItem]:
        items, self._items = self._items, []
        return items

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open and name != "mediawiki":
            raise self.error("the root element is not <mediawiki>: not a MediaWiki export")
        self._open.append(name)
        path = "/".join(self._open)
        if path in _LEAVES:
            self._chars = []
            self._attributes[path] = attributes
            self._parser.CharacterDataHandler = self._chars.append
        elif path == _PAGE:
            if self._site is None:
                raise self.error("a <page> before any <siteinfo>: not a MediaWiki export")
            self._forget(_PAGE)
            self._page = None
        elif path == _REVISION:
            self._announce_page()
            self._forget(_REVISION)

    def _end(self, _name: str) -> None:
        path = "/".join(self._open)
        self._open.pop()
        self._parser.CharacterDataHandler = None
        if path in _LEAVES:
            self._fields[path] = "".join(self._chars)
            self._chars = []
            if path == _NAMESPACE:
                self._namespaces[self._fields[path].lower()] = self._number(
                    self._attributes[path].get("key"), "the key of a <namespace>"
                )
        elif path == _REVISION:
            self._items.append(self._revision())
        elif path == _PAGE:
            self._announce_page()
        elif path == "mediawiki/siteinfo":
            base = urlsplit(self._fields.get("mediawiki/siteinfo/base", ""))
            self._site = ExportedSite(
                dbname=self._fields.get("mediawiki/siteinfo/dbname") or None, domain=base.hostname
            )
            self._items.append(self._site)

    def _forget(self, prefix: str) -> None:
        for path in [path for path in self._fields if path.startswith(f"{prefix}/")]:
            del self._fields[path]

    def _announce_page(self) -> None:
        """Tell the page once, when its first revision begins or, without revisions, when it ends."""
        if self._page is not None:
            return
        title = self._fields.get(f"{_PAGE}/title")
        if not title:
            raise self.error("a page without <title>")
        namespace = self._fields.get(f"{_PAGE}/ns")
        self._page = ExportedPage(
            page_id=self._number(self._fields.get(f"{_PAGE}/id"), "the <id> of a page"),
            # Before format 0.6 the title alone tells the namespace.
            namespace_id=self._namespaces.get(title.partition(":")[0].lower(), 0)
            if namespace is None
            else self._number(namespace, "the <ns> of a page"),
            title=title,
        )
        self._items.append(self._page)

    def _revision(self) -> ExportedRevision:
        field = {path.removeprefix(f"{_REVISION}/"): value for path, value in self._fields.items()}.get

        def attribute(name: str, key: str) -> str | None:
            path = f"{_REVISION}/{name}"
            return self._attributes[path].get(key) if path in self._fields else None

        timestamp = field("timestamp", "")
        if not _TIMESTAMP.fullmatch(timestamp):
            raise self.error("the <timestamp> of a revision is not like 2001-01-15T14:56:00Z")
        text_hidden = attribute("text", "deleted") is not None
        text: str | None = field("text", "")
        size = attribute("text", "bytes")
        if text_hidden or (not text and size not in {None, "0"}):  # the second is a stub export
            text = None
        parent = field("parentid")
        sha1 = field("sha1", "")
        return ExportedRevision(
            rev_id=self._number(field("id"), "the <id> of a revision"),
            parent_id=None if parent is None else self._number(parent, "a <parentid>"),
            timestamp=timestamp,
            user_name=field("contributor/username") or field("contributor/ip") or None,
            user_id=self._number(field("contributor/id", "0"), "the <id> of a contributor"),
            user_hidden=attribute("contributor", "deleted") is not None,
            comment=field("comment", ""),
            comment_hidden=attribute("comment", "deleted") is not None,
            is_minor=field("minor") is not None,
            text=text,
            text_hidden=text_hidden,
            size=None if size is None else self._number(size, "the bytes of a <text>"),
            sha1=sha1 if _SHA1.fullmatch(sha1) else None,
            content_model=field("model"),
            content_format=field("format"),
        )

    def _number(self, text: str | None, what: str) -> int:
        try:
            return int(text or "")
        except ValueError:
            raise self.error(f"{what} must be a whole number") from None


def exported_revisions(path: Path) -> Iterator[tuple[ExportedPage, ExportedRevision]]:
    """Yield the revisions of an export in file order, each with its page, which is one object for all of them.

    Raises:
        ExportError: the file is not a complete export.

    """
    page: ExportedPage | None = None
    for item in ExportReader(path):
        if isinstance(item, ExportedPage):
            page = item
        elif isinstance(item, ExportedRevision) and page is not None:
            yield page, item


def _open_unpacked(path: Path) -> BufferedIOBase:
    with path.open("rb") as file:
        head = file.read(6)
    if head.startswith(b"\x1f\x8b"):
        return gzip.open(path)
    if head.startswith(b"BZh"):
        return bz2.open(path)
    if head == b"\xfd7zXZ\x00" or head.startswith(b"\x5d\x00\x00"):
        return lzma.open(path)
    if head == b"7z\xbc\xaf\x27\x1c":
        raise ExportError(f"{path}: 7z archives are not read; unpack it first")
    return path.open("rb")
