"""The present state of each page, by the merge rule of ``docs/STREAM.md``.

A row is a maximum, so the order and the number of deliveries of the predictions do not matter.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from revertrisk.consumer.prediction import PageKey, PredictionRecord

_COLUMNS: Final = tuple(each.name for each in fields(PredictionRecord))
_MOMENTS: Final = frozenset({"changed_at", "received_at"})
_NAMES: Final = ", ".join(_COLUMNS)
_SELECT: Final = f"SELECT {_NAMES} FROM page"  # noqa: S608 - the names are our own
_SELECT_ONE: Final = f"{_SELECT} WHERE model_name = ? AND wiki_id = ? AND page_id = ?"
_PLACES: Final = ", ".join("?" * len(_COLUMNS))
_REPLACE: Final = f"INSERT OR REPLACE INTO page ({_NAMES}) VALUES ({_PLACES})"  # noqa: S608 - likewise


class PageTable:
    """The table ``page`` of a checkpoint: for each page and model the prediction with the greatest rank."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def merge(self, prediction: PredictionRecord) -> None:
        """Make a prediction its page's row, unless the present row has a greater or equal rank."""
        current = self.get(prediction.page_key)
        if current is None or prediction.rank > current.rank:
            self._connection.execute(_REPLACE, _as_row(prediction))

    def get(self, key: PageKey) -> PredictionRecord | None:
        """Return the row of a page; None if no revision of it was scored, which does not mean a low score."""
        row = self._connection.execute(_SELECT_ONE, key).fetchone()
        return None if row is None else _as_prediction(row)

    def __iter__(self) -> Iterator[PredictionRecord]:
        for row in self._connection.execute(f"{_SELECT} ORDER BY model_name, wiki_id, page_id"):
            yield _as_prediction(row)


def _as_row(prediction: PredictionRecord) -> tuple[Any, ...]:
    values = ((name, getattr(prediction, name)) for name in _COLUMNS)
    # Always with microseconds, so that the column sorts by time.
    return tuple(
        value.isoformat(timespec="microseconds") if name in _MOMENTS else value for name, value in values
    )


def _as_prediction(row: tuple[Any, ...]) -> PredictionRecord:
    values: dict[str, Any] = dict(zip(_COLUMNS, row, strict=True))
    for name in _MOMENTS:
        values[name] = datetime.fromisoformat(values[name])
    return PredictionRecord(**values)
