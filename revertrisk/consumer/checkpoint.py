"""Everything a consumer knows, in one SQLite file: committed together, or not at all.

Rows, counts, the keys seen and the place to resume from change in one transaction. So after a crash
the file tells of one moment of the stream, and reading on from its place gives what reading on without
the crash would have given. The file is in WAL mode: others may read it while the consumer writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

IN_MEMORY: Final = ":memory:"

_APPLICATION_ID: Final = 0x52525043
"""Marks the file as ours: ``RRPC`` in ASCII."""
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
    """An open checkpoint with a transaction under way; `commit` ends it and begins the next.

    ``remembered`` bounds how many natural keys are kept: the oldest are forgotten first.

    :raises ConsumerCheckpointError: if the file is no checkpoint, cannot be opened, or is in use by another consumer.
    """

    def __init__(self, path: Path | None, *, remembered: int) -> None:
        self._name = str(path) if path is not None else IN_MEMORY
        self._remembered = remembered
        try:
            # No waiting for a lock: who else writes here is a second consumer, which is a mistake.
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
        """What the source is to be resumed with; None at the very beginning."""
        row = self.connection.execute("SELECT resume_at FROM place").fetchone()
        return None if row is None else str(row[0])

    @resume_at.setter
    def resume_at(self, token: str) -> None:
        self.connection.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (token,))

    def remember(self, natural_key: str) -> bool:
        """Take note of a natural key; return whether it is new."""
        added = self.connection.execute("INSERT OR IGNORE INTO seen (natural_key) VALUES (?)", (natural_key,))
        if added.rowcount == 0:
            return False
        assert added.lastrowid is not None  # noqa: S101 - it was inserted
        self.connection.execute("DELETE FROM seen WHERE number <= ?", (added.lastrowid - self._remembered,))
        return True

    def count(self, outcome: str) -> None:
        """Count one delivery."""
        self.connection.execute(
            "INSERT INTO tally VALUES (?, 1) ON CONFLICT (outcome) DO UPDATE SET count = count + 1",
            (outcome,),
        )

    def tally(self) -> Iterator[tuple[str, int]]:
        """Yield each outcome that has come with its count."""
        yield from self.connection.execute("SELECT outcome, count FROM tally ORDER BY outcome")

    def commit(self) -> None:
        """Keep everything up to here, whatever happens from now on."""
        self.connection.execute("COMMIT")
        self.connection.execute("BEGIN IMMEDIATE")

    def close(self) -> None:
        """Let go of the file; what was not committed is undone."""
        with suppress(sqlite3.ProgrammingError):  # closed before
            self.connection.rollback()
            self.connection.close()

    def _prepare(self) -> None:
        self.connection.execute("PRAGMA journal_mode = WAL")
        # A power cut may undo the last commits, but all of each: then they are read once more.
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
