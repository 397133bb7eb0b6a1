"""What becomes of events: the closed set of endings, the counts of a run, and when a run is stopped for them."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table

from revertrisk.streams.base import Position


class Ending(StrEnum):
    """How it ended."""

    PRODUCED = "produced"
    SCORED_ONLY = "scored_only"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    """Taken by a server that does not say which of the three above it was."""
    IGNORED = "ignored"
    """Refused with a status that the rule ignores."""
    GIVEN_UP = "given_up"
    """In the dead letters now."""
    UNMATCHED = "unmatched"
    """No rule takes it."""
    CANARY = "canary"
    SAMPLED_OUT = "sampled_out"
    DUPLICATE = "duplicate"
    """The same ``meta.id`` came a short while ago and is, or was, being taken care of."""
    EXPIRED = "expired"
    """Older than the rule's ``claim_ttl``."""
    POSTPONED = "postponed"
    """In the retry topic now; what becomes of it there is counted when it does."""


EXIT_OK = 0
EXIT_INCOMPLETE = 1
"""Something was given up or interrupted, or the source or the dead letters broke."""
EXIT_UNUSABLE = 2
"""A setting or a rule cannot work; nothing was read."""

UNEXPANDABLE = "unexpandable"
"""The dead letter's reason where a template found nothing in the event to fill it."""
UNKNOWN_RULE = "unknown_rule"
"""The dead letter's reason where the retry topic holds an event for a rule that is no longer there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event under one rule."""

    ending: Ending
    position: Position
    detail: str | None = None
    """The reason of a skip or of a dead letter, or the field for which no rule took it."""
    rule: str | None = None
    """The rule that took it; None where none did."""
    status: int | None = None
    """The last answer's status; None where none came."""
    attempts: int = 0
    seconds: float = 0.0
    """From the first try to the last answer, pauses included."""
    event: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def label(self) -> str:
        """Return the name it is counted under: ``produced``, ``skipped:redirect``, ``given_up:status_400``."""
        return f"{self.ending}:{self.detail}" if self.detail else str(self.ending)


@dataclass(slots=True)
class Summary:
    """The counts of one run. An event that several rules take counts once for each of them."""

    read: int = 0
    """Records read from the source, unreadable ones included."""
    owed: int = 0
    """Outcomes to be expected: one for each record and each rule that takes it, one where none does."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """By label: ``produced``, ``skipped:redirect``, ``given_up:status_400``, ``unmatched:wiki_id``."""
    statuses: Counter[int] = field(default_factory=Counter)
    """By the last answer's status."""
    given_up: int = 0
    retries: int = 0
    committed: dict[str, int] = field(default_factory=dict)
    """The last committed offset of each partition."""
    seconds: float = 0.0
    source_error: str | None = None
    """Why the source could not be read to its end, if so."""
    resumes: bool = False
    """Whether the next run reads what was interrupted again."""

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.outcomes[outcome.label] += 1
        self.given_up += outcome.ending is Ending.GIVEN_UP
        self.retries += max(0, outcome.attempts - 1)
        if outcome.status is not None:
            self.statuses[outcome.status] += 1

    def note_committed(self, positions: Iterable[Position]) -> None:
        """Note the positions that were committed."""
        for position in positions:
            self.committed[position.partition] = position.offset

    @property
    def interrupted(self) -> int:
        """Outcomes that a shutdown did not wait for; their events are not committed."""
        return self.owed - self.outcomes.total()

    @property
    def is_clean(self) -> bool:
        """Whether the source was read without trouble and all that was read is, or will be, taken care of."""
        is_done = self.interrupted == 0 or self.resumes
        return self.given_up == 0 and is_done and self.source_error is None

    def as_dict(self) -> dict[str, Any]:
        """Return the counts as JSON has them."""
        return {
            "read": self.read,
            "outcomes": dict(sorted(self.outcomes.items())),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "given_up": self.given_up,
            "interrupted": self.interrupted,
            "retries": self.retries,
            "committed": self.committed,
            "seconds": round(self.seconds, 3),
            "source_error": self.source_error,
        }

    def show(self, out: TextIO | None = None) -> None:
        """Write a table to a terminal and one line of JSON to anything else; standard output by default."""
        out = out or sys.stdout
        if out.isatty():
            Console(file=out).print(self._table())
        else:
            out.write(orjson.dumps(self.as_dict()).decode() + "\n")
            out.flush()

    def _table(self) -> Table:
        table = Table(title=f"{self.read} events read in {self.seconds:.1f} s")
        table.add_column("outcome")
        table.add_column("events", justify="right")
        for label, count in sorted(self.outcomes.items()):
            table.add_row(label, str(count), style="red" if label.startswith(Ending.GIVEN_UP) else None)
        if self.interrupted:
            table.add_row("interrupted, not committed", str(self.interrupted), style="red")
        table.add_section()
        table.add_row("retries", str(self.retries))
        for status, count in sorted(self.statuses.items()):
            table.add_row(f"answered {status}", str(count))
        return table


class RefusalLimit:
    """Stops a run in which everything is refused: a wrong address must not turn a whole stream into dead letters."""

    def __init__(self, limit: int | None, stop: asyncio.Event, summary: Summary) -> None:
        """Set ``stop`` after ``limit`` requests given up in a row, None for never; the summary says why."""
        self._limit = limit
        self._stop = stop
        self._summary = summary
        self._in_a_row = 0

    def note_outcome(self, outcome: Outcome) -> None:
        """Count one outcome; what was never sent, or waits for another try, says nothing about the server."""
        if outcome.attempts == 0 or outcome.ending is Ending.POSTPONED:
            return
        if outcome.ending is not Ending.GIVEN_UP:
            self._in_a_row = 0
            return
        self._in_a_row += 1
        if self._in_a_row == self._limit:
            self._summary.source_error = (
                f"stopped: {self._limit} requests in a row were given up, the last for {outcome.detail}"
            )
            self._stop.set()
