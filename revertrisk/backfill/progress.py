"""Shows the progress of a backfill on standard error: a bar on a terminal, log lines otherwise."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any, Protocol

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from revertrisk.runtime.logs import configure_logging_from_environment

LINE_EVERY_S = 10.0

log = logging.getLogger("revertrisk.backfill")


class Display(Protocol):
    """Shows progress."""

    def advance(self, count: int = 1, *, skipped: int = 0, failed: int = 0) -> None:
        """Count finished revisions; ``skipped`` and ``failed`` of them have no score."""
        ...


class _Tally:
    """The counts since the start of a phase."""

    def __init__(self) -> None:
        self._began = monotonic()
        self.done = self.skipped = self.failed = 0

    def add(self, count: int, skipped: int, failed: int) -> None:
        self.done += count
        self.skipped += skipped
        self.failed += failed

    @property
    def per_second(self) -> float:
        return self.done / max(monotonic() - self._began, 0.001)

    def eta_s(self, total: int) -> float | None:
        return (total - self.done) / self.per_second if self.done else None


class Lines:
    """Logs a line at the start and the end of a phase, and every ten seconds between them."""

    def __init__(self, phase: str, total: int | None) -> None:
        self._phase = phase
        self._total = total
        self._tally = _Tally()
        self._next = monotonic() + LINE_EVERY_S
        self._write("begins")

    def advance(self, count: int = 1, *, skipped: int = 0, failed: int = 0) -> None:
        """Count finished revisions."""
        self._tally.add(count, skipped, failed)
        if monotonic() >= self._next:
            self._next = monotonic() + LINE_EVERY_S
            self._write("continues")

    def end(self) -> None:
        """Write the last line."""
        self._write("ends")

    def _write(self, what: str) -> None:
        tally = self._tally
        labels: dict[str, Any] = {
            "labels.done": tally.done,
            "labels.skipped": tally.skipped,
            "labels.failed": tally.failed,
            "labels.per_second": round(tally.per_second, 2),
        }
        if self._total is not None:
            eta_s = tally.eta_s(self._total)
            labels |= {
                "labels.total": self._total,
                "labels.eta_s": None if eta_s is None else round(eta_s),
            }
        log.info("%s %s", self._phase, what, extra=labels)


class Bar:
    """A bar with the rate, the time left, and the numbers of skipped and failed revisions."""

    def __init__(self, progress: Progress, phase: str, total: int | None) -> None:
        self._progress = progress
        self._tally = _Tally()
        self._task: TaskID = progress.add_task(phase, total=total, rate="", beside="")

    def advance(self, count: int = 1, *, skipped: int = 0, failed: int = 0) -> None:
        """Count finished revisions."""
        self._tally.add(count, skipped, failed)
        self._progress.update(self._task, advance=count, rate=self._rate(), beside=self._beside())

    def _rate(self) -> str:
        return f"{self._tally.per_second:.1f}/s" if self._tally.done else ""

    def _beside(self) -> str:
        failed = f", [red]{self._tally.failed} failed[/]" if self._tally.failed else ""
        return f"{self._tally.skipped} skipped{failed}"


@contextmanager
def showing(phase: str, total: int | None) -> Iterator[Display]:
    """Show a phase while the context is open; ``total`` is None if it is not known."""
    if not sys.stderr.isatty():
        lines = Lines(phase, total)
        try:
            yield lines
        finally:
            lines.end()
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[beside]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Bar(progress, phase, total)


def log_beside_progress() -> None:
    """Log to standard error in LOG_FORMAT from LOG_LEVEL; on a terminal, text is printed above the bar.

    Raises:
        ValueError: one of them has an invalid value.

    """
    above = RichHandler(console=Console(stderr=True), show_time=False, show_level=False, show_path=False)
    configure_logging_from_environment("INFO", sys.stderr, terminal=above)
