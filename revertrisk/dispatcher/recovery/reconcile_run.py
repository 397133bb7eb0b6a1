"""Builds a reconciliation from its settings and runs it."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import orjson
import uvloop
from prometheus_client import CollectorRegistry

from revertrisk.dispatcher.deadletters import DeadLetterError
from revertrisk.dispatcher.metrics import DispatcherMetrics
from revertrisk.dispatcher.outcome import EXIT_INCOMPLETE, EXIT_OK, EXIT_UNUSABLE
from revertrisk.dispatcher.recovery.reconcile import (
    LATE_S,
    Reconciliation,
    Report,
    Window,
    find_missing,
    read_predictions,
    read_skips,
)
from revertrisk.dispatcher.rule_language.problems import RuleFileError
from revertrisk.dispatcher.rule_language.rule import Rule
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.dispatcher.settings import DEFAULT_USER_AGENT, DispatchSettings, SettingsError
from revertrisk.dispatcher.wiring import NOWHERE, Opening
from revertrisk.event_platform.page_change import MAX_REVISION_BYTES, READING_CONTRACT, PageChangeReader
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.runtime.output_files import complete_file, is_same_file
from revertrisk.streams.base import EventSource, SourceError
from revertrisk.wiki.table import WikiTable

EXIT_UNREADABLE = 3
"""No prediction is missing for the events that could be read, and some records could not be read."""
_ENDLESS = "eventstreams:"
"""The prefix of a source that has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """The settings of one reconciliation."""

    events: str
    """The source of page_change events, in the dispatcher's form."""
    predictions: str
    """The source of one model's predictions, in the same form."""
    rule_file: Path
    any_topic: bool = False
    """Take events of any topic or stream."""
    since: datetime
    until: datetime
    skips: Path | None = None
    """The file of skips that dispatchers wrote."""
    output: Path | None = None
    """The file for the list; None for standard output."""
    max_revision_bytes: int = MAX_REVISION_BYTES
    kafka: tuple[str, ...] = field(default=(), repr=False)
    datacentres: tuple[str, ...] = ()
    user_agent: str = DEFAULT_USER_AGENT
    late_s: float = LATE_S


def run_reconciliation(settings: ReconcileSettings) -> int:
    """List missing predictions, print the counts on standard error, and return the exit status.

    The status is not 0 if no event of the window was read, or if records cannot be read: then nothing is proven.
    """
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(reconcile(settings))
    except (SettingsError, RuleFileError) as exc:
        sys.stderr.write(f"{exc}\n")
        return EXIT_UNUSABLE
    except (SourceError, DeadLetterError) as exc:
        sys.stderr.write(f"{exc}\n")
        return EXIT_INCOMPLETE
    sys.stderr.write(orjson.dumps(report.as_dict()).decode() + "\n")
    if report.read == 0:
        sys.stderr.write("no event of this time was read: check the stream and the time\n")
    if report.unreadable:
        sys.stderr.write(
            f"{report.unreadable} records could not be read, and can be events: check the source\n"
        )
    if report.missing or report.read == 0:
        return EXIT_INCOMPLETE
    return EXIT_UNREADABLE if report.unreadable else EXIT_OK


async def reconcile(settings: ReconcileSettings) -> Report:
    """Read the predictions, then the events of the window, and list the events without a prediction.

    Raises:
        SettingsError: a setting is invalid.
        RuleFileError: a rule is invalid.
        SourceError: a source failed; the list is not complete.
        DeadLetterError: the list cannot be written.

    """
    for read in (settings.events, settings.predictions, settings.skips):
        if settings.output and read and is_same_file(settings.output, str(read).removeprefix("jsonl:")):
            raise SettingsError(f"output: {settings.output}: must be another file than those that are read")
    rules = load_rules(settings.rule_file, target=NOWHERE, any_topic=settings.any_topic)
    window = Window(settings.since, settings.until)
    if settings.events.startswith(_ENDLESS) and settings.until > datetime.now(UTC):
        raise SettingsError("until: expected a time in the past, because a stream is read until then")
    skipped = read_skips(settings.skips) if settings.skips is not None else {}
    contract = EventValidator(SchemaRepository().load(READING_CONTRACT))
    wikis = WikiTable.load()
    reader = PageChangeReader(contract, wikis, max_revision_bytes=settings.max_revision_bytes)
    async with AsyncExitStack() as stack:
        predictions = _open(settings, settings.predictions, rules, stack)
        events = _open(settings, settings.events, rules, stack)
        out = stack.enter_context(_output(settings.output))
        predicted = await read_predictions(predictions, late_s=_late_s(settings, settings.predictions))
        reconciliation = Reconciliation(rules, reader, predicted, skipped, window=window, wikis=wikis)
        return await find_missing(
            reconciliation, events, window, out, late_s=_late_s(settings, settings.events)
        )


def _open(
    settings: ReconcileSettings, source: str, rules: tuple[Rule, ...], stack: AsyncExitStack
) -> EventSource:
    reading = DispatchSettings(
        source=source,
        rule_file=settings.rule_file,
        since=settings.since,
        to_end=True,
        kafka=settings.kafka,
        datacentres=settings.datacentres,
        user_agent=settings.user_agent,
    )
    return Opening(reading, rules, DispatcherMetrics(CollectorRegistry(), ""), stack).source(peek=True)


@contextmanager
def _output(path: Path | None) -> Iterator[BinaryIO]:
    """Open the output, which appears when the list is complete.

    Raises:
        SettingsError: it cannot be opened.
        DeadLetterError: it cannot be written.

    """
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with ExitStack() as stack:
            try:
                out = stack.enter_context(complete_file(path))
            except OSError as exc:
                raise SettingsError(f"output: {path}: cannot be written: {exc.strerror}") from exc
            yield out
    except OSError as exc:
        raise DeadLetterError(f"output: {path}: cannot be written: {exc.strerror}") from exc


def _late_s(settings: ReconcileSettings, source: str) -> float | None:
    return settings.late_s if source.startswith(_ENDLESS) else None
