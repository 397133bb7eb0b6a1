"""The history of an export, read from its index."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from revertrisk.wiki.exports.index import HIDDEN_BITS, TextReader
from revertrisk.wiki.history import (
    ChangeKind,
    EarlierText,
    Part,
    RevisionRange,
    StoredPage,
    StoredRevision,
    StoredUser,
)
from revertrisk.wiki.user_kinds import UserKind

_REVISIONS: Final = """
SELECT revision.*, page.title, page.namespace_id, author.name, author.user_id, author.kind
FROM revision JOIN page USING (page_id) LEFT JOIN author USING (author_id)
"""

_HIDDEN: Final = [
    frozenset(part for part, bit in HIDDEN_BITS.items() if bits & bit)
    for bits in range(sum(HIDDEN_BITS.values()) + 1)
]


class ExportHistory:
    """A :class:`~revertrisk.wiki.history.History` of one wiki. Only the thread that created it can use it.

    Facts that no export has are unknown: edit counts, groups and registration of users, tags, moves.
    """

    def __init__(self, index: Path) -> None:
        self._database = sqlite3.connect(f"{index.absolute().as_uri()}?mode=ro&immutable=1", uri=True)
        self._database.row_factory = sqlite3.Row
        self._wiki_id = str(self._database.execute("SELECT wiki_id FROM site").fetchone()[0])
        self._texts = TextReader(self._packed_text)

    @property
    def default_wiki_id(self) -> str:
        """The wiki of the export."""
        return self._wiki_id

    def close(self) -> None:
        """Close the index."""
        self._database.close()

    def revision(self, wiki_id: str, rev_id: int) -> StoredRevision | None:
        """Return a revision, or None if the wiki has no revision with this id."""
        if wiki_id != self._wiki_id:
            return None
        row = self._one(f"{_REVISIONS} WHERE rev_id = ?", rev_id)
        return None if row is None else self._revision(row)

    def text(self, revision: StoredRevision) -> str | None:
        """Return a revision's text, or None if the export lacks it, for example a hidden one."""
        try:
            return self._texts.text(revision.position)
        except LookupError:
            return None

    def page(self, wiki_id: str, page_id: int) -> StoredPage | None:
        """Return a page, or None."""
        return self._page(wiki_id, "SELECT * FROM page WHERE page_id = ?", page_id)

    def page_titled(self, wiki_id: str, title: str) -> StoredPage | None:
        """Return the page with a title, or None."""
        return self._page(wiki_id, "SELECT * FROM page WHERE title = ?", title)

    def pages(self, wiki_id: str) -> Iterator[StoredPage]:
        """Yield every page, by page id."""
        if wiki_id == self._wiki_id:
            for row in self._database.execute("SELECT * FROM page ORDER BY page_id"):
                yield self._page_of(row)

    def page_revisions(self, page: StoredPage, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions of a page within a range, at most ``limit`` of them, in its direction."""
        order = "ASC" if within.is_newer else "DESC"
        rows = self._database.execute(
            f"{_REVISIONS} WHERE page_id = ? AND (timestamp, rev_id) BETWEEN (?, ?) AND (?, ?) "
            f"ORDER BY timestamp {order}, rev_id {order} LIMIT ?",
            (page.page_id, *min(within.start, within.end), *max(within.start, within.end), limit),
        )
        return [self._revision(row) for row in rows]

    def wiki_revisions(self, wiki_id: str, within: RevisionRange, limit: int) -> Sequence[StoredRevision]:
        """Return revisions within a range, at most ``limit`` of them, in its direction."""
        if wiki_id != self._wiki_id:
            return []
        order = "ASC" if within.is_newer else "DESC"
        # The separate bounds of the timestamp let SQLite use its index.
        (first, _), (last, _) = bounds = sorted((within.start, within.end))
        rows = self._database.execute(
            f"{_REVISIONS} WHERE timestamp BETWEEN ? AND ? AND (timestamp, rev_id) BETWEEN (?, ?) AND (?, ?) "
            f"ORDER BY timestamp {order}, rev_id {order} LIMIT ?",
            (first, last, *bounds[0], *bounds[1], limit),
        )
        return [self._revision(row) for row in rows]

    def preceding(self, revision: StoredRevision, count: int) -> Sequence[EarlierText]:
        """Return up to ``count`` earlier revisions of the same page, newest first."""
        rows = self._database.execute(
            "SELECT rev_id, timestamp, CASE WHEN hidden & ? THEN NULL ELSE sha1 END FROM revision "
            "WHERE page_id = ? AND (timestamp, rev_id) < (?, ?) ORDER BY timestamp DESC, rev_id DESC LIMIT ?",
            (HIDDEN_BITS[Part.TEXT], revision.page_id, revision.timestamp, revision.rev_id, count),
        )
        return [EarlierText(*row) for row in rows]

    def changes(self) -> Iterator[StoredRevision]:
        """Yield every revision by time, and by id within a second."""
        for row in self._database.execute(f"{_REVISIONS} ORDER BY timestamp, rev_id"):
            yield self._revision(row)

    def _one(self, query: str, *values: str | int) -> Any:
        return self._database.execute(query, values).fetchone()

    def _packed_text(self, position: int) -> tuple[int | None, bytes]:
        row = self._one("SELECT keyframe, data FROM text WHERE position = ?", position)
        if row is None:
            raise LookupError(position)
        return row["keyframe"], row["data"]

    def _page(self, wiki_id: str, query: str, value: str | int) -> StoredPage | None:
        row = self._one(query, value) if wiki_id == self._wiki_id else None
        return None if row is None else self._page_of(row)

    def _page_of(self, row: sqlite3.Row) -> StoredPage:
        return StoredPage(
            wiki_id=self._wiki_id,
            page_id=row["page_id"],
            namespace_id=row["namespace_id"],
            title=row["title"],
            latest_rev_id=row["latest_rev_id"],
        )

    def _revision(self, row: sqlite3.Row) -> StoredRevision:
        return StoredRevision(
            wiki_id=self._wiki_id,
            page_id=row["page_id"],
            page_title=row["title"],
            namespace_id=row["namespace_id"],
            rev_id=row["rev_id"],
            parent_id=row["parent_id"],
            position=row["position"],
            timestamp=row["timestamp"],
            user=None if row["author_id"] is None else _user(row),
            comment=row["comment"],
            is_minor=bool(row["is_minor"]),
            size=row["size"],
            sha1=row["sha1"],
            content_model=row["content_model"],
            content_format=row["content_format"],
            is_redirect=bool(row["is_redirect"]),
            hidden=_HIDDEN[row["hidden"]],
            kind=ChangeKind.CREATE if row["parent_id"] == 0 else ChangeKind.EDIT,
        )


def _user(row: sqlite3.Row) -> StoredUser:
    return StoredUser(
        name=row["name"],
        kind=UserKind(row["kind"]),
        user_id=row["user_id"],
        groups=None if row["user_id"] else ("*",),
    )
