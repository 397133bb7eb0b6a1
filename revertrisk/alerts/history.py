"""The history of a watch: the counts of each minute by wiki and quantity, and the minutes of outages.

A day of counts (UTC) is one row of compressed 32-bit integers. Changed days are written before each commit.
"""

import sqlite3
import zlib
from collections.abc import Iterable
from typing import Final

import numpy as np
import numpy.typing as npt

from revertrisk.alerts.incidents import Series
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.likelihood import Floats

EDITS: Final = "edits"
PREDICTIONS: Final = "predictions"
HIGH_RISK: Final = "high_risk"
QUANTITIES: Final = {Series.EDITS: EDITS, Series.HIGH_RISK: HIGH_RISK, Series.SHARE: HIGH_RISK}
"""What each series counts."""
EVERY_SCOPE: Final = "*"
"""The scope of an outage of the whole stream."""
RISK_SCOPE: Final = "risk"
"""The scope of an outage of the predictions of all wikis, and of minutes with predictions by two model versions."""

TABLES: Final = """
CREATE TABLE history (
    wiki_id TEXT NOT NULL, quantity TEXT NOT NULL, day INTEGER NOT NULL, counts BLOB NOT NULL,
    PRIMARY KEY (wiki_id, quantity, day)
) WITHOUT ROWID;
CREATE TABLE outage (scope TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL)
"""

DayCounts = npt.NDArray[np.uint32]
DayKey = tuple[str, str, int]
"""Wiki, quantity, and day of Unix time."""


class History:
    """The counts and the outages in an open database; changed days are held in memory until they are written."""

    def __init__(self, database: sqlite3.Connection) -> None:
        """Take the database, which has the tables."""
        self._database = database
        self._days: dict[DayKey, DayCounts] = {}
        self._changed: set[DayKey] = set()

    def add(self, wiki_id: str, quantity: str, minute: int, count: int) -> None:
        """Add to the count of a minute."""
        day, at = divmod(minute, MINUTES_PER_DAY)
        key = (wiki_id, quantity, day)
        counts = self._days.get(key)
        if counts is None:
            counts = self._days[key] = self._read_day(key)
        counts[at] += count
        self._changed.add(key)

    def counts(self, wiki_id: str, quantity: str, first_minute: int, end_minute: int) -> Floats:
        """Return the counts of the minutes from the first up to, but not including, the end."""
        first_day, last_day = first_minute // MINUTES_PER_DAY, (end_minute - 1) // MINUTES_PER_DAY
        whole = np.zeros((last_day - first_day + 1) * MINUTES_PER_DAY)
        rows = self._database.execute(
            "SELECT day, counts FROM history WHERE wiki_id = ? AND quantity = ? AND day BETWEEN ? AND ?",
            (wiki_id, quantity, first_day, last_day),
        )
        days = {int(day): _unpacked(packed) for day, packed in rows}
        for day in range(first_day, last_day + 1):
            if (counts := self._days.get((wiki_id, quantity, day))) is not None:
                days[day] = counts
        for day, counts in days.items():
            begin = (day - first_day) * MINUTES_PER_DAY
            whole[begin : begin + MINUTES_PER_DAY] = counts
        begin = first_minute - first_day * MINUTES_PER_DAY
        return whole[begin : begin + end_minute - first_minute]

    def wikis(self, quantity: str) -> list[str]:
        """Return the wikis that have counts of a quantity."""
        rows = self._database.execute("SELECT DISTINCT wiki_id FROM history WHERE quantity = ?", (quantity,))
        known = {str(row[0]) for row in rows} | {wiki for wiki, what, _ in self._days if what == quantity}
        return sorted(known)

    def forget(self, quantity: str) -> None:
        """Delete the counts of a quantity, of all wikis."""
        self._database.execute("DELETE FROM history WHERE quantity = ?", (quantity,))
        self._days = {key: counts for key, counts in self._days.items() if key[1] != quantity}
        self._changed = {key for key in self._changed if key[1] != quantity}

    def forget_before(self, minute: int) -> None:
        """Delete days of counts and outages that lie before a minute."""
        self._database.execute("DELETE FROM history WHERE day < ?", (minute // MINUTES_PER_DAY,))
        self._database.execute("DELETE FROM outage WHERE last < ?", (minute,))

    def note_outage(self, scope: str, first: int, last: int) -> None:
        """Note the minutes of an outage, both included."""
        self._database.execute("INSERT INTO outage VALUES (?, ?, ?)", (scope, first, last))

    def observed(self, scopes: Iterable[str], first_minute: int, end_minute: int) -> Floats:
        """Return 0 for each minute with an outage of any of the scopes, otherwise 1."""
        seen = np.ones(end_minute - first_minute)
        for scope in scopes:
            for first, last in self._database.execute(
                "SELECT first, last FROM outage WHERE scope = ?", (scope,)
            ):
                seen[max(0, first - first_minute) : max(0, last + 1 - first_minute)] = 0.0
        return seen

    def write(self) -> None:
        """Write the changed days; only those of the newest day stay in memory."""
        self._database.executemany(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
            [(*key, zlib.compress(self._days[key].tobytes(), 1)) for key in self._changed],
        )
        newest = max((day for _, _, day in self._days), default=0)
        self._days = {key: counts for key, counts in self._days.items() if key[2] == newest}
        self._changed.clear()

    def _read_day(self, key: DayKey) -> DayCounts:
        row = self._database.execute(
            "SELECT counts FROM history WHERE wiki_id = ? AND quantity = ? AND day = ?", key
        ).fetchone()
        return np.zeros(MINUTES_PER_DAY, np.uint32) if row is None else _unpacked(row[0]).copy()


def _unpacked(packed: bytes) -> DayCounts:
    return np.frombuffer(zlib.decompress(packed), np.uint32)
