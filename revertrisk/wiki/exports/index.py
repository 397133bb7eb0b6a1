"""Builds an SQLite index of an export once, so that any revision can be looked up quickly.

The index of a file is stored as ``<sha256 of the file>.<wiki id>.sqlite`` and reused. It is written under another
name and renamed when it is complete, so a file with that name is always complete.

Revisions of a page differ little, so zstd with an earlier text as its dictionary stores little more than the
difference. The earlier text is a *keyframe*: about every 64th text of a page is one, and is compressed without a
dictionary, so reading any text takes at most two decompressions.
"""

import hashlib
import logging
import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol

import zstandard

from revertrisk.wiki.exports.reader import (
    ExportedPage,
    ExportedRevision,
    ExportReader,
)
from revertrisk.wiki.exports.site import wikis_of_export
from revertrisk.wiki.history import Part, content_format, is_redirect, sha1_base36
from revertrisk.wiki.table import WikiTable

INDEX_VERSION: Final = 3
"""Increased whenever the tables or their meaning change; an index of another version is rebuilt."""

HIDDEN_BITS: Final = {Part.TEXT: 1, Part.COMMENT: 2, Part.USER: 4}

_TABLES: Final = """
CREATE TABLE site (wiki_id TEXT NOT NULL);
CREATE TABLE page (
    page_id INTEGER PRIMARY KEY, namespace_id INTEGER NOT NULL, title TEXT NOT NULL UNIQUE,
    is_redirect INTEGER NOT NULL, latest_rev_id INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE author (
    author_id INTEGER PRIMARY KEY, name TEXT NOT NULL, user_id INTEGER NOT NULL, kind TEXT NOT NULL,
    UNIQUE (name, user_id, kind)
);
CREATE TABLE revision (
    position INTEGER PRIMARY KEY, rev_id INTEGER NOT NULL UNIQUE, page_id INTEGER NOT NULL,
    parent_id INTEGER, timestamp TEXT NOT NULL, author_id INTEGER,
    comment TEXT, is_minor INTEGER NOT NULL, size INTEGER, sha1 TEXT, content_model TEXT NOT NULL,
    content_format TEXT NOT NULL, is_redirect INTEGER NOT NULL, hidden INTEGER NOT NULL
);
CREATE TABLE text (position INTEGER PRIMARY KEY, keyframe INTEGER, data BLOB NOT NULL);
"""

_INDEXES: Final = """
CREATE INDEX revision_time ON revision (timestamp, rev_id);
CREATE INDEX revision_page_time ON revision (page_id, timestamp, rev_id);
"""

_AS_A_WHOLE: Final = """
UPDATE revision SET parent_id = COALESCE((
    SELECT rev_id FROM revision AS earlier
    WHERE page_id = revision.page_id AND (timestamp, rev_id) < (revision.timestamp, revision.rev_id)
    ORDER BY timestamp DESC, rev_id DESC LIMIT 1
), 0) WHERE parent_id IS NULL;
UPDATE page SET latest_rev_id = COALESCE((
    SELECT rev_id FROM revision WHERE page_id = page.page_id ORDER BY timestamp DESC, rev_id DESC LIMIT 1
), 0);
UPDATE revision SET is_redirect = 1 WHERE rev_id IN (SELECT latest_rev_id FROM page WHERE is_redirect);
"""
"""Facts that need the whole file: parents in formats without them, and the latest revision of each page."""

_INTERVAL: Final = 64
"""The number of texts of a page from one keyframe to the next."""
_LEVEL: Final = 3

logger = logging.getLogger(__name__)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of indexes: ``$XDG_CACHE_HOME/revertrisk``, by default below ``~/.cache``."""
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "revertrisk"


def indexed_export(export: Path, folder: Path, wikis: WikiTable, wiki_id: str | None = None) -> Path:
    """Return the index of an export; build it first if ``folder`` has none.

    Raises:
        ExportError: the file is not a complete export, or `wikis_of_export` finds no wiki for it.
        OSError: the export cannot be read or the index cannot be written.

    """
    wiki, _ = wikis_of_export(export, wikis, wiki_id)
    with export.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    # The same file can be used under several wiki ids.
    index = folder / f"{sha256}.{wiki.wiki_id}.sqlite"
    if index.exists() and _version(index) == INDEX_VERSION:
        return index
    folder.mkdir(parents=True, exist_ok=True)
    logger.info("Indexing %s, once", export)
    unfinished = folder / f"{sha256}.{os.getpid()}.tmp"
    unfinished.unlink(missing_ok=True)
    try:
        _build(export, unfinished, wiki.wiki_id)
        unfinished.replace(index)
    finally:
        unfinished.unlink(missing_ok=True)
    return index


def _version(index: Path) -> int:
    with closing(sqlite3.connect(index)) as database:
        try:
            return int(database.execute("PRAGMA user_version").fetchone()[0])
        except sqlite3.DatabaseError:  # not an SQLite file
            return 0


def _build(export: Path, target: Path, wiki_id: str) -> None:
    try:
        with closing(sqlite3.connect(target, isolation_level=None)) as database:
            # An incomplete file is deleted, so no journal is needed.
            database.executescript(
                f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA user_version = {INDEX_VERSION};{_TABLES}"
            )
            database.execute("BEGIN")
            database.execute("INSERT INTO site VALUES (?)", (wiki_id,))
            reader = ExportReader(export)
            builder = _Builder(database, reader)
            for item in reader:
                match item:
                    case ExportedPage():
                        builder.add_page(item)
                    case ExportedRevision():
                        builder.add_revision(item)
            database.execute("COMMIT")
            database.executescript(_INDEXES + _AS_A_WHOLE)
    except sqlite3.Error as exc:  # for example a full disk
        raise OSError(f"the index of {export} cannot be written: {exc}") from exc


class _Builder:
    """Writes the reader's items in their order. A page can come in several parts, and a revision more than once."""

    def __init__(self, database: sqlite3.Connection, reader: ExportReader) -> None:
        self._database = database
        self._reader = reader
        self._texts = TextWriter()
        self._position = 0
        self._page_id = 0

    def add_page(self, page: ExportedPage) -> None:
        self._page_id = page.page_id
        self._texts.start_page()
        known = self._one("SELECT namespace_id, title FROM page WHERE page_id = ?", page.page_id)
        if known is not None:
            if known != (page.namespace_id, page.title):
                raise self._reader.error(
                    f"page {page.page_id} occurs twice, with different titles or namespaces"
                )
            self._database.execute(
                "UPDATE page SET is_redirect = is_redirect OR ? WHERE page_id = ?",
                (page.is_redirect, page.page_id),
            )
            return
        namesake = self._one("SELECT page_id FROM page WHERE title = ?", page.title)
        if namesake is not None:
            raise self._reader.error(f"pages {namesake[0]} and {page.page_id} have the same title")
        self._database.execute(
            "INSERT INTO page (page_id, namespace_id, title, is_redirect) VALUES (?, ?, ?, ?)",
            (page.page_id, page.namespace_id, page.title, page.is_redirect),
        )

    def add_revision(self, revision: ExportedRevision) -> None:
        facts = self._facts(revision)
        known = self._one("SELECT * FROM revision WHERE rev_id = ?", revision.rev_id)
        if known is not None:
            if known[1:] != facts or self._text(known[0]) != revision.text:
                raise self._reader.error(f"revision {revision.rev_id} occurs twice, with different contents")
            return
        self._position += 1
        self._database.execute(
            "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (self._position, *facts)
        )
        if revision.text is not None:
            self._database.execute(
                "INSERT INTO text VALUES (?, ?, ?)",
                (self._position, *self._texts.add(self._position, revision.text)),
            )

    def _facts(self, revision: ExportedRevision) -> tuple[str | int | None, ...]:
        text = revision.text
        model = revision.content_model or "wikitext"
        hidden = sum(
            HIDDEN_BITS[part]
            for part, is_hidden in (
                (Part.TEXT, revision.text_hidden),
                (Part.COMMENT, revision.comment_hidden),
                (Part.USER, revision.user_hidden),
            )
            if is_hidden
        )
        return (
            revision.rev_id,
            self._page_id,
            revision.parent_id,
            revision.timestamp,
            self._author_id(revision),
            None if revision.comment_hidden else revision.comment,
            int(revision.is_minor),
            revision.size if text is None else len(text.encode()),
            revision.sha1 or (None if text is None else sha1_base36(text)),
            model,
            revision.content_format or content_format(model),
            int(text is not None and is_redirect(text)),
            hidden,
        )

    def _author_id(self, revision: ExportedRevision) -> int | None:
        if revision.user_hidden or revision.user_name is None:
            return None
        author = (revision.user_name, revision.user_id or 0, revision.user_kind)
        self._database.execute("INSERT OR IGNORE INTO author (name, user_id, kind) VALUES (?, ?, ?)", author)
        row = self._one("SELECT author_id FROM author WHERE name = ? AND user_id = ? AND kind = ?", *author)
        return int(row[0])

    def _text(self, position: int) -> str | None:
        try:
            return TextReader(self._packed_text).text(position)
        except LookupError:
            return None

    def _packed_text(self, position: int) -> tuple[int | None, bytes]:
        row = self._one("SELECT keyframe, data FROM text WHERE position = ?", position)
        if row is None:
            raise LookupError(position)
        return row[0], row[1]

    def _one(self, query: str, *values: str | int) -> Any:
        return self._database.execute(query, values).fetchone()


class TextWriter:
    """Compresses the texts of pages in their order."""

    def __init__(self) -> None:
        self._whole = zstandard.ZstdCompressor(level=_LEVEL)
        self._keyframe = 0
        self._against: zstandard.ZstdCompressor | None = None
        self._left = 0

    def start_page(self) -> None:
        """Drop the last keyframe, since the next text belongs to another page."""
        self._against = None

    def add(self, position: int, text: str) -> tuple[int | None, bytes]:
        """Return the position of the keyframe (None if the text is itself one) and the compressed text."""
        data = text.encode()
        if self._against is not None and self._left > 0:
            self._left -= 1
            return self._keyframe, self._against.compress(data)
        if data:  # an empty text is useless as a dictionary
            prefix = zstandard.ZstdCompressionDict(data, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
            self._against = zstandard.ZstdCompressor(level=_LEVEL, dict_data=prefix)
            self._keyframe = position
            self._left = _INTERVAL - 1
        return None, self._whole.compress(data)


class TextTable(Protocol):
    """Reads compressed texts."""

    def __call__(self, position: int) -> tuple[int | None, bytes]:
        """Return the result of :meth:`TextWriter.add` for a position; raises LookupError if there is none."""


class TextReader:
    """Decompresses the texts of :class:`TextWriter`; caches the keyframes used last."""

    def __init__(self, table: TextTable) -> None:
        self._table = table
        self._whole = zstandard.ZstdDecompressor()
        self._against = lru_cache(maxsize=32)(self._decompressor)

    def text(self, position: int) -> str:
        """Return the text at a position."""
        keyframe, data = self._table(position)
        reader = self._whole if keyframe is None else self._against(keyframe)
        return reader.decompress(data).decode()

    def _decompressor(self, keyframe: int) -> zstandard.ZstdDecompressor:
        _, data = self._table(keyframe)
        prefix = zstandard.ZstdCompressionDict(
            self._whole.decompress(data), dict_type=zstandard.DICT_TYPE_RAWCONTENT
        )
        return zstandard.ZstdDecompressor(dict_data=prefix)
