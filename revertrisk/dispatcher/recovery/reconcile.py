"""Finds missing predictions: page_change events of a window that should have a prediction on the stream and have none.

Run it when all retries of the window's events are over: a prediction that is produced later counts as missing.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO

import orjson

from revertrisk.dispatcher.rule_language.rule import Rule, Taken
from revertrisk.dispatcher.settings import SettingsError
from revertrisk.event_platform.page_change import (
    InvalidPageChangeError,
    PageChangeReader,
    Skip,
    SkipReason,
    UnsupportedPageChangeError,
)
from revertrisk.event_platform.streams import received_at
from revertrisk.streams.base import EventSource, SourcedEvent, UnreadableRecord
from revertrisk.wiki.table import WikiTable

MISSING = "missing"
"""The reason in the list; its lines are dead letters, which a redrive can read."""
_SKIP = b'{"wiki_id":'
"""The beginning of each line of a file of skips."""
LATE_S = 30.0
"""A stream without an end has passed the window when it brought no event of the window for this long."""


@dataclass(frozen=True, slots=True)
class Window:
    """A period of time, by ``meta.dt``: from ``since``, until before ``until``."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.since.tzinfo is None or self.until.tzinfo is None or self.since >= self.until:
            raise SettingsError("since and until: expected two times with their zones, the earlier one first")

    def __contains__(self, moment: datetime) -> bool:
        return self.since <= moment < self.until


@dataclass(slots=True)
class Report:
    """The counts of the page_change events of the window."""

    read: int = 0
    """Events of the window."""
    outside: int = 0
    """Events of other times, or without a time."""
    unreadable: int = 0
    unmatched: int = 0
    """Events that no rule takes, including canary events."""
    repeated: int = 0
    """Events of a revision that was already counted."""
    predicted: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    """Events without a prediction for a valid reason, by reason: found in the event, or in the server's skips."""
    missing: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for JSON."""
        return {
            "read": self.read,
            "outside": self.outside,
            "unreadable": self.unreadable,
            "unmatched": self.unmatched,
            "repeated": self.repeated,
            "predicted": self.predicted,
            "skipped": dict(sorted(self.skipped.items())),
            "missing": self.missing,
        }


class Revisions:
    """A set of revisions, by wiki and revision id."""

    def __init__(self) -> None:
        self._of_wiki: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, event: Mapping[str, Any]) -> bool:
        """Add an event's revision; return whether it was new. An event without a revision is ignored."""
        match event:
            case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}}:
                of_wiki = self._of_wiki[wiki_id]
                is_new = rev_id not in of_wiki
                of_wiki.add(rev_id)
                return is_new
        return False

    def __contains__(self, event: Mapping[str, Any]) -> bool:
        match event:
            case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}}:
                return rev_id in self._of_wiki.get(wiki_id, ())
        return False


class Reconciliation:
    """Compares page_change events with the predicted and the skipped revisions."""

    def __init__(  # noqa: PLR0913 - all that a verdict depends on
        self,
        rules: Sequence[Rule],
        reader: PageChangeReader,
        predicted: Revisions,
        skipped: Mapping[tuple[str, int], str],
        *,
        window: Window,
        wikis: WikiTable,
    ) -> None:
        """Take the rules that select events, the predicted revisions, and the skipped ones with their reasons."""
        self._rules = rules
        self._reader = reader
        self._predicted = predicted
        self._skipped = skipped
        self._window = window
        self._wikis = wikis
        self._seen = Revisions()
        self.report = Report()

    def judge(self, record: SourcedEvent) -> bool:
        """Count an event; return whether its prediction is missing."""
        report, event = self.report, record.event
        moment = received_at(event)
        if moment is None or moment not in self._window:
            report.outside += 1
            return False
        report.read += 1
        verdicts = [rule.judge(event, record.topic) for rule in self._rules]
        if not any(isinstance(verdict, Taken) for verdict in verdicts):
            report.unmatched += 1
            return False
        if not self._seen.add(event):
            report.repeated += 1
            return False
        if event in self._predicted:
            report.predicted += 1
            return False
        reason = self._skip_reason(event)
        if reason is not None:
            report.skipped[reason] += 1
            return False
        report.missing += 1
        return True

    def _skip_reason(self, event: dict[str, Any]) -> str | None:
        try:
            found = self._reader.resolve(self._reader.read(event))
        except (InvalidPageChangeError, UnsupportedPageChangeError):
            return None  # the server refuses it: it is a dead letter, and its prediction is missing
        wiki_id, rev_id = event["wiki_id"], int(event["revision"]["rev_id"])
        reason = found.reason.value if isinstance(found, Skip) else self._skipped.get((wiki_id, rev_id))
        # The wiki is in the table, so it is not unknown: its domain changed. With an updated table the server can
        # score its events.
        is_renamed = reason == SkipReason.UNKNOWN_WIKI and self._wikis.by_id(wiki_id) is not None
        return None if is_renamed else reason


async def read_predictions(source: EventSource, *, late_s: float | None) -> Revisions:
    """Return the revisions with an event on a prediction stream; raises SourceError.

    A source without an end is read until no older event came for ``late_s`` seconds; None reads to the end.
    """
    found = Revisions()
    async for record in _until(source, datetime.now(UTC), late_s):
        if isinstance(record, SourcedEvent):
            found.add(record.event)
    return found


async def find_missing(
    reconciliation: Reconciliation,
    source: EventSource,
    window: Window,
    out: BinaryIO,
    *,
    late_s: float | None,
) -> Report:
    """Write a line for every event whose prediction is missing; return the counts. Raises SourceError."""
    async for record in _until(source, window.until, late_s):
        if isinstance(record, UnreadableRecord):
            reconciliation.report.unreadable += 1
        elif reconciliation.judge(record):
            out.write(_line(record))
    out.flush()
    return reconciliation.report


def read_skips(path: Path) -> dict[tuple[str, int], str]:
    """Return the reasons by (wiki_id, rev_id) in a file of skips that a dispatcher wrote; raises SettingsError."""
    found = {}
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                match _json(line):
                    case {"wiki_id": str(wiki_id), "rev_id": int(rev_id), "reason": str(reason)}:
                        found[wiki_id, rev_id] = reason
                    case _ if not _is_partial(line):
                        raise SettingsError(f"skips: {path}: line {number} is not a skip")
    except OSError as exc:
        raise SettingsError(f"skips: {path}: cannot be read: {exc.strerror}") from exc
    return found


def _is_partial(line: bytes) -> bool:
    """Return whether a line is an incomplete skip, which a crash left; the next dispatcher adds its newline."""
    begun = line.removesuffix(b"\n")
    return begun == line or (_json(line) is None and (begun.startswith(_SKIP) or _SKIP.startswith(begun)))


def _json(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _line(record: SourcedEvent) -> bytes:
    """Return a dead letter whose first fields are the wiki, the page and the revision."""
    event, position = record.event, record.position
    revision, page = event.get("revision"), event.get("page")
    key = {
        "wiki_id": event.get("wiki_id"),
        "page_id": page.get("page_id") if isinstance(page, dict) else None,
        "rev_id": revision.get("rev_id") if isinstance(revision, dict) else None,
    }
    where = {"partition": position.partition, "offset": position.offset, "topic": record.topic}
    return orjson.dumps(
        key | {"reason": MISSING} | where | {"event": event}, option=orjson.OPT_APPEND_NEWLINE
    )


async def _until(
    source: EventSource, until: datetime, late_s: float | None
) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
    """Yield records to the end of a source, or until nothing from before ``until`` came for ``late_s`` seconds."""
    last = monotonic()
    try:
        async with aclosing(source.events()) as records:
            while True:
                left = None if late_s is None else max(0.0, last + late_s - monotonic())
                try:
                    record = await asyncio.wait_for(anext(records), left)
                except (StopAsyncIteration, TimeoutError):
                    return
                moment = received_at(record.event) if isinstance(record, SourcedEvent) else None
                if moment is None or moment < until:
                    last = monotonic()
                yield record
    finally:
        await source.close()
