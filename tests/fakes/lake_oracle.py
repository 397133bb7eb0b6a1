"""What a lake must hold, worked out in another way: SQLite with primary keys, and plain loops over all events."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from revertrisk.event_platform.streams import BACKFILL_SUFFIX
from revertrisk.lake.engine import Connection

Row = tuple[Any, ...]
PREDICTION_TABLES = ("prediction", "prediction_backfill", "prediction_shadow")
AT_ONCE = 50_000


def prediction_table(stream: str) -> str:
    if stream.endswith(BACKFILL_SUFFIX):
        return "prediction_backfill"
    return "prediction_shadow" if stream.endswith(".shadow") else "prediction"


@dataclass(slots=True)
class _Told:
    """What was told of a revision; instants as events have them, empty where there is none."""

    first: tuple[str, str, str] = ("", "", "")
    """meta.dt, meta.id and kind of the earliest event."""
    newest: str = ""
    author: str = ""
    """When the author was told last."""
    hidden: str = ""
    """When the author was hidden last."""


class Oracle:
    """Takes every event once or more, in any order."""

    def __init__(self, events: Iterable[dict[str, Any]] = ()) -> None:
        self._predictions = sqlite3.connect(":memory:")
        for table in PREDICTION_TABLES:
            self._predictions.execute(
                f"CREATE TABLE {table} (wiki_id, rev_id, kind, model, version, probability, dt, "
                "PRIMARY KEY (wiki_id, rev_id, kind, model, version)) WITHOUT ROWID"
            )
        self._revisions: defaultdict[tuple[str, int], _Told] = defaultdict(_Told)
        self._pages: defaultdict[tuple[str, int], dict[int, str]] = defaultdict(dict)
        self._reverts: defaultdict[tuple[str, int], dict[int, tuple[int, int, datetime]]] = defaultdict(dict)
        for event in events:
            self.take(event)

    def take(self, event: dict[str, Any]) -> None:
        if event["meta"].get("domain") == "canary":
            return
        if "predicted_classification" in event:
            self._take_prediction(event)
        elif "visibility" in event:
            if not event["visibility"]["user"]:
                told = self._revisions[event["database"], event["rev_id"]]
                told.hidden = max(told.hidden, event["meta"]["dt"])
        else:
            self._take_change(event)

    def _take_prediction(self, event: dict[str, Any]) -> None:
        said = event["predicted_classification"]
        self._predictions.execute(
            f"INSERT OR IGNORE INTO {prediction_table(event['meta']['stream'])} VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                event["wiki_id"],
                event["revision"]["rev_id"],
                event["page_change_kind"],
                said["model_name"],
                said["model_version"],
                said["probabilities"]["true"],
                event["dt"],
            ),
        )

    def _take_change(self, event: dict[str, Any]) -> None:
        wiki_id, revision, received = event["wiki_id"], event["revision"], event["meta"]["dt"]
        rev_id, page = revision["rev_id"], (wiki_id, event["page"]["page_id"])
        told = self._revisions[wiki_id, rev_id]
        this = (received, event["meta"]["id"], event["page_change_kind"])
        told.first = min(told.first, this) if told.newest else this
        told.newest = max(told.newest, received)
        if revision.get("is_editor_visible") is False:
            told.hidden = max(told.hidden, received)
        else:
            told.author = max(told.author, received)
        self._pages[page][rev_id] = revision["rev_dt"]
        revert = revision.get("revert")
        if revert:
            span = (revert["rev_reverted_oldest_id"], revert["rev_reverted_newest_id"])
            self._reverts[page][rev_id] = (*span, moment(revision["rev_dt"]))

    def predictions(self, table: str) -> Iterator[tuple[Row, Row]]:
        for row in self._predictions.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5"):
            yield row[:5], (row[5], moment(row[6]))

    def revisions(self) -> Iterator[tuple[Row, Row]]:
        """Yield kind, whether the author is known, and the newest meta.dt, by key."""
        for key in sorted(self._revisions):
            told = self._revisions[key]
            newest = moment(told.newest) if told.newest else None
            yield key, (told.first[2] or None, told.author > told.hidden, newest)

    def reverted(self) -> Iterator[tuple[Row, Row]]:
        """Yield first revert, seconds to it, and when it was undone itself, by key, worked out page by page."""
        found: dict[Row, Row] = {}
        for page, reverts in self._reverts.items():

            def first_over(
                edit: tuple[datetime, int], reverts: dict[int, tuple[int, int, datetime]] = reverts
            ) -> tuple[datetime, int] | None:
                over = [
                    (at, by)
                    for by, (oldest, newest, at) in reverts.items()
                    if oldest <= edit[1] <= newest and edit < (at, by)
                ]
                return min(over, default=None)

            for rev_id, text in self._pages[page].items():
                saved = moment(text)
                first = first_over((saved, rev_id))
                if first is not None:
                    undone = first_over(first)
                    seconds = (first[0] - saved).total_seconds()
                    found[page[0], rev_id] = (first[1], seconds, None if undone is None else undone[0])
        yield from sorted(found.items())

    def differences(self, connection: Connection) -> list[str]:
        """Return what differs between a lake and this, in words; nothing where they agree."""
        names = "wiki_id, rev_id, page_change_kind, model_name, model_version"
        found: list[str] = []
        for table in PREDICTION_TABLES:
            held = _held(connection, f"SELECT {names}, probability, dt FROM {table} ORDER BY {names}", 5)
            found += _compared(table, self.predictions(table), held)
        revisions = "kind, actor_key IS NOT NULL, row_updated FROM revision"
        reverted = "first_revert_id, seconds_to_revert, revert_reverted_at FROM reverted"
        for table, wanted, query in (
            ("revision", self.revisions(), revisions),
            ("reverted", self.reverted(), reverted),
        ):
            held = _held(connection, f"SELECT wiki_id, rev_id, {query} ORDER BY wiki_id, rev_id", 2)
            found += _compared(table, wanted, held)
        return found


def differences(connection: Connection, events: Iterable[dict[str, Any]]) -> list[str]:
    """Return what differs between a lake and the oracle, in words; nothing where they agree."""
    return Oracle(events).differences(connection)


def _held(connection: Connection, query: str, width: int) -> Iterator[tuple[Row, Row]]:
    cursor = connection.execute(query)
    while rows := cursor.fetchmany(AT_ONCE):
        for row in rows:
            yield row[:width], row[width:]


def _compared(
    table: str, wanted: Iterator[tuple[Row, Row]], held: Iterator[tuple[Row, Row]]
) -> Iterator[str]:
    """Walk along both, which are in the order of their keys."""
    want, have = next(wanted, None), next(held, None)
    while want is not None or have is not None:
        if have is None or (want is not None and want[0] < have[0]):
            assert want is not None
            yield f"{table}: {want[0]} is missing"
            want = next(wanted, None)
        elif want is None or have[0] < want[0]:
            yield f"{table}: {have[0]} is too much, or stands there twice"
            have = next(held, None)
        else:
            if want[1] != have[1]:
                yield f"{table}: {want[0]}: {have[1]} instead of {want[1]}"
            want, have = next(wanted, None), next(held, None)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
