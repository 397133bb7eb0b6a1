"""Put a reconciliation together from its settings and run it."""

import asyncio
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
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
from revertrisk.streams.base import EventSource, SourceError
from revertrisk.wiki.table import WikiTable

EXIT_UNREADABLE = 3
"""Nothing is missing among the events that could be read, and some records could not be."""
_ENDLESS = "eventstreams:"
"""How a source begins that has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileSettings:
    """One reconciliation."""

    events: str
    """Where page_change events are, as a source of the dispatcher."""
    predictions: str
    """Where the predictions of one model are, likewise."""
    rule_file: Path
    any_topic: bool = False
    """Take events whatever topic or stream they came from."""
    since: datetime
    until: datetime
    skips: Path | None = None
    """What dispatchers noted of the server's skips."""
    output: Path | None = None
    """Where the list goes; None for standard output."""
    max_revision_bytes: int = MAX_REVISION_BYTES
    kafka: tuple[str, ...] = field(default=(), repr=False)
    datacentres: tuple[str, ...] = ()
    user_agent: str = DEFAULT_USER_AGENT
    late_s: float = LATE_S


def run_reconciliation(settings: ReconcileSettings) -> int:
    """List what is missing, show the counts on standard error, and return the exit status.

    A window of which nothing was read proves nothing, and is no success; neither are records that cannot be read.
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
        sys.stderr.write("no event of this time was read: is it the right stream, and the right time?\n")
    if report.unreadable:
        sys.stderr.write(
            f"{report.unreadable} records could not be read, and may be events: look into the source\n"
        )
    if report.missing or report.read == 0:
        return EXIT_INCOMPLETE
    return EXIT_UNREADABLE if report.unreadable else EXIT_OK


async def reconcile(settings: ReconcileSettings) -> Report:
    """Read the predictions, then the events of the window, and list the events without a prediction.

    Raises:
        SettingsError: a setting cannot work.
        RuleFileError: a rule cannot work.
        SourceError: a source broke; the list is not complete.
        DeadLetterError: the list cannot be written to its end.

    """
    rules = load_rules(settings.rule_file, target=NOWHERE, any_topic=settings.any_topic)
    window = Window(settings.since, settings.until)
    if settings.events.startswith(_ENDLESS) and settings.until > datetime.now(UTC):
        raise SettingsError("until: expected a time that has passed: a stream would be read until then")
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
    """Open the place of the list; raises SettingsError where it cannot be opened, DeadLetterError where it is full."""
    if path is None:
        yield sys.stdout.buffer
        return
    try:
        out = path.open("wb")
    except OSError as exc:
        raise SettingsError(f"output: {path}: cannot be written: {exc.strerror}") from exc
    try:
        with out:
            yield out
    except OSError as exc:
        raise DeadLetterError(f"output: {path}: cannot be written: {exc.strerror}") from exc


def _late_s(settings: ReconcileSettings, source: str) -> float | None:
    return settings.late_s if source.startswith(_ENDLESS) else None
