"""Runs a backfill as a program: plan, print the plan, ask, send, report."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import Any, TypeVar

import uvloop

from revertrisk.backfill.checkpoint import (
    BackfillCheckpointError,
    DamagedCheckpointError,
    checkpoint_error,
)
from revertrisk.backfill.prediction_file import OutputError
from revertrisk.backfill.progress import log_beside_progress
from revertrisk.backfill.report import show_plan, show_report
from revertrisk.backfill.settings import BackfillSettings, SettingsError
from revertrisk.backfill.target import TargetError
from revertrisk.backfill.wiki_api import WikiError, WikiRefusedError
from revertrisk.backfill.wiring import open_backfill
from revertrisk.dispatcher.deadletters import DeadLetterError
from revertrisk.dispatcher.outcome import EXIT_INCOMPLETE, EXIT_OK, EXIT_UNUSABLE
from revertrisk.dispatcher.rule_language.problems import RuleFileError
from revertrisk.runtime.signals import on_signals

Ask = Callable[[str], bool]
Done = TypeVar("Done")


class StoppedError(Exception):
    """A signal ended the planning; what was planned is kept."""


def run_backfill(settings: BackfillSettings, ask: Ask) -> int:
    """Plan, print the plan, ask unless ``--yes`` is given, send, report; return the exit status.

    ``ask`` asks the user at the terminal and returns whether the answer is yes.
    """
    try:
        _log()
        with ExitStack() as stack:
            runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
            return _run(settings, ask, stack, runner)
    except (SettingsError, RuleFileError, BackfillCheckpointError, TargetError) as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_UNUSABLE
    except sqlite3.Error as exc:
        problem = checkpoint_error(settings.checkpoint, exc)
        sys.stderr.write(f"revertrisk: {problem}")
        if isinstance(problem, DamagedCheckpointError):
            sys.stderr.write("\n")
        else:
            sys.stderr.write("; what is done is kept; run the same command to continue\n")
        return EXIT_INCOMPLETE
    except WikiRefusedError as exc:
        sys.stderr.write(f"revertrisk: {exc}; what is done is kept\n")
        return EXIT_INCOMPLETE  # without "run the same command": it would be refused again
    except (WikiError, DeadLetterError, OutputError) as exc:
        sys.stderr.write(f"revertrisk: {exc}; what is done is kept; run the same command to continue\n")
        return EXIT_INCOMPLETE
    except (StoppedError, KeyboardInterrupt):
        sys.stderr.write("revertrisk: stopped; what is done is kept; run the same command to continue\n")
        return EXIT_INCOMPLETE


def _log() -> None:
    try:
        log_beside_progress()
    except ValueError as exc:
        raise SettingsError(str(exc)) from None


def _run(settings: BackfillSettings, ask: Ask, stack: ExitStack, runner: asyncio.Runner) -> int:
    asks = not (settings.dry_run or settings.yes)
    if asks and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SettingsError(
            "yes: there is no terminal to ask on: give --yes to continue, or --dry-run to only count"
        )
    backfill = open_backfill(settings, stack, runner)
    runner.run(_until_signalled(backfill.plan()))
    counts = backfill.counts()
    show_plan(
        counts,
        settings.rate,
        planned_at=backfill.planned_at,
        scorer=backfill.scorer.identity,
        unfound=backfill.checkpoint.unfound(),
    )
    if settings.dry_run:
        return EXIT_OK
    where = settings.target or settings.local
    if counts.left and asks and not ask(f"Score {counts.left} revisions, to {where}?"):
        sys.stderr.write(f"revertrisk: nothing was sent; the plan is kept in {settings.checkpoint}\n")
        return EXIT_INCOMPLETE
    # Not in _until_signalled: a signal lets send() finish the requests in flight.
    problem = runner.run(backfill.send()) if counts.left else None
    counts = backfill.counts()
    show_report(counts, backfill.how_to_retry if counts.failed else None)
    if problem is not None:
        sys.stderr.write(f"revertrisk: {problem}\n")
    return EXIT_OK if not (counts.failed or counts.left) else EXIT_INCOMPLETE


async def _until_signalled(work: Coroutine[Any, Any, Done]) -> Done:
    """Await a coroutine; a signal cancels it and raises StoppedError."""
    task = asyncio.ensure_future(work)
    with on_signals(task.cancel):
        try:
            return await task
        except asyncio.CancelledError:
            raise StoppedError from None
