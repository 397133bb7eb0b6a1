"""Stores the edits of a record on disk while they are labelled, so that memory does not grow with the record.

SQLite creates a temporary file in ``SQLITE_TMPDIR``, ``TMPDIR`` or /tmp. It is deleted even if the program is killed.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any, Final, NamedTuple

from revertrisk.scoring.training.labelling import Label, PageEdit, label_page

_TABLES: Final = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA temp_store = FILE; PRAGMA cache_size = -8192;
CREATE TABLE edit (
    place INTEGER PRIMARY KEY, wiki_id TEXT NOT NULL, page_id INTEGER NOT NULL, moment INTEGER NOT NULL,
    rev_id INTEGER NOT NULL, parent_id INTEGER, author TEXT, sha1 TEXT, is_edit INTEGER NOT NULL,
    is_revert INTEGER NOT NULL, oldest INTEGER, newest INTEGER, reason TEXT, facts TEXT,
    UNIQUE (wiki_id, rev_id)
);
CREATE TABLE hidden (wiki_id TEXT, rev_id INTEGER, text INTEGER, user INTEGER, comment INTEGER,
    PRIMARY KEY (wiki_id, rev_id)) WITHOUT ROWID;
CREATE TABLE label (place INTEGER PRIMARY KEY, reason TEXT, reverted_after INTEGER);
"""
# An undeletion has the revision id of the edit that it restores. If its event is read first, the edit replaces it.
_ADD: Final = """
INSERT INTO edit (wiki_id, page_id, moment, rev_id, parent_id, author, sha1, is_edit, is_revert, oldest, newest,
    reason, facts) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (wiki_id, rev_id) DO UPDATE SET page_id = excluded.page_id, moment = excluded.moment,
    parent_id = excluded.parent_id, author = excluded.author, sha1 = excluded.sha1, is_edit = excluded.is_edit,
    is_revert = excluded.is_revert, oldest = excluded.oldest, newest = excluded.newest, reason = excluded.reason,
    facts = excluded.facts
WHERE NOT is_edit AND excluded.is_edit
"""
_BY_PAGE: Final = """
SELECT wiki_id, page_id, moment, rev_id, parent_id, author, sha1, is_edit, is_revert, oldest, newest, reason, place
FROM edit ORDER BY wiki_id, page_id, moment, rev_id
"""
_APPLY_HIDING: Final = """
UPDATE edit SET sha1 = NULL, reason = COALESCE(reason, 'revision_hidden')
    WHERE (wiki_id, rev_id) IN (SELECT wiki_id, rev_id FROM hidden WHERE text);
UPDATE edit SET reason = COALESCE(reason, 'parent_hidden')
    WHERE (wiki_id, parent_id) IN (SELECT wiki_id, rev_id FROM hidden WHERE text);
UPDATE edit SET author = NULL WHERE (wiki_id, rev_id) IN (SELECT wiki_id, rev_id FROM hidden WHERE user);
CREATE INDEX edit_of_page ON edit (wiki_id, page_id, moment, rev_id);
CREATE INDEX edit_time ON edit (moment, rev_id, wiki_id);
"""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class StoredEdit(NamedTuple):
    """A labelled edit."""

    wiki_id: str
    rev_id: int
    parent_id: int | None
    saved_at: datetime
    facts: dict[str, Any]
    label: Label


class EditStore:
    """The edits of a record. Call `add` and `hide` first, then `label`, then the methods that return results.

    Raises:
        sqlite3.Error: the file cannot be written, for example because the disk is full.

    """

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)
        self._database.executescript(_TABLES)
        self._database.execute("BEGIN")

    def close(self) -> None:
        """Delete the file."""
        self._database.close()

    def add(self, edit: PageEdit, reason: str | None, facts: Mapping[str, Any] | None) -> None:
        """Add a revision. With a ``reason`` it is not labelled itself. A revision that is added twice counts once."""
        oldest, newest = edit.reverts or (None, None)
        self._database.execute(
            _ADD,
            (
                edit.wiki_id,
                edit.page_id,
                (edit.timestamp - _EPOCH) // _MICROSECOND,
                edit.rev_id,
                edit.parent_id,
                edit.author,
                edit.sha1,
                edit.is_edit,
                edit.is_revert,
                oldest,
                newest,
                reason,
                None if facts is None else json.dumps(facts, ensure_ascii=True),
            ),
        )

    def hide(self, wiki_id: str, rev_id: int, *, text: bool, user: bool, comment: bool) -> None:
        """Record that parts of a revision were hidden later."""
        self._database.execute(
            "INSERT INTO hidden VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET text = text OR excluded.text, "
            "user = user OR excluded.user, comment = comment OR excluded.comment",
            (wiki_id, rev_id, text, user, comment),
        )

    def label(self, horizon: timedelta) -> None:
        """Label the added revisions, page by page."""
        self._database.executescript(_APPLY_HIDING)
        rows = self._database.execute(_BY_PAGE)
        places: dict[int, tuple[int, str | None]] = {}

        def edits(page: Iterator[tuple[Any, ...]]) -> Iterator[PageEdit]:
            for row in page:
                places[row[3]] = row[12], row[11]
                yield _page_edit(row)

        for _, page in groupby(rows, key=lambda row: row[:2]):
            for edit, outcome in label_page(edits(page), horizon):
                place, reason = places.pop(edit.rev_id)
                if reason is not None:
                    continue
                after = outcome.reverted_after if isinstance(outcome, Label) else None
                self._database.execute(
                    "INSERT INTO label VALUES (?, ?, ?)",
                    (
                        place,
                        None if isinstance(outcome, Label) else outcome,
                        None if after is None else after // _MICROSECOND,
                    ),
                )

    def counts(self) -> dict[str | None, int]:
        """Return the number of revisions for each reason why they are not labelled; None stands for labelled ones."""
        return dict(
            self._database.execute(
                "SELECT COALESCE(edit.reason, label.reason) AS why, COUNT(*) "
                "FROM edit LEFT JOIN label USING (place) GROUP BY why"
            )
        )

    def reverts_without_range(self) -> int:
        """Return the number of edits that are marked as reverts without saying which edits they revert."""
        query = "SELECT COUNT(*) FROM edit WHERE is_revert AND oldest IS NULL"
        return int(self._database.execute(query).fetchone()[0])

    def labelled(self) -> Iterator[StoredEdit]:
        """Yield the labelled edits, oldest first."""
        for wiki_id, rev_id, parent_id, moment, facts, after, user, comment in self._database.execute(
            "SELECT wiki_id, rev_id, parent_id, moment, facts, reverted_after, hidden.user, hidden.comment "
            "FROM edit JOIN label USING (place) LEFT JOIN hidden USING (wiki_id, rev_id) "
            "WHERE label.reason IS NULL ORDER BY moment, rev_id, wiki_id"
        ):
            known = json.loads(facts)
            if user:
                known |= {"author": None, "user": {**dict.fromkeys(known["user"]), "kind": "unknown"}}
            if comment:
                known["comment"] = None
            label = Label(after is not None, None if after is None else after * _MICROSECOND)
            yield StoredEdit(wiki_id, rev_id, parent_id, _EPOCH + moment * _MICROSECOND, known, label)


def _page_edit(row: tuple[Any, ...]) -> PageEdit:
    wiki_id, page_id, moment, rev_id, parent_id, author, sha1, is_edit, is_revert, oldest, newest, *_ = row
    return PageEdit(
        wiki_id=wiki_id,
        page_id=page_id,
        rev_id=rev_id,
        timestamp=_EPOCH + moment * _MICROSECOND,
        parent_id=parent_id,
        author=author,
        sha1=sha1,
        is_edit=bool(is_edit),
        is_revert=bool(is_revert),
        reverts=None if oldest is None else (oldest, newest),
    )
