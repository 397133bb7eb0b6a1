"""Outcomes of events: the set of endings, the counts of a run, and the limit of refusals that stops a run."""

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
    """How the processing of an event ended."""

    PRODUCED = "produced"
    SCORED_ONLY = "scored_only"
    SKIPPED = "skipped"
    ACCEPTED = "accepted"
    """Answered with success by a server that does not report which of the three above it was."""
    IGNORED = "ignored"
    """Refused with a status that the rule ignores."""
    GIVEN_UP = "given_up"
    """Written to the dead letters."""
    UNMATCHED = "unmatched"
    """No rule takes the event."""
    CANARY = "canary"
    SAMPLED_OUT = "sampled_out"
    DUPLICATE = "duplicate"
    """An event with the same ``meta.id`` was read a short time ago, and is or was processed."""
    EXPIRED = "expired"
    """Older than the rule's ``claim_ttl``."""
    POSTPONED = "postponed"
    """Written to the retry topic; its later ending there is counted too."""


EXIT_OK = 0
EXIT_INCOMPLETE = 1
"""Events were given up or interrupted, or the source or the dead letters failed."""
EXIT_UNUSABLE = 2
"""A setting or a rule is invalid; no event was read."""

REPEATED = "repeated"
"""The label in a summary of events that the server had accepted before, and did not emit again."""
UNEXPANDABLE = "unexpandable"
"""The reason of a dead letter whose event lacks a field that a template needs."""
UNKNOWN_RULE = "unknown_rule"
"""The reason of a dead letter from the retry topic whose rule no longer exists."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result for one event and one rule."""

    ending: Ending
    position: Position
    detail: str | None = None
    """The reason of a skip or of a dead letter, or the field because of which no rule took it."""
    rule: str | None = None
    """The rule that took it; None if no rule did."""
    status: int | None = None
    """The last answer's status; None without an answer."""
    attempts: int = 0
    seconds: float = 0.0
    """From the first try to the last answer, including pauses."""
    event: Mapping[str, Any] | None = field(default=None, repr=False)
    repeated: bool = False
    """Whether the server had accepted it before, and did not emit it again."""

    @property
    def label(self) -> str:
        """Return the name under which it is counted: ``produced``, ``skipped:redirect``, ``given_up:status_400``."""
        return f"{self.ending}:{self.detail}" if self.detail else str(self.ending)


@dataclass(slots=True)
class Summary:
    """The counts of one run. An event that several rules take counts once for each of them."""

    read: int = 0
    """Records read from the source, including unreadable ones."""
    owed: int = 0
    """The expected number of outcomes: one for each record and rule that takes it, and one if no rule does."""
    outcomes: Counter[str] = field(default_factory=Counter)
    """By label: ``produced``, ``repeated``, ``skipped:redirect``, ``given_up:status_400``, ``unmatched:wiki_id``."""
    statuses: Counter[int] = field(default_factory=Counter)
    """By the last answer's status."""
    given_up: int = 0
    retries: int = 0
    committed: dict[str, int] = field(default_factory=dict)
    """The last committed offset of each partition."""
    seconds: float = 0.0
    source_error: str | None = None
    """Why the source could not be read to its end; None if it was."""
    resumes: bool = False
    """Whether the next run reads interrupted events again."""

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.outcomes[REPEATED if outcome.repeated else outcome.label] += 1
        self.given_up += outcome.ending is Ending.GIVEN_UP
        self.retries += max(0, outcome.attempts - 1)
        if outcome.status is not None:
            self.statuses[outcome.status] += 1

    def note_committed(self, positions: Iterable[Position]) -> None:
        """Record the positions that were committed."""
        for position in positions:
            self.committed[position.partition] = position.offset

    @property
    def interrupted(self) -> int:
        """The number of outcomes that a shutdown did not wait for; their events are not committed."""
        return self.owed - self.outcomes.total()

    @property
    def is_clean(self) -> bool:
        """Whether the source was read without an error, and every event is processed or will be by the next run."""
        is_done = self.interrupted == 0 or self.resumes
        return self.given_up == 0 and is_done and self.source_error is None

    def as_dict(self) -> dict[str, Any]:
        """Return the counts for JSON."""
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
    """Stops a run in which every request fails, so that a wrong address does not make a stream into dead letters."""

    def __init__(self, limit: int | None, stop: asyncio.Event, summary: Summary) -> None:
        """Take the parts. ``stop`` is set after ``limit`` requests in a row were given up; None is no limit.

        ``summary.source_error`` then has the reason.
        """
        self._limit = limit
        self._stop = stop
        self._summary = summary
        self._in_a_row = 0

    def note_outcome(self, outcome: Outcome) -> None:
        """Count one outcome, except of events that were not sent or are postponed: the server did not decide them."""
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
