"""The state of a watch in one SQLite file: history, series, incidents, messages to send, and places of the sources.

All of it is committed together. After a crash the file holds the last commit. Reading on from its places finds the same
surges, with the same ids. A message is a row of the outbox before it is sent. Other processes may read the file while
the watch runs (WAL).

The file has no user names. It has the ids of pages, and the titles of pages in open surges and in messages that have
not been sent.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Self

import orjson

from revertrisk.alerts.errors import AlertsConfigurationError, AlertsError
from revertrisk.alerts.history import TABLES as HISTORY_TABLES
from revertrisk.alerts.history import History

IN_MEMORY: Final = ":memory:"
_APPLICATION_ID: Final = 0x52525357
"""Marks the file as the state of a watch: ``RRSW`` in ASCII."""
_FORMAT: Final = 3
_LOCK_S: Final = 5.0
_TABLES: Final = f"""
{HISTORY_TABLES};
CREATE TABLE place (source TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE fact (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE series (
    scope TEXT NOT NULL, series TEXT NOT NULL, model TEXT NOT NULL, state TEXT NOT NULL, PRIMARY KEY (scope, series)
) WITHOUT ROWID;
CREATE TABLE incident (
    id TEXT PRIMARY KEY, scope TEXT NOT NULL, series TEXT NOT NULL, is_open INTEGER NOT NULL, document TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE outbox (
    number INTEGER PRIMARY KEY, way TEXT NOT NULL, message_key TEXT NOT NULL, document TEXT NOT NULL,
    is_sent INTEGER NOT NULL DEFAULT 0, UNIQUE (way, message_key)
);
CREATE TABLE created (
    wiki_id TEXT NOT NULL, page_id INTEGER NOT NULL, minute INTEGER NOT NULL, PRIMARY KEY (wiki_id, page_id)
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to a receiver that has not been sent."""

    number: int
    receiver: str
    document: dict[str, Any]


class Store:
    """The open file with an open transaction; :meth:`commit` ends it and begins the next one."""

    def __init__(self, path: str) -> None:
        """Open the file, or create it if it is missing; ``:memory:`` makes no file.

        Raises:
            AlertsConfigurationError: the file belongs to another program, or another watch is using it.
            AlertsError: the file cannot be opened.

        """
        self._path = path
        self._committed = 0
        """The number of the last committed message in the outbox."""
        try:
            # A reader may hold a lock for a moment. Only a second watch, which is a mistake, holds it for longer.
            self._database = sqlite3.connect(
                path, isolation_level=None, timeout=_LOCK_S, check_same_thread=False
            )
        except sqlite3.Error as exc:
            raise AlertsError(f"state: {path}: {exc}") from exc
        self.history = History(self._database)
        try:
            self._prepare()
        except sqlite3.OperationalError as exc:
            self.close()
            reason = "another watch is using it" if "locked" in str(exc) else exc
            raise AlertsConfigurationError(f"state: {path}: {reason}") from exc
        except sqlite3.Error as exc:
            self.close()
            raise AlertsConfigurationError(f"state: {path}: {exc}") from exc
        except AlertsError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; changes that were not committed are undone."""
        with suppress(sqlite3.Error):
            self._database.rollback()
            self._database.close()

    def commit(self) -> None:
        """Commit all changes, and begin the next transaction; raises AlertsError."""
        self.history.write()
        try:
            self._database.execute("COMMIT")
            self._database.execute("BEGIN IMMEDIATE")
            (self._committed,) = self._database.execute(
                "SELECT coalesce(max(number), 0) FROM outbox"
            ).fetchone()
        except sqlite3.Error as exc:
            raise AlertsError(f"state: {self._path}: {exc}") from exc

    # Places and facts.

    def place(self, source: str) -> str | None:
        """Return the place to resume a source from; None if it has not been read."""
        row = self._database.execute("SELECT place FROM place WHERE source = ?", (source,)).fetchone()
        return None if row is None else str(row[0])

    def note_place(self, source: str, place: str) -> None:
        """Note the place to resume a source from."""
        self._database.execute("INSERT OR REPLACE INTO place VALUES (?, ?)", (source, place))

    def fact(self, name: str) -> Any:
        """Return the value that was noted under a name; None if there is none."""
        row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else orjson.loads(row[0])

    def note_fact(self, name: str, value: Any) -> None:
        """Note a JSON value under a name."""
        self._database.execute(
            "INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, orjson.dumps(value).decode())
        )

    # Series, incidents and messages.

    def series(self) -> Iterator[tuple[str, str, Any, Any]]:
        """Yield scope, series, model and state of each series."""
        for scope, series, model, state in self._database.execute("SELECT * FROM series").fetchall():
            yield str(scope), str(series), orjson.loads(model), orjson.loads(state)

    def note_series(self, scope: str, series: str, model: Any, state: Any) -> None:
        """Note a series with its model and its state."""
        values = (scope, series, orjson.dumps(model).decode(), orjson.dumps(state).decode())
        self._database.execute("INSERT OR REPLACE INTO series VALUES (?, ?, ?, ?)", values)

    def note_states(self, states: Iterable[tuple[str, str, Any]]) -> None:
        """Note the states of series."""
        self._database.executemany(
            "UPDATE series SET state = ? WHERE scope = ? AND series = ?",
            ((orjson.dumps(state).decode(), scope, series) for scope, series, state in states),
        )

    def forget_series(self, scope: str, series: str) -> None:
        """Delete a series that is no longer watched."""
        self._database.execute("DELETE FROM series WHERE scope = ? AND series = ?", (scope, series))

    def note_incident(self, document: dict[str, Any]) -> None:
        """Store the current state of an incident."""
        self._database.execute(
            "INSERT OR REPLACE INTO incident VALUES (?, ?, ?, ?, ?)",
            (
                document["id"],
                document["scope"],
                document["series"],
                document["ended"] is None,
                orjson.dumps(document).decode(),
            ),
        )

    def incidents(self, *, open_only: bool = False) -> list[dict[str, Any]]:
        """Return the incidents, in the order of their beginnings."""
        # is_open is 0 or 1: all are at least 0, only the open ones at least 1.
        rows = self._database.execute("SELECT document FROM incident WHERE is_open >= ?", (open_only,))
        return sorted((orjson.loads(row[0]) for row in rows), key=lambda each: (each["since"], each["id"]))

    def add_message(self, receiver: str, message_key: str, document: dict[str, Any]) -> None:
        """Add a message to the outbox, unless it has a message with that key."""
        self._database.execute(
            "INSERT OR IGNORE INTO outbox (way, message_key, document) VALUES (?, ?, ?)",
            (receiver, message_key, orjson.dumps(document).decode()),
        )

    def outgoing(self, receiver: str) -> list[Outgoing]:
        """Return the committed messages to a receiver that have not been sent, in order."""
        rows = self._database.execute(
            "SELECT number, way, document FROM outbox WHERE way = ? AND NOT is_sent AND number <= ? ORDER BY number",
            (receiver, self._committed),
        )
        return [Outgoing(int(row[0]), str(row[1]), orjson.loads(row[2])) for row in rows]

    def note_sent(self, number: int) -> None:
        """Note that a message has been sent, and delete its text, which has titles of pages."""
        self._database.execute("UPDATE outbox SET is_sent = 1, document = '{}' WHERE number = ?", (number,))

    def unsent(self) -> list[Outgoing]:
        """Return the messages to all receivers that have not been sent, committed or not."""
        rows = self._database.execute("SELECT number, way, document FROM outbox WHERE NOT is_sent").fetchall()
        return [Outgoing(int(row[0]), str(row[1]), orjson.loads(row[2])) for row in rows]

    def replace_message(self, number: int, document: dict[str, Any]) -> None:
        """Replace the text of a message that has not been sent."""
        self._database.execute(
            "UPDATE outbox SET document = ? WHERE number = ?", (orjson.dumps(document).decode(), number)
        )

    def forget_sent(self, before_minute: int) -> None:
        """Delete all sent messages, and the incidents that ended before ``before_minute``."""
        # The last number is kept: SQLite would use it again for a message that is not committed yet.
        self._database.execute(
            "DELETE FROM outbox WHERE is_sent AND number < (SELECT max(number) FROM outbox)"
        )
        self._database.execute(
            "DELETE FROM incident WHERE NOT is_open AND json_extract(document, '$.ended') < ?",
            (before_minute,),
        )

    # Young pages.

    def note_created(self, pages: Iterable[tuple[str, int, int]]) -> None:
        """Note created pages: wiki, page id, and minute of the creation."""
        self._database.executemany("INSERT OR REPLACE INTO created VALUES (?, ?, ?)", pages)

    def is_young(self, wiki_id: str, page_id: int) -> bool:
        """Return whether a page was created within the last day."""
        row = self._database.execute(
            "SELECT 1 FROM created WHERE wiki_id = ? AND page_id = ?", (wiki_id, page_id)
        ).fetchone()
        return row is not None

    def forget_created(self, before_minute: int) -> None:
        """Delete the pages that were created before a minute."""
        self._database.execute("DELETE FROM created WHERE minute < ?", (before_minute,))

    def _prepare(self) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        # A power failure can undo the last commits, but never a part of one: their events are then read again.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.execute("BEGIN IMMEDIATE")
        (application_id,) = self._database.execute("PRAGMA application_id").fetchone()
        (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if (application_id, version) == (_APPLICATION_ID, _FORMAT):
            (self._committed,) = self._database.execute(
                "SELECT coalesce(max(number), 0) FROM outbox"
            ).fetchone()
            return
        if self._database.execute("SELECT count(*) FROM sqlite_schema").fetchone() != (0,):
            raise AlertsConfigurationError(
                f"state: {self._path}: expected the state file of a watch, format {_FORMAT}, or no file"
            )
        for statement in _TABLES.split(";"):
            self._database.execute(statement)
        self._database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._database.execute(f"PRAGMA user_version = {_FORMAT}")
        self.commit()
