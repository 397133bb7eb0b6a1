"""Stores in a SQLite file how far a source has been read, for sources that do not store it themselves."""

import asyncio
import fcntl
import hashlib
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

_TABLE = "CREATE TABLE IF NOT EXISTS checkpoint (source TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID"
_WRITE = "INSERT INTO checkpoint VALUES (?, ?) ON CONFLICT (source) DO UPDATE SET place = excluded.place"
BUSY_TIMEOUT_S = 10.0


class SourceCheckpointError(Exception):
    """The file cannot be read or written, or another process uses it; the message names it and the cause."""


class CheckpointFile:
    """The place of each source, by its name. Several processes can share the file, each with its own sources."""

    def __init__(self, path: Path) -> None:
        """Open the file, and create it if it is missing; raises SourceCheckpointError."""
        self._path = path
        self._lock = threading.Lock()
        try:
            self._lock_file = Path(f"{path}.lock").open("ab")  # noqa: SIM115 - held as long as the database
        except OSError as exc:
            raise SourceCheckpointError(f"{path}.lock: cannot be written: {exc.strerror}") from exc
        try:
            # A lock lets several threads use the connection. With autocommit every write is its own transaction.
            self._database = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
            )
            try:
                self._database.execute("PRAGMA journal_mode = WAL")
                self._database.execute(_TABLE)
            except sqlite3.Error:
                self._database.close()
                raise
        except sqlite3.Error as exc:
            self._lock_file.close()
            raise SourceCheckpointError(f"{path}: cannot be used for checkpoints: {exc}") from exc

    def close(self) -> None:
        """Close the file after a write in progress; a later write raises SourceCheckpointError."""
        # The lock is required: closing a connection that another thread uses crashes the process.
        with self._lock, suppress(sqlite3.Error):
            self._database.close()
        with suppress(OSError):
            self._lock_file.close()

    def of(self, source: str) -> "SourceCheckpoint":
        """Return the checkpoint of one source, and lock it for this process; raises SourceCheckpointError.

        If two processes shared it, each would skip events that the other has not finished.
        """
        try:
            # A lock on one byte of the file stands for the source. The kernel releases it when the process ends.
            fcntl.lockf(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _lock_offset(source))
        except BlockingIOError as exc:
            raise SourceCheckpointError(
                f"{self._path}: another process reads {source} with this checkpoint; give each its own"
            ) from exc
        except OSError as exc:
            raise SourceCheckpointError(f"{self._path}.lock: cannot be locked: {exc.strerror}") from exc
        return SourceCheckpoint(self, source)

    def read(self, source: str) -> str | None:
        """Return the place of a source, or None; raises SourceCheckpointError."""
        row = self._execute("SELECT place FROM checkpoint WHERE source = ?", (source,))
        return None if row is None else str(row[0])

    def write(self, source: str, place: str) -> None:
        """Replace the place of a source; it is on the disk when this returns. Raises SourceCheckpointError."""
        self._execute(_WRITE, (source, place))

    def _execute(self, statement: str, values: tuple[str, ...]) -> tuple[str] | None:
        try:
            with self._lock:
                row: tuple[str] | None = self._database.execute(statement, values).fetchone()
        except sqlite3.Error as exc:
            raise SourceCheckpointError(f"{self._path}: cannot be used for checkpoints: {exc}") from exc
        return row


def _lock_offset(source: str) -> int:
    return int.from_bytes(hashlib.sha256(source.encode()).digest()[:7])


class SourceCheckpoint:
    """The place of one source."""

    def __init__(self, file: CheckpointFile, source: str) -> None:
        self._file = file
        self._source = source

    async def read(self) -> str | None:
        """Return the place, or None; raises SourceCheckpointError."""
        return await asyncio.to_thread(self._file.read, self._source)

    async def write(self, place: str) -> None:
        """Store a place; it is on the disk when this returns. Raises SourceCheckpointError."""
        await asyncio.to_thread(self._file.write, self._source, place)
