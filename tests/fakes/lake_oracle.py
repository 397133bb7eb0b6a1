"""What a lake must hold, worked out in another way: SQLite with primary keys, and plain loops over all events."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from revertrisk.event_platform.streams import BACKFILL_SUFFIX
from revertrisk.lake.engine import Connection

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def prediction_table(stream: str) -> str:
    if stream.endswith(BACKFILL_SUFFIX):
        return "prediction_backfill"
    return "prediction_shadow" if stream.endswith(".shadow") else "prediction"


class Oracle:
    """Takes every event once or more, in any order."""

    def __init__(self, events: Iterable[dict[str, Any]]) -> None:
        self._predictions = sqlite3.connect(":memory:")
        for table in ("prediction", "prediction_backfill", "prediction_shadow"):
            self._predictions.execute(
                f"CREATE TABLE {table} (wiki_id, rev_id, kind, model, version, probability, dt, "
                "PRIMARY KEY (wiki_id, rev_id, kind, model, version))"
            )
        self._changes: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        self._hidings: defaultdict[tuple[str, int], list[datetime]] = defaultdict(list)
        for event in events:
            if event["meta"].get("domain") == "canary":
                continue
            if "predicted_classification" in event:
                self._take_prediction(event)
            elif "visibility" in event:
                if not event["visibility"]["user"]:
                    self._hidings[event["database"], event["rev_id"]].append(moment(event["meta"]["dt"]))
            else:
                self._changes[event["wiki_id"], event["revision"]["rev_id"]].append(event)

    def predictions(self, table: str) -> Rows:
        rows = self._predictions.execute(f"SELECT * FROM {table}").fetchall()
        return {row[:5]: (row[5], moment(row[6])) for row in rows}

    def revisions(self) -> Rows:
        """Return kind, time of the edit, whether the author is known, and the newest meta.dt, by key."""
        found: Rows = {}
        for key in self._changes.keys() | self._hidings.keys():
            events = sorted(self._changes[key], key=lambda each: (each["meta"]["dt"], each["meta"]["id"]))
            hidings = self._hidings[key] + [
                moment(each["meta"]["dt"])
                for each in events
                if each["revision"].get("is_editor_visible") is False
            ]
            told = [
                moment(each["meta"]["dt"])
                for each in events
                if each["revision"].get("is_editor_visible") is not False
            ]
            knows = bool(told) and (not hidings or max(told) > max(hidings))
            kind = events[0]["page_change_kind"] if events else None
            newest = moment(events[-1]["meta"]["dt"]) if events else None
            found[key] = (kind, knows, newest)
        return found

    def reverted(self) -> Rows:
        """Return first revert, seconds to it, and when it was undone itself, by key, page by page."""
        pages: defaultdict[tuple[str, int], dict[int, datetime]] = defaultdict(dict)
        reverts: defaultdict[tuple[str, int], dict[int, tuple[int, int, datetime]]] = defaultdict(dict)
        for (wiki_id, rev_id), events in self._changes.items():
            for event in events:
                page = (wiki_id, event["page"]["page_id"])
                saved = moment(event["revision"]["rev_dt"])
                pages[page][rev_id] = saved
                revert = event["revision"].get("revert")
                if revert:
                    span = (revert["rev_reverted_oldest_id"], revert["rev_reverted_newest_id"], saved)
                    reverts[page][rev_id] = span
        found: Rows = {}
        for page, edits in pages.items():

            def first_over(rev_id: int, page: tuple[str, int] = page) -> tuple[datetime, int] | None:
                over = [
                    (at, by)
                    for by, (oldest, newest, at) in reverts[page].items()
                    if oldest <= rev_id <= newest
                ]
                return min(over, default=None)

            for rev_id, saved in edits.items():
                first = first_over(rev_id)
                if first is not None:
                    undone = first_over(first[1])
                    found[page[0], rev_id] = (
                        first[1],
                        (first[0] - saved).total_seconds(),
                        None if undone is None else undone[0],
                    )
        return found

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


def differences(connection: Connection, events: Iterable[dict[str, Any]]) -> list[str]:
    """Return what differs between a lake and the oracle, in words; nothing where they agree."""
    oracle = Oracle(events)
    wanted = {
        table: oracle.predictions(table)
        for table in ("prediction", "prediction_backfill", "prediction_shadow")
    }
    queries = {
        table: f"SELECT wiki_id, rev_id, page_change_kind, model_name, model_version, probability, dt FROM {table}"
        for table in wanted
    }
    wanted["revision"] = oracle.revisions()
    queries["revision"] = "SELECT wiki_id, rev_id, kind, actor_key IS NOT NULL, row_updated FROM revision"
    wanted["reverted"] = oracle.reverted()
    queries["reverted"] = (
        "SELECT wiki_id, rev_id, first_revert_id, seconds_to_revert, revert_reverted_at FROM reverted"
    )
    found = []
    for table, query in queries.items():
        rows = connection.execute(query).fetchall()
        width = 5 if table.startswith("prediction") else 2
        held = {row[:width]: row[width:] for row in rows}
        if len(held) != len(rows):
            found.append(f"{table}: {len(rows) - len(held)} keys stand there twice")
        found += [f"{table}: {key} is missing" for key in wanted[table].keys() - held.keys()]
        found += [f"{table}: {key} is too much" for key in held.keys() - wanted[table].keys()]
        found += [
            f"{table}: {key}: {held[key]} instead of {row}"
            for key, row in wanted[table].items()
            if key in held and held[key] != row
        ]
    return found


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
