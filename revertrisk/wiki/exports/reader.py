"""Reads a MediaWiki XML export (formats 0.3 to 0.11) as a stream, in limited memory.

https://www.mediawiki.org/wiki/Help:Export describes the format. It reads the main slot of every revision of every page;
uploads, log items and other slots are ignored. The file can be plain or compressed.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from xml.parsers import expat

from revertrisk.runtime.unpacking import CHUNK_BYTES, PackedFileError, unpacked_chunks
from revertrisk.wiki.revision_facts import LARGEST_ID
from revertrisk.wiki.user_kinds import UserKind, user_kind

MAX_TEXT: Final = 1 << 24
"""The most characters of a text; MediaWiki's own limit is 2 MiB, and its table for texts can hold 16 MiB."""
_MAX_FIELD: Final = 1 << 16
"""The most characters of any other field: more than a column in MediaWiki can hold."""
_MAX_DEPTH: Final = 32
"""The deepest nesting of elements; exports have seven levels."""
_MAX_TAG: Final = 1 << 20
"""The most bytes of a tag, a comment and anything else that the parser must buffer as a whole."""
_MAX_NAMESPACES: Final = 10_000
_PARENTS_SINCE: Final = (0, 7)
"""The format in which a revision without ``<parentid>`` has no parent."""
_ENCODINGS: Final = frozenset({"utf-8", "utf-16", "iso-8859-1", "us-ascii"})
"""The encodings that expat supports. Exports are written in UTF-8."""

_NUMBER: Final = re.compile(r"-?[0-9]{1,16}")
_FORMAT: Final = re.compile(r"([0-9]{1,4})\.([0-9]{1,4})")
_TIMESTAMP: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_SHA1: Final = re.compile(r"[0-9a-z]{31}")
_NAMESPACE: Final = "mediawiki/siteinfo/namespaces/namespace"
_PAGE: Final = "mediawiki/page"
_REVISION: Final = "mediawiki/page/revision"
_TEXT: Final = "mediawiki/page/revision/text"
_SITE_LEAVES: Final = frozenset(f"mediawiki/siteinfo/{name}" for name in ("base", "dbname"))
_PAGE_LEAVES: Final = frozenset(f"{_PAGE}/{name}" for name in ("id", "ns", "redirect", "title"))
_REVISION_LEAVES: Final = frozenset(
    f"{_REVISION}/{name}"
    for name in (
        "comment", "format", "id", "minor", "model", "parentid", "sha1", "text", "timestamp",
        "contributor", "contributor/id", "contributor/ip", "contributor/username",
    )
)  # fmt: skip
_LEAVES: Final = frozenset({_NAMESPACE, *_SITE_LEAVES, *_PAGE_LEAVES, *_REVISION_LEAVES})


class ExportError(ValueError):
    """An export cannot be used; the message names the file and the line, and quotes nothing of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedSite:
    """The wiki of an export, as far as the export names it."""

    dbname: str | None
    domain: str | None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedPage:
    """A page, or a part of one; its revisions follow."""

    page_id: int
    namespace_id: int
    title: str
    is_redirect: bool = False
    """Whether its latest revision is a redirect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRevision:
    """A revision of the page before it. A fact that the export lacks is None."""

    rev_id: int
    parent_id: int | None
    """0 without a parent. Formats before 0.7 do not have it."""
    timestamp: str
    user_name: str | None
    user_id: int | None
    """0 for an IP address."""
    user_hidden: bool
    comment: str
    comment_hidden: bool
    is_minor: bool
    text: str | None
    """Empty for a blank page; None for a text that is hidden or not in the export."""
    text_hidden: bool
    size: int | None
    sha1: str | None
    content_model: str | None
    content_format: str | None

    @property
    def saved_at(self) -> datetime:
        """The timestamp as a datetime."""
        return datetime.fromisoformat(self.timestamp)

    @property
    def visible_comment(self) -> str | None:
        """The comment, or None if it is hidden."""
        return None if self.comment_hidden else self.comment

    @property
    def user_kind(self) -> UserKind:
        """The kind of its author."""
        return UserKind.UNKNOWN if self.user_name is None else user_kind(self.user_name, self.user_id)


ExportedItem = ExportedSite | ExportedPage | ExportedRevision


class ExportReader:
    """One pass over an export.

    Raises:
        ExportError: during iteration, if the file is not a complete export.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.buffer_size = CHUNK_BYTES
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._fed = 0
        self._open: list[str] = []
        self._chars: list[str] = []
        self._length = 0
        self._fields: dict[str, str] = {}
        self._attributes: dict[str, dict[str, str]] = {}
        self._namespaces: dict[str, int] = {}
        self._language: str | None = None
        self._has_parents = False
        self._site: ExportedSite | None = None
        self._page: ExportedPage | None = None
        self._items: list[ExportedItem] = []

    def __iter__(self) -> Iterator[ExportedItem]:
        """Yield the site, then each page followed by its revisions, in file order."""
        try:
            for chunk in unpacked_chunks(self._path):
                self._parser.Parse(chunk, False)
                self._fed += len(chunk)
                if self._fed - self._parser.CurrentByteIndex > len(chunk) + _MAX_TAG:
                    raise self.error(f"a tag of more than {_MAX_TAG:,} bytes")
                yield from self._take()
            self._parser.Parse(b"", True)
            yield from self._take()
        except expat.ExpatError as exc:
            raise self.error(f"not a complete XML file: {expat.ErrorString(exc.code)}") from exc
        except PackedFileError as exc:
            raise self.error(str(exc)) from exc
        if self._site is None:
            raise self.error("there is no <siteinfo>: not a MediaWiki export")

    def error(self, problem: str) -> ExportError:
        """Return an error that names the file and the position of the parser."""
        parser = self._parser
        return ExportError(
            f"{self._path}: line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1} "
            f"(byte {max(parser.CurrentByteIndex, 0)} of the unpacked text): {problem}"
        )

    def _take(self) -> list[ExportedItem]:
        items, self._items = self._items, []
        return items

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise self.error("the encoding is not UTF-8, in which exports are written")

    def _doctype(self, *_: object) -> None:
        raise self.error("a document type declaration, which no export has")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._open:
            self._start_export(name, attributes)
        if len(self._open) >= _MAX_DEPTH:
            raise self.error(f"more than {_MAX_DEPTH} elements inside one another: not a MediaWiki export")
        self._open.append(name)
        path = "/".join(self._open)
        if path in _LEAVES:
            self._chars = []
            self._length = 0
            self._attributes[path] = attributes
            self._parser.CharacterDataHandler = self._add_text if path == _TEXT else self._add
        elif path == _PAGE:
            if self._site is None:
                raise self.error("a <page> before any <siteinfo>: not a MediaWiki export")
            self._forget(_PAGE)
            self._page = None
        elif path == _REVISION:
            self._announce_page()
            self._forget(_REVISION)

    def _start_export(self, name: str, attributes: dict[str, str]) -> None:
        if name != "mediawiki":
            raise self.error("the root element is not <mediawiki>: not a MediaWiki export")
        self._language = attributes.get("xml:lang") or None
        version = _FORMAT.search(attributes.get("version") or attributes.get("xmlns", ""))
        self._has_parents = version is not None and tuple(map(int, version.groups())) >= _PARENTS_SINCE

    def _add(self, characters: str, maximum: int = _MAX_FIELD) -> None:
        self._length += len(characters)
        if self._length > maximum:
            raise self.error(f"a <{self._open[-1]}> of more than {maximum:,} characters")
        self._chars.append(characters)

    def _add_text(self, characters: str) -> None:
        self._add(characters, MAX_TEXT)

    def _end(self, _name: str) -> None:
        path = "/".join(self._open)
        self._open.pop()
        self._parser.CharacterDataHandler = None
        if path in _LEAVES:
            self._fields[path] = "".join(self._chars)
            self._chars = []
            if path == _NAMESPACE:
                if len(self._namespaces) == _MAX_NAMESPACES:
                    raise self.error(f"more than {_MAX_NAMESPACES:,} namespaces")
                self._namespaces[self._fields[path].lower()] = self._number(
                    self._attributes[path].get("key"), "the key of a <namespace>", minimum=-LARGEST_ID
                )
        elif path == _REVISION:
            self._items.append(self._revision())
        elif path == _PAGE:
            self._announce_page()
        elif path == "mediawiki/siteinfo":
            domain = None
            with suppress(ValueError):  # an address with an unmatched bracket
                domain = urlsplit(self._fields.get("mediawiki/siteinfo/base", "").strip()).hostname
            self._site = ExportedSite(
                dbname=self._fields.get("mediawiki/siteinfo/dbname", "").strip() or None,
                domain=domain,
                language=self._language,
            )
            self._items.append(self._site)

    def _forget(self, prefix: str) -> None:
        for path in [path for path in self._fields if path.startswith(f"{prefix}/")]:
            del self._fields[path]

    def _announce_page(self) -> None:
        """Add the page to the items once: when its first revision begins or, without revisions, when it ends."""
        if self._page is not None:
            return
        title = self._fields.get(f"{_PAGE}/title")
        if not title:
            raise self.error("a page without <title>")
        namespace = self._fields.get(f"{_PAGE}/ns")
        self._page = ExportedPage(
            page_id=self._number(self._fields.get(f"{_PAGE}/id"), "the <id> of a page", minimum=1),
            # Before format 0.6 the namespace is only in the title.
            namespace_id=self._namespaces.get(title.partition(":")[0].lower(), 0)
            if namespace is None
            else self._number(namespace, "the <ns> of a page"),
            title=title,
            is_redirect=f"{_PAGE}/redirect" in self._fields,
        )
        self._items.append(self._page)

    def _revision(self) -> ExportedRevision:
        field = {path.removeprefix(f"{_REVISION}/"): value for path, value in self._fields.items()}.get

        def attribute(name: str, key: str) -> str | None:
            path = f"{_REVISION}/{name}"
            return self._attributes[path].get(key) if path in self._fields else None

        timestamp = field("timestamp", "").strip()
        if not _is_timestamp(timestamp):
            raise self.error("the <timestamp> of a revision is not like 2001-01-15T14:56:00Z")
        text_hidden = attribute("text", "deleted") is not None
        text = field("text")  # None without the element, as unknown as in a stub
        size = attribute("text", "bytes")
        is_stub = size is None and (attribute("text", "id") or attribute("text", "location")) is not None
        if text_hidden or (not text and (is_stub or size not in {None, "0"})):
            text = None
        user_name = field("contributor/username") or field("contributor/ip") or None
        parent_id = self._optional_number(field("parentid"), "a <parentid>")
        if parent_id is None and self._has_parents:
            parent_id = 0
        return ExportedRevision(
            rev_id=self._number(field("id"), "the <id> of a revision", minimum=1),
            parent_id=parent_id,
            timestamp=timestamp,
            user_name=user_name,
            user_id=0
            if field("contributor/username") is None
            else self._optional_number(field("contributor/id"), "the <id> of a contributor"),
            user_hidden=attribute("contributor", "deleted") is not None,
            comment=field("comment", ""),
            comment_hidden=attribute("comment", "deleted") is not None,
            is_minor=field("minor") is not None,
            text=text,
            text_hidden=text_hidden,
            size=None if size is None else self._number(size, "the bytes of a <text>"),
            sha1=None if text_hidden else _sha1(field("sha1") or attribute("text", "sha1")),
            content_model=field("model") or None,
            content_format=field("format") or None,
        )

    def _optional_number(self, text: str | None, what: str) -> int | None:
        return self._number(text, what) if text and text.strip() else None

    def _number(self, text: str | None, what: str, minimum: int = 0) -> int:
        written = (text or "").strip()
        number = int(written) if _NUMBER.fullmatch(written) else None
        if number is None or not minimum <= number <= LARGEST_ID:
            raise self.error(f"{what} must be a whole number from {minimum} to {LARGEST_ID}")
        return number


def exported_revisions(path: Path) -> Iterator[tuple[ExportedPage, ExportedRevision]]:
    """Yield the revisions of an export in file order, each with its page; revisions of a page share one object.

    Raises:
        ExportError: the file is not a complete export.

    """
    page: ExportedPage | None = None
    for item in ExportReader(path):
        if isinstance(item, ExportedPage):
            page = item
        elif isinstance(item, ExportedRevision) and page is not None:
            yield page, item


def _is_timestamp(written: str) -> bool:
    if _TIMESTAMP.fullmatch(written) is None:
        return False
    with suppress(ValueError):
        datetime.fromisoformat(written)
        return True
    return False


def _sha1(written: str | None) -> str | None:
    return written if written and _SHA1.fullmatch(written) else None
