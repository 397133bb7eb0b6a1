"""``revertrisk dashboard``: serves the page from streams and a lake, until a signal arrives."""

import asyncio
import logging
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import uvloop
from aiohttp import hdrs, web

from revertrisk.dashboard.charts import Charts, check_lake
from revertrisk.dashboard.feed import Feed, Links
from revertrisk.dashboard.freshness import SILENT_AFTER_S, Arrivals
from revertrisk.dashboard.open_edits import OpenEdits
from revertrisk.dashboard.reading import read_until
from revertrisk.dashboard.surges import Surges, SurgesError
from revertrisk.dashboard.thresholds import Thresholds
from revertrisk.lake.errors import (
    EXIT_CONFIGURATION,
    EXIT_DONE,
    EXIT_FOUND_WRONG,
    EXIT_USAGE,
    LakeConfigurationError,
    LakeError,
)
from revertrisk.page_parts import PageFiles
from revertrisk.page_parts.reasons import Reasons
from revertrisk.runtime.signals import on_signals
from revertrisk.runtime.web_server import json_answer, serving_app
from revertrisk.streams.base import SourceError
from revertrisk.streams.opening import SourceNameError, SourceSettings, open_source
from revertrisk.wiki.table import WikiTable

log = logging.getLogger(__name__)

DEFAULT_PORT: Final = 8194
DEFAULT_HOURS: Final = 24.0
PROGRAM: Final = "revertrisk-dashboard"


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardSettings:
    """What the command's flags say."""

    sources: tuple[str, ...]
    lake: str | None = None
    """The lake's folder or address; without one the page has no charts."""
    surges: Path | None = None
    """The state file of ``revertrisk surge run``."""
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    thresholds: Thresholds = field(default_factory=Thresholds)
    hours: float = DEFAULT_HOURS
    """For how long an edit is listed, and how far back the streams are read at the start."""
    silent_after: float = SILENT_AFTER_S
    """The time in seconds without an event after which the page says so."""
    explain_by: Mapping[str, str] = field(default_factory=dict)
    """By model name: the address of the server that explains its scores."""
    diff_base: str | None = None
    messages: Path | None = None
    """A file with translated messages."""
    wikis_file: Path | None = None
    kafka: tuple[str, ...] = ()
    datacentres: tuple[str, ...] = ()


def create_app(
    edits: OpenEdits, settings: DashboardSettings, wikis: WikiTable, surges: Surges, arrivals: Arrivals
) -> web.Application:
    """Return the web application; the caller updates ``edits``, ``surges`` and ``arrivals``."""
    app = web.Application()
    page = PageFiles("revertrisk.dashboard", "page", settings.messages)
    reasons = Reasons(settings.explain_by)
    app.cleanup_ctx.append(reasons.open)
    links = Links(wikis, settings.diff_base)
    feed = Feed(
        edits, settings.thresholds, links, surges, arrivals, models_with_reasons=lambda: reasons.models
    )

    async def index(_request: web.Request) -> web.StreamResponse:
        return page.index()

    async def health(_request: web.Request) -> web.StreamResponse:
        return json_answer({"status": "ok"}, headers={hdrs.CACHE_CONTROL: "no-store"})

    async def end_streams(_app: web.Application) -> None:
        feed.close()

    charts = Charts(settings.lake, settings.thresholds, wikis, surges)
    app.cleanup_ctx.append(charts.open)
    app.on_shutdown.append(end_streams)
    for path, handler in (
        ("/", index),
        ("/page/{name}", page.file),
        ("/feed", feed.stream),
        ("/reasons", reasons.answer),
        ("/charts", charts.choices),
        ("/charts/{name}", charts.chart),
        ("/healthz", health),
    ):
        app.router.add_get(path, handler)
    return app


async def serve(settings: DashboardSettings, stop: asyncio.Event) -> None:
    """Serve the page until ``stop`` is set; print its address when it accepts connections.

    Raises:
        LakeError: the lake cannot be read.
        OSError: the address cannot be listened on.
        SourceError: a source failed.
        SourceNameError: a source cannot be opened.
        SurgesError: the state file of the surges cannot be read.
        ValueError: the port is not a valid port number, or the wiki table cannot be used.

    """
    wikis = WikiTable.load(settings.wikis_file)
    _check_lake(settings.lake)
    surges = Surges(settings.surges)
    surges.refresh()
    edits = OpenEdits(wikis, settings.thresholds.of, hours=settings.hours)
    arrivals = Arrivals(settings.silent_after)
    opening = SourceSettings(
        kafka=settings.kafka,
        datacentres=settings.datacentres,
        since=datetime.now(UTC) - timedelta(hours=settings.hours),
        program=PROGRAM,
        on_connection=arrivals.note_connection,
    )
    sources = [open_source(written, None, opening) for written in settings.sources]
    arrivals.expect(source.name for source in sources)
    async with AsyncExitStack() as stack:
        for source in sources:
            stack.push_async_callback(source.source.close)
        app = create_app(edits, settings, wikis, surges, arrivals)
        url = await stack.enter_async_context(serving_app(app, settings.host, settings.port))
        print(f"dashboard listening on {url}", flush=True)  # noqa: T201 - programs that start this one wait for this line
        await read_until(stop, sources, edits, surges, arrivals)


def _check_lake(root: str | None) -> None:
    """Check the lake; one that does not exist yet is only a warning. Raises LakeError."""
    if root is None:
        return
    try:
        check_lake(root)
    except LakeConfigurationError as exc:
        if Path(root).exists() and any(Path(root).iterdir()):
            raise
        log.warning("%s; charts are shown when the lake exists", exc)


def run(settings: DashboardSettings) -> int:
    """Serve the page until a signal arrives; return the exit status."""

    async def until_signalled() -> None:
        stop = asyncio.Event()
        with on_signals(stop.set):
            await serve(settings, stop)

    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(until_signalled())
    except LakeError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return exc.exit_status
    except SourceNameError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_USAGE
    except SurgesError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_CONFIGURATION
    except SourceError as exc:
        sys.stderr.write(f"revertrisk: {exc}\n")
        return EXIT_FOUND_WRONG
    return EXIT_DONE
