"""Surges and silences, as the watch (``revertrisk surge run``) knows them: read from its state while it runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from revertrisk.alerts.incidents import ALL_WIKIS, SMALL_WIKIS


class SurgesError(Exception):
    """The state of the watch cannot be read; the message names the file and the reason."""


@dataclass(frozen=True, slots=True)
class Surge:
    """One surge or silence."""

    scope: str
    """A wiki_id, ``small wikis`` or ``all wikis``."""
    series: str
    since: datetime
    ended: datetime | None
    """None while it is open."""
    ratio: float | None
    """How many times the usual; None of a silence."""
    is_provisional: bool

    def is_of(self, wiki_id: str | None) -> bool:
        """Return whether it is to be told to who looks at a wiki, or at all of them (None)."""
        return wiki_id in {None, self.scope} or self.scope in {ALL_WIKIS, SMALL_WIKIS}

    def as_json(self) -> dict[str, Any]:
        """Return it as the page gets it; times in seconds since 1970."""
        return {
            "scope": self.scope,
            "series": self.series,
            "since": self.since.timestamp(),
            "ended": None if self.ended is None else self.ended.timestamp(),
            "ratio": self.ratio,
            "provisional": self.is_provisional,
        }


class Surges:
    """What a watch has found; without a file there is none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: tuple[Surge, ...] = ()

    def refresh(self) -> bool:
        """Read the state; return whether something has changed.

        Raises:
            SurgesError: the file is no state of a watch, or cannot be read.

        """
        if self._path is None:
            return False
        before, self._found = self._found, tuple(_read(self._path))
        return before != self._found

    def open(self, wiki_id: str | None) -> list[Surge]:
        """Return those that are open."""
        return [each for each in self._found if each.ended is None and each.is_of(wiki_id)]

    def between(self, wiki_id: str | None, since: datetime, until: datetime) -> list[Surge]:
        """Return those of some time."""
        return [
            each
            for each in self._found
            if each.since < until and (each.ended is None or each.ended > since) and each.is_of(wiki_id)
        ]


def _read(path: Path) -> Iterator[Surge]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows = database.execute("SELECT document FROM incident").fetchall()
    except sqlite3.Error as exc:
        raise SurgesError(f"surges: {path}: {exc}") from exc
    for document in sorted((orjson.loads(text) for (text,) in rows), key=lambda each: each["since"]):
        ended, expected = document["ended"], document["expected"]
        yield Surge(
            document["scope"],
            document["series"],
            _moment(document["since"]),
            None if ended is None else _moment(ended),
            document["observed"] / expected if expected > 0 else None,
            document["is_provisional"],
        )


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
