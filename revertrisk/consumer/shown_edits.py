"""Scored edits with titles, comments and users, for tools that show them; parts that are hidden later are removed.

A prediction stream does not report that something was hidden (``docs/STREAM.md``). Two others do, and both are needed:
``mediawiki.page_change.v1`` reports deleted pages and the *current* revision of each page, and
``mediawiki.revision-visibility-change`` every revision. Events of the three arrive in any order, so hidings are kept.
"""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from revertrisk.consumer.prediction import PredictionRecord
from revertrisk.consumer.reader import PredictionReader
from revertrisk.consumer.sources import Delivery
from revertrisk.event_platform.streams import received_at

REMEMBERED: Final = timedelta(days=30)
"""How long a hiding is kept; EventStreams can repeat events of at most a week."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS shown (
    model_name, wiki_id, rev_id, page_id, probability, title, comment, user,
    PRIMARY KEY (model_name, wiki_id, rev_id)
);
CREATE INDEX IF NOT EXISTS shown_by_page ON shown (wiki_id, page_id);
CREATE INDEX IF NOT EXISTS shown_by_revision ON shown (wiki_id, rev_id);
CREATE TABLE IF NOT EXISTS hidden (
    wiki_id, of_page, number, at, text, comment, user, PRIMARY KEY (wiki_id, of_page, number)
);
CREATE TABLE IF NOT EXISTS place (only INTEGER PRIMARY KEY CHECK (only = 1), resume_at);
"""
_NOTE: Final = """
INSERT INTO hidden VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET at = excluded.at, text = excluded.text, comment = excluded.comment, user = excluded.user
WHERE excluded.at >= at
"""
_OF_PAGE: Final = "WHERE wiki_id = ? AND page_id = ?"
_OF_REVISION: Final = "WHERE wiki_id = ? AND rev_id = ?"


@dataclass(frozen=True, slots=True)
class Hiding:
    """The parts of a revision, or of a whole page, that are hidden since a time."""

    wiki_id: str
    of_page: bool
    """Whether it is about a whole page, which was deleted or restored."""
    number: int
    """The id of the page, or of the revision."""
    at: datetime
    text: bool
    comment: bool
    user: bool


class ShownEdit(NamedTuple):
    """An edit that can be shown; a part that is hidden, or was not in the event, is None."""

    wiki_id: str
    rev_id: int
    probability: float
    title: str | None
    comment: str | None
    user: str | None


def read_hiding(event: Any) -> Hiding | None:
    """Return the hiding in an event of one of the two streams; None if the event is about something else."""
    at = received_at(event) if isinstance(event, Mapping) else None
    if at is None:
        return None
    match event:
        case {
            "page_change_kind": "delete" | "undelete" as kind,
            "wiki_id": str(wiki_id),
            "page": {"page_id": int(page_id)},
        } if "predicted_classification" not in event:
            is_gone = kind == "delete"
            return Hiding(wiki_id, True, page_id, at, is_gone, is_gone, is_gone)
        case {
            "page_change_kind": "visibility_change",
            "wiki_id": str(wiki_id),
            "revision": {"rev_id": int(rev_id), **revision},
        }:
            seen = (revision.get(f"is_{part}_visible") for part in ("content", "comment", "editor"))
        case {
            "database": str(wiki_id),
            "rev_id": int(rev_id),
            "visibility": dict(visibility),
        }:
            seen = (visibility.get(part) for part in ("text", "comment", "user"))
        case _:
            return None
    text, comment, user = (each is not True for each in seen)
    return Hiding(wiki_id, False, rev_id, at, text, comment, user)


class ShownEdits:
    """The edits in a SQLite file; `commit` makes edits, removals and the place to resume from permanent."""

    def __init__(self, path: Path) -> None:
        """Open the file, and create it if it is missing; raises sqlite3.Error."""
        self._reader = PredictionReader()
        self._database = sqlite3.connect(path)
        self._database.executescript(_TABLES)
        forgotten = (datetime.now(UTC) - REMEMBERED).isoformat()
        self._database.execute("DELETE FROM hidden WHERE at < ?", (forgotten,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    @property
    def resume_at(self) -> str | None:
        """The token to resume the source with; None at the beginning."""
        row = self._database.execute("SELECT resume_at FROM place").fetchone()
        return None if row is None else str(row[0])

    def take(self, delivery: Delivery) -> None:
        """Take an event of any of the three streams; other events are ignored."""
        hiding = read_hiding(delivery.event)
        prediction = self._reader.read(delivery.event) if hiding is None else None
        if hiding is not None:
            at = hiding.at.isoformat(timespec="microseconds")
            subject = (hiding.wiki_id, hiding.of_page, hiding.number)
            self._database.execute(_NOTE, (*subject, at, hiding.text, hiding.comment, hiding.user))
            self._remove(*subject)
        elif isinstance(prediction, PredictionRecord):
            self._database.execute(
                "INSERT OR REPLACE INTO shown VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    prediction.model_name,
                    prediction.wiki_id,
                    prediction.rev_id,
                    prediction.page_id,
                    prediction.probability,
                    *_shown(delivery.event),
                ),
            )
            self._remove(prediction.wiki_id, True, prediction.page_id)
            self._remove(prediction.wiki_id, False, prediction.rev_id)
        if delivery.resume_at is not None:
            self._database.execute("INSERT OR REPLACE INTO place VALUES (1, ?)", (delivery.resume_at,))

    def commit(self) -> None:
        """Make all changes so far permanent."""
        self._database.commit()

    def above(self, threshold: float) -> list[ShownEdit]:
        """Return the edits with a score above ``threshold``, the highest first."""
        rows = self._database.execute(
            "SELECT wiki_id, rev_id, probability, title, comment, user FROM shown WHERE probability > ? "
            "ORDER BY probability DESC, wiki_id, rev_id",
            (threshold,),
        )
        return [ShownEdit(*row) for row in rows]

    def _remove(self, wiki_id: str, of_page: bool, number: int) -> None:
        """Remove the hidden parts of a page, or of a revision."""
        subject = (wiki_id, number)
        hidden = self._database.execute(
            "SELECT text, comment, user FROM hidden WHERE wiki_id = ? AND number = ? AND of_page = ?",
            (*subject, of_page),
        ).fetchone()
        text, comment, user = hidden or (False, False, False)
        where = _OF_PAGE if of_page else _OF_REVISION
        if text:
            self._database.execute(f"DELETE FROM shown {where}", subject)  # noqa: S608 - our own words
        if comment:
            self._database.execute(f"UPDATE shown SET comment = NULL {where}", subject)  # noqa: S608 - likewise
        if user:
            self._database.execute(f"UPDATE shown SET user = NULL {where}", subject)  # noqa: S608 - likewise


def _shown(event: Mapping[str, Any]) -> list[str | None]:
    """Return the title, the comment and the user in a prediction event; None for each that is missing."""
    revision = event["revision"]
    editor = revision.get("editor")
    user = editor.get("user_text") if isinstance(editor, dict) else None
    found = (event["page"].get("page_title"), revision.get("comment"), user)
    return [text if isinstance(text, str) else None for text in found]
