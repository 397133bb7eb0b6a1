"""Surges and silences, read from the state file of ``revertrisk surge run`` while that program runs."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from revertrisk.alerts.incidents import ALL_WIKIS, SMALL_WIKIS, Series

BAND_DEVIATIONS: Final = 2.0
"""Half the width of the band of usual values, in standard deviations."""
_SERIES: Final = "SELECT model, state FROM series WHERE scope = ? AND series = ?"


class SurgesError(Exception):
    """The state file cannot be read; the message names the file and the reason."""


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
    """Observed to expected count; None for a silence."""
    is_provisional: bool

    def is_of(self, wiki_id: str | None) -> bool:
        """Return whether it is shown for a wiki, or for all wikis (None)."""
        return wiki_id in {None, self.scope} or self.scope in {ALL_WIKIS, SMALL_WIKIS}

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON for the page; times in seconds since 1970."""
        return {
            "scope": self.scope,
            "series": self.series,
            "since": self.since.timestamp(),
            "ended": None if self.ended is None else self.ended.timestamp(),
            "ratio": self.ratio,
            "provisional": self.is_provisional,
        }


class Surges:
    """The surges and silences in a state file; without a file there are none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._found: tuple[Surge, ...] = ()

    def refresh(self) -> bool:
        """Read the state file; return whether the surges have changed.

        Raises:
            SurgesError: the file cannot be read, or is not a state file.

        """
        if self._path is None:
            return False
        before, self._found = self._found, tuple(_read(self._path))
        return before != self._found

    def open(self, wiki_id: str | None) -> list[Surge]:
        """Return the open ones of a wiki, or of all wikis (None)."""
        return [each for each in self._found if each.ended is None and each.is_of(wiki_id)]

    def usual(self, wiki_id: str | None, first: datetime, bin_minutes: int, bins: int) -> list[list[float]]:
        """Return the low end, mean and high end of usual edits a minute, for each bin; empty if they are not known.

        The mean is the fitted baseline times the present level of the wiki. The ends are `BAND_DEVIATIONS` standard
        deviations away; the variance of a bin's count m is m + α m².

        Raises:
            SurgesError: the state file cannot be read.

        """
        if self._path is None or wiki_id is None:
            return []
        rows = _ask(self._path, _SERIES, (wiki_id, Series.EDITS.value))
        if not rows:
            return []
        model, state = (orjson.loads(text) for text in rows[0])
        return _usual(model, state, int(first.timestamp()) // 60, bin_minutes, bins)

    def between(self, wiki_id: str | None, since: datetime, until: datetime) -> list[Surge]:
        """Return those of a wiki, or of all wikis (None), that were open at some time in a period."""
        return [
            each
            for each in self._found
            if each.since < until and (each.ended is None or each.ended > since) and each.is_of(wiki_id)
        ]


def _read(path: Path) -> Iterator[Surge]:
    rows = _ask(path, "SELECT document FROM incident")
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


def _ask(path: Path, query: str, values: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            rows: list[tuple[str, ...]] = database.execute(query, values).fetchall()
            return rows
    except sqlite3.Error as exc:
        raise SurgesError(f"surges: {path}: {exc}") from exc


def _usual(
    model: dict[str, Any], state: dict[str, float], first_minute: int, bin_minutes: int, bins: int
) -> list[list[float]]:
    # Needs the extra `alerts`, which is imported only if there is a state file.
    from revertrisk.alerts.bank import model_from_json  # noqa: PLC0415

    fitted = model_from_json(model)
    length, level = fitted.bin_minutes, state["above"] / state["below"]
    begin = first_minute // length
    number = (first_minute + bins * bin_minutes) // length - begin + 1
    by_minute = fitted.baseline.means(begin, number) * level / length
    found = []
    for place in range(bins):
        minute = first_minute + place * bin_minutes
        part = by_minute[minute // length - begin : (minute + bin_minutes - 1) // length - begin + 1]
        count = float(part.mean()) * bin_minutes
        deviation = math.sqrt(count + fitted.dispersion.alpha * count**2)
        ends = (max(0.0, count - BAND_DEVIATIONS * deviation), count, count + BAND_DEVIATIONS * deviation)
        found.append([each / bin_minutes for each in ends])
    return found


def _moment(minute: int) -> datetime:
    return datetime.fromtimestamp(minute * 60, UTC)
