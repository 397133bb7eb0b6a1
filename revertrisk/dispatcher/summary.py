"""Count what became of the events, and show it."""

import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, TextIO

import orjson
from rich.console import Console
from rich.table import Table

from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.streams.base import Position


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
        """Note how far the source has been told that all is done."""
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
