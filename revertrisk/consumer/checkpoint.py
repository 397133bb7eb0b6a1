"""The state of a consumer in one SQLite file.

Rows, counts, seen keys and the place to resume from change in one transaction. So after a crash the file has the state
of one moment of the stream, and reading from its place gives the same result as without the crash. The file is in WAL
mode: other processes can read it while the consumer writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

IN_MEMORY: Final = ":memory:"

_APPLICATION_ID: Final = 0x52525043
"""Identifies the file as a consumer's checkpoint: ``RRPC`` in ASCII."""
_FORMAT: Final = 1

_TABLES: Final = """
CREATE TABLE page (
    model_name TEXT NOT NULL,
    wiki_id TEXT NOT NULL,
    page_id INTEGER NOT NULL,
    rev_id INTEGER NOT NULL,
    page_change_kind TEXT NOT NULL,
    model_version TEXT NOT NULL,
    probability REAL NOT NULL,
    changed_at TEXT NOT NULL,
    received_at TEXT NOT NULL,
    stream TEXT NOT NULL,
    event_id TEXT NOT NULL,
    request_id TEXT,
    PRIMARY KEY (model_name, wiki_id, page_id)
) WITHOUT ROWID;
CREATE TABLE seen (number INTEGER PRIMARY KEY, natural_key TEXT NOT NULL UNIQUE);
CREATE TABLE tally (outcome TEXT PRIMARY KEY, count INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE place (only INTEGER PRIMARY KEY CHECK (only = 1), resume_at TEXT NOT NULL);
"""


class ConsumerCheckpointError(Exception):
    """A checkpoint cannot be used; the message names the file and the reason."""


class ConsumerCheckpoint:
    """An open checkpoint with an open transaction; `commit` ends it and starts the next.

    At most ``remembered`` natural keys are kept; the oldest are dropped first.

    Raises:
        ConsumerCheckpointError: the file is not a checkpoint, cannot be opened, or another consumer uses it.

    """

    def __init__(self, path: Path | None, *, remembered: int) -> None:
        self._name = str(path) if path is not None else IN_MEMORY
        self._remembered = remembered
        try:
            # Do not wait for a lock: another writer is a second consumer, which is a mistake.
            self.connection = sqlite3.connect(self._name, isolation_level=None, timeout=0)
        except sqlite3.Error as exc:
            raise ConsumerCheckpointError(f"{self._name}: {exc}") from exc
        try:
            self._prepare()
        except sqlite3.Error as exc:
            self.connection.close()
            raise ConsumerCheckpointError(f"{self._name}: {exc}") from exc
        except ConsumerCheckpointError:
            self.connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def resume_at(self) -> str | None:
        """The place from which the source is resumed; None if nothing was read."""
        row = self.connection.execute("SELECT resume_at FROM place").fetchone()
        return None if row is None else str(row[0])

    @resume_at.setter
    def resume_at(self, token: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (token,))

    def remember(self, natural_key: str) -> bool:
        """Add a natural key; return whether it is new."""
        added = self.connection.execute("INSERT OR IGNORE INTO seen (natural_key) VALUES (?)", (natural_key,))
        if added.rowcount == 0:
            return False
        assert added.lastrowid is not None  # noqa: S101 - it was inserted
        # The numbers grow by one with each new key, so this keeps the last ones.
        self.connection.execute("DELETE FROM seen WHERE number <= ?", (added.lastrowid - self._remembered,))
        return True

    def count(self, outcome: str) -> None:
        """Count one delivery."""
        self.connection.execute(
            "INSERT INTO tally VALUES (?, 1) ON CONFLICT (outcome) DO UPDATE SET count = count + 1",
            (outcome,),
        )

    def tally(self) -> Iterator[tuple[str, int]]:
        """Yield each outcome so far with its count."""
        yield from self.connection.execute("SELECT outcome, count FROM tally ORDER BY outcome")

    def commit(self) -> None:
        """Commit all changes so far; they survive a crash."""
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Close the file; uncommitted changes are lost."""
        with suppress(sqlite3.ProgrammingError):  # closed before
            self.connection.rollback()
            self.connection.close()

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA journal_mode = WAL")
        # Without a sync at each commit: a power failure can undo the last commits, and their events are read again.
        self.connection.execute("PRAGMA synchronous = NORMAL")
        self.connection.execute("BEGIN IMMEDIATE")
        (application_id,) = self.connection.execute("PRAGMA application_id").fetchone()
        (version,) = self.connection.execute("PRAGMA user_version").fetchone()
        if (application_id, version) == (_APPLICATION_ID, _FORMAT):
            return
        if self.connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            raise ConsumerCheckpointError(
                f"{self._name}: expected a checkpoint of this consumer, format {_FORMAT}, or no file"
            )
        for statement in _TABLES.split(";"):
            self.connection.execute(statement)
        self.connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self.connection.execute(f"PRAGMA user_version = {_FORMAT}")
        self.commit()
