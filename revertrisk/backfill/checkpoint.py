"""Keeps the state of a backfill in one SQLite file: the selection, the revisions, and the outcome of each.

It holds nothing personal: only a revision's ids, namespace and time. Each change is one transaction, so after a crash
the file is consistent, and the same command continues from there.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from revertrisk.dispatcher.outcome import Ending

_APPLICATION_ID: Final = 0x52524246
"""Identifies the file as a backfill's checkpoint: ``RRBF`` in ASCII."""
_FORMAT: Final = 1
_TABLES: Final = """
CREATE TABLE selection (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE place (wiki_id TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE unfound (wiki_id TEXT NOT NULL, title TEXT NOT NULL, PRIMARY KEY (wiki_id, title)) WITHOUT ROWID;
CREATE TABLE revision (
    number INTEGER PRIMARY KEY,
    wiki_id TEXT NOT NULL,
    rev_id INTEGER NOT NULL,
    parent_id INTEGER,
    page_id INTEGER,
    namespace_id INTEGER,
    changed_at TEXT,
    reason TEXT,
    outcome TEXT,
    UNIQUE (wiki_id, rev_id)
);
CREATE INDEX of_page ON revision (wiki_id, page_id);
CREATE INDEX pending ON revision (number) WHERE reason IS NULL AND outcome IS NULL
"""


_DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_PRIMARY_CODE: Final = 0xFF
"""The bits of SQLite's extended error codes that are the primary code."""


class BackfillCheckpointError(Exception):
    """A checkpoint cannot be used; the message names the file and the reason."""


class DamagedCheckpointError(BackfillCheckpointError):
    """The file is damaged, and no command can continue from it."""

    def __init__(self, path: Path, problem: object) -> None:
        super().__init__(
            f"checkpoint: {path} is damaged ({problem}) and cannot be continued: start again with another "
            "--checkpoint, and with another --local if it is used; a repeated prediction has the same meta.id"
        )


def checkpoint_error(path: Path, problem: sqlite3.Error) -> BackfillCheckpointError:
    """Return the error for an error of SQLite about a checkpoint."""
    if getattr(problem, "sqlite_errorcode", 0) & _PRIMARY_CODE in _DAMAGED:
        return DamagedCheckpointError(path, problem)
    return BackfillCheckpointError(f"checkpoint: {path}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRevision:
    """A revision that was found; ``reason`` is why it is not sent, or None."""

    wiki_id: str
    rev_id: int
    parent_id: int | None
    page_id: int | None
    namespace_id: int | None
    changed_at: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class PendingRevision:
    """A revision that is to be sent."""

    number: int
    wiki_id: str
    rev_id: int
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class RevisionGroup:
    """The number of revisions that have the same values of these fields."""

    wiki_id: str
    namespace_id: int | None
    day: str | None
    """The day of the revisions, as ``2026-11-21``."""
    reason: str | None
    outcome: str | None
    count: int


class BackfillCheckpoint:
    """An open checkpoint, locked against every other process."""

    def __init__(self, path: Path) -> None:
        """Open the file, and create it if it is missing; raises BackfillCheckpointError."""
        self.path = path
        try:
            self._database = sqlite3.connect(path, isolation_level=None, timeout=0)
        except sqlite3.Error as exc:
            raise BackfillCheckpointError(f"checkpoint: {path}: {exc}") from exc
        try:
            self._prepare()
        except sqlite3.OperationalError as exc:
            self.close()
            in_use = "locked" in str(exc)
            raise BackfillCheckpointError(
                f"checkpoint: {path}: {'another backfill is using it' if in_use else exc}"
            ) from exc
        except sqlite3.Error as exc:
            self.close()
            raise checkpoint_error(path, exc) from exc
        except BackfillCheckpointError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        with suppress(sqlite3.Error):
            self._database.close()

    def begin(self, selection: Mapping[str, str]) -> bool:
        """Store or compare a command's selection; return whether the checkpoint is new.

        Raises:
            BackfillCheckpointError: it was started with another selection; the message names a flag that differs.

        """
        kept: dict[str, str] = dict(self._database.execute("SELECT name, value FROM selection"))
        if not kept:
            with self._transaction():
                self._database.executemany("INSERT INTO selection VALUES (?, ?)", selection.items())
            return True
        for name in [*selection, *kept]:
            was, now = kept.get(name, ""), selection.get(name, "")
            if was != now:
                raise BackfillCheckpointError(
                    f"{name}: {self.path} was started with {was or 'none'}, not with {now or 'none'}: "
                    "give the same flags to continue, or another --checkpoint"
                )
        return False

    def fact(self, name: str) -> str | None:
        """Return a stored fact, or None."""
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def note_fact(self, name: str, value: str) -> None:
        """Store a fact."""
        self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, value))

    def place(self, wiki_id: str) -> dict[str, Any] | None:
        """Return where the next batch of a wiki starts: ``{}`` at the beginning, None when all is planned."""
        row = self._database.execute("SELECT place FROM place WHERE wiki_id = ?", (wiki_id,)).fetchone()
        try:
            place: dict[str, Any] | None = {} if row is None else json.loads(row[0])
        except (TypeError, ValueError) as exc:
            raise DamagedCheckpointError(self.path, "a place is not JSON") from exc
        return place

    def known(self, wiki_id: str, rev_ids: Iterable[int]) -> set[int]:
        """Return those of the revisions that are stored already."""
        return {rev_id for rev_id in rev_ids if self._has("rev_id", wiki_id, rev_id)}

    def has_page(self, wiki_id: str, page_id: int) -> bool:
        """Return whether a revision of a page is stored already."""
        return self._has("page_id", wiki_id, page_id)

    def add(self, revisions: Sequence[PlannedRevision]) -> None:
        """Store revisions that were looked up; stored ones do not change."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR IGNORE INTO revision "
                "(wiki_id, rev_id, parent_id, page_id, namespace_id, changed_at, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (r.wiki_id, r.rev_id, r.parent_id, r.page_id, r.namespace_id, r.changed_at, r.reason)
                    for r in revisions
                ),
            )

    def finish_batch(
        self, wiki_id: str, place: Mapping[str, Any] | None, unfound: Iterable[str] = ()
    ) -> None:
        """Store that a batch is planned: where the next one starts, and the titles that were not found."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR IGNORE INTO unfound VALUES (?, ?)", ((wiki_id, title) for title in unfound)
            )
            self._database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (wiki_id, json.dumps(place)))

    def pending(self, after: int, limit: int) -> list[PendingRevision]:
        """Return the next revisions to send, after the one with the number ``after``."""
        rows = self._database.execute(
            "SELECT number, wiki_id, rev_id, parent_id FROM revision "
            "WHERE reason IS NULL AND outcome IS NULL AND number > ? ORDER BY number LIMIT ?",
            (after, limit),
        )
        return [PendingRevision(*row) for row in rows]

    def note_outcome(self, number: int, outcome: str) -> None:
        """Store the outcome of a revision."""
        self._database.execute("UPDATE revision SET outcome = ? WHERE number = ?", (outcome, number))

    def take_up(self, written: Iterable[tuple[str, int]]) -> None:
        """Take the written predictions, by wiki and id, as those that are done.

        A crash can lose an outcome. A revision that was written or given up is pending again if it is not among them.
        """
        with self._transaction():
            self._database.execute(
                "UPDATE revision SET outcome = NULL WHERE outcome = ? OR outcome LIKE 'given_up:%'",
                (Ending.PRODUCED,),
            )
            self._database.executemany(
                "UPDATE revision SET outcome = ? WHERE wiki_id = ? AND rev_id = ?",
                ((Ending.PRODUCED, wiki_id, rev_id) for wiki_id, rev_id in written),
            )

    def groups(self) -> Iterator[RevisionGroup]:
        """Yield the number of revisions in each group."""
        rows = self._database.execute(
            "SELECT wiki_id, namespace_id, substr(changed_at, 1, 10) AS day, reason, outcome, count(*) "
            "FROM revision GROUP BY wiki_id, namespace_id, day, reason, outcome"
        )
        return (RevisionGroup(*row) for row in rows)

    def unfound(self) -> list[tuple[str, str]]:
        """Return the titles that were not found, each with its wiki."""
        return list(self._database.execute("SELECT wiki_id, title FROM unfound ORDER BY wiki_id, title"))

    def _has(self, column: str, wiki_id: str, value: int) -> bool:
        query = f"SELECT 1 FROM revision WHERE wiki_id = ? AND {column} = ? LIMIT 1"  # noqa: S608 - our own names
        return self._database.execute(query, (wiki_id, value)).fetchone() is not None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # The connection commits, or rolls back on any exception. SQLite may have rolled back itself, for example on a
        # full disk; then our own ROLLBACK would fail and hide the cause.
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield

    def _prepare(self) -> None:
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("PRAGMA journal_mode = WAL")
        # A power failure can undo the last transactions, each as a whole; that work is then repeated.
        self._database.execute("PRAGMA synchronous = NORMAL")
        with self._transaction():
            (application_id,) = self._database.execute("PRAGMA application_id").fetchone()
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
            if (application_id, version) == (_APPLICATION_ID, _FORMAT):
                return
            if self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
                raise BackfillCheckpointError(
                    f"checkpoint: {self.path}: expected the checkpoint of a backfill, format {_FORMAT}, or no file"
                )
            for statement in _TABLES.split(";"):
                self._database.execute(statement)
            self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            self._database.execute(f"PRAGMA user_version = {_FORMAT}")
