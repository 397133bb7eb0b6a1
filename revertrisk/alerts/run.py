"""``revertrisk surge run``: reads streams and sends messages until the sources end or a signal arrives.

The places of the sources, the state and the outbox are committed together, every two seconds and for each message.
"""

import asyncio
import logging
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from time import monotonic, time
from typing import Final

import uvloop
from prometheus_client import CollectorRegistry

from revertrisk.alerts.errors import EXIT_BROKEN, EXIT_CONFIGURATION, EXIT_DONE, AlertsError
from revertrisk.alerts.level import MINUTES_PER_DAY
from revertrisk.alerts.metrics import WatchMetrics
from revertrisk.alerts.outbox import Outbox
from revertrisk.alerts.reading import SourceReader, open_sources
from revertrisk.alerts.receivers import Receiver, close_receivers
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import Store
from revertrisk.alerts.watch import Watch
from revertrisk.alerts.wording import counted
from revertrisk.runtime.metrics_port import MetricsPortError, serving_metrics
from revertrisk.runtime.signals import on_signals
from revertrisk.streams.base import SourceError
from revertrisk.streams.opening import OpenSource, SourceSettings

log = logging.getLogger(__name__)

COMMIT_S: Final = 2.0
NOTHING_FOR_MINUTES: Final = 60
TICK_S: Final = 5.0
KEPT_DAYS: Final = 90
"""How long an incident is kept after its end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """The settings of one run of a watch."""

    sources: tuple[str, ...]
    state: str
    """The path of the state file."""
    watch: WatchSettings
    opening: SourceSettings = field(default_factory=SourceSettings)
    metrics_port: int | None = None


class Runner:
    """Gives a watch the events of its sources, and commits its state together with their places."""

    def __init__(
        self, store: Store, watch: Watch, sources: Sequence[OpenSource], metrics: WatchMetrics
    ) -> None:
        self._store = store
        self._watch = watch
        self._sources = sources
        self._metrics = metrics
        self._committed = monotonic()
        self._last_event_at = monotonic()
        self._incidents = self._names()
        self._day = -1
        """The day in which old incidents were last deleted."""
        self._logged = (-1, -1)
        """The sizes of the watch when they were last logged."""
        self.notify: Callable[[], None] = lambda: None
        """Called after each commit with a change of the incidents."""

    def keep(self) -> None:
        """Commit the places of the sources, the state and the outbox together."""
        self._watch.save()
        for source in self._sources:
            place = source.place()
            if place is not None:
                self._store.note_place(source.name, place)
        day = (self._watch.clock.closed or 0) // MINUTES_PER_DAY
        if day != self._day:
            self._day = day
            self._store.forget_sent((day - KEPT_DAYS) * MINUTES_PER_DAY)
        self._store.commit()
        self._committed = monotonic()
        self._metrics.note(self._watch)
        if self._watch.sizes != self._logged:
            self._logged = self._watch.sizes
            log.info("%s", self._watch.describe())

    async def read(self, source: OpenSource, reader: SourceReader) -> None:
        """Read a source to its end; raises SourceError."""
        async with aclosing(reader.positions()) as positions:
            async for position in positions:
                self._last_event_at = monotonic()
                if not reader.is_doubtful:  # a wrong file is refused by the next run as well
                    await source.note(position)
                self._keep_if_due(self._last_event_at)

    async def tick(self) -> None:
        """Close minutes every few seconds, and note when no events arrive."""
        while True:
            await asyncio.sleep(TICK_S)
            now = monotonic()
            self._watch.close_minutes(now)
            if now - self._last_event_at >= NOTHING_FOR_MINUTES * 60:
                self._watch.note_nothing(NOTHING_FOR_MINUTES)
            self._keep_if_due(now)

    def _names(self) -> set[tuple[str, str]]:
        return set(self._watch.open_incidents)

    def _keep_if_due(self, now: float) -> None:
        names = self._names() if self._incidents != self._watch.open_incidents.keys() else self._incidents
        if names is not self._incidents or now - self._committed >= COMMIT_S:
            self._incidents = names
            self.keep()
            self.notify()


async def watch_sources(settings: RunSettings, receivers: Sequence[Receiver], stop: asyncio.Event) -> Watch:
    """Watch until all sources have ended or ``stop`` is set.

    Raises:
        AlertsError: the state cannot be used.
        SourceError: a source cannot be read; the events before that are kept.

    """
    registry = CollectorRegistry()
    metrics = WatchMetrics(registry)
    with Store(settings.state) as store:
        watch = Watch(settings.watch, store, live_since=int(time()) // 60, now=monotonic())
        sources = open_sources(settings.sources, store, settings.opening)
        runner = Runner(store, watch, sources, metrics)
        outbox = Outbox(store, receivers, runner.keep, metrics.note_sent)
        runner.notify = outbox.notify
        with serving_metrics(registry, settings.metrics_port):
            ticking, sending = asyncio.create_task(runner.tick()), asyncio.create_task(outbox.run())
            readers = [SourceReader(source, watch) for source in sources]
            reads = [runner.read(source, reader) for source, reader in zip(sources, readers, strict=True)]
            try:
                await _read_all(sources, reads, [ticking, sending], stop)
            finally:
                ticking.cancel()
                runner.keep()
                outbox.close()
                await sending
    return watch


async def _read_all(
    sources: Sequence[OpenSource],
    reads: Sequence[Coroutine[None, None, None]],
    beside: Sequence[asyncio.Task[None]],
    stop: asyncio.Event,
) -> None:
    """Read all sources to their end, or until ``stop`` is set or one of the tasks ``beside`` fails.

    Raises:
        AlertsError: the state cannot be stored.
        SourceError: a source cannot be read; the others were stopped.
        Exception: the error of a task ``beside``.

    """
    reading = [asyncio.create_task(each) for each in reads]
    stopping = asyncio.create_task(stop.wait())
    try:
        while not stopping.done() and any(not task.done() for task in reading):
            tasks: list[asyncio.Task[object]] = [*reading, *beside, stopping]
            done, _ = await asyncio.wait(
                [task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED
            )
            if any(task.exception() is not None for task in done):
                break
    finally:
        for task in (*reading, stopping):
            task.cancel()
        results = await asyncio.gather(*reading, return_exceptions=True)
        for source in sources:
            await source.source.close()
    failed = [task.exception() for task in beside if task.done() and not task.cancelled()]
    for result in (*results, *failed):
        if isinstance(result, Exception):
            raise result


def run(settings: RunSettings, receivers: Sequence[Receiver]) -> int:
    """Run the command; returns the exit status."""

    async def until_signalled() -> Watch:
        stop = asyncio.Event()
        with on_signals(stop.set):
            try:
                return await watch_sources(settings, receivers, stop)
            finally:
                await close_receivers(receivers)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            watch = runner.run(until_signalled())
    except AlertsError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return exc.exit_status
    except MetricsPortError as exc:
        sys.stderr.write(f"revertrisk: metrics-port: {exc}\n")
        return EXIT_CONFIGURATION
    except SourceError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_BROKEN
    except sqlite3.Error as exc:
        sys.stderr.write(f"revertrisk: state: {settings.state}: {exc}\n")
        return EXIT_BROKEN
    counters = watch.counters
    log.info(
        "%s events, %s unreadable, %s late, %s series watched",
        f"{counters.events:,}",
        f"{counters.unreadable:,}",
        f"{counters.late:,}",
        f"{len(watch.banks):,}",
    )
    if watch.not_sent:
        was = "is" if watch.not_sent == 1 else "are"
        log.info(
            "%s before the first start %s not sent; `revertrisk surge replay` lists the incidents in files and topics",
            counted(watch.not_sent, "incident"),
            was,
        )
    return EXIT_DONE
