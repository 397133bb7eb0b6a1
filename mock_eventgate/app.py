"""The mock EventGate as an aiohttp application: builds its parts, routes and server."""

import sys
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

import uvloop
from aiohttp import web

from mock_eventgate.canaries import CanaryRoutes
from mock_eventgate.eventstreams import EventStreams
from mock_eventgate.faults import GateFault, fault_reader
from mock_eventgate.gate import Gate
from mock_eventgate.intake import Intake
from mock_eventgate.live_page import LivePage, check_diff_base
from mock_eventgate.readback import Readback
from mock_eventgate.reader import EventIds
from mock_eventgate.service import STREAM_PREFIX, GateService, gate_middleware
from mock_eventgate.store import EventStore
from mock_eventgate.streams import StreamConfigs
from mock_eventgate.verdicts import GateJudge
from revertrisk.event_platform.schemas import SchemaRepository
from revertrisk.mock_server.faults import FaultBoard, FaultRoutes
from revertrisk.mock_server.http import MOCK_PREFIX
from revertrisk.page_parts.reasons import Reasons
from revertrisk.runtime.logs import configure_logging_from_environment
from revertrisk.runtime.web_server import serve_until_signal, serving_app


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a mock EventGate; sizes are in bytes, times in seconds.

    ``max_body`` is EventGate's limit for a request (its own default is 100 kB; Wikimedia's production sets
    10 MB), ``max_message_bytes`` Kafka's limit for one event. ``max_events`` and ``max_stored_bytes`` limit what
    is kept for reading back.

    ``event_ids`` is the content of the event ids of ``/v2/stream/…``: with ``offset`` a client that resumes loses
    nothing, ``timestamp`` is what Wikimedia's EventStreams sends. After ``keep_alive`` without events a comment is
    written there; after ``max_stream_seconds`` the response ends.

    ``diff_base`` is the address of a mock MediaWiki whose diff pages the live page links to; without it titles
    link to the wiki that the event names. ``explain_by`` maps a model to the address of the server that explains
    its scores on the live page.

    Raises:
        ValueError: a size, a number or a time is not positive, ``event_ids`` is neither value, or ``diff_base`` is
            not an address.

    """

    stream_config: Path | None = None
    max_body: int = 100 * 1024
    max_message_bytes: int = 1_048_588
    datacentre: str = "eqiad"
    max_events: int = 100_000
    max_stored_bytes: int = 256 * 1024 * 1024
    event_ids: EventIds = "offset"
    keep_alive: float = 15.0
    max_stream_seconds: float | None = None
    diff_base: str | None = None
    explain_by: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = ("max_body", "max_message_bytes", "max_events", "max_stored_bytes", "keep_alive")
        for name in (*numbers, "max_stream_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}: expected a positive number, not {value}")
        if self.event_ids not in get_args(EventIds):
            raise ValueError(f"event_ids: expected offset or timestamp, not {self.event_ids!r}")
        if self.diff_base is not None:
            check_diff_base(self.diff_base)


def create_app(options: Options | None = None) -> web.Application:
    """Return a new application with its own events and counts.

    It reads compressed bodies itself, so its server needs ``auto_decompress=False``. It has requests that last
    until the client disconnects, so its server needs ``handler_cancellation=True``. `listening` sets both.

    Raises:
        StreamConfigError: the stream configuration file cannot be used.

    """
    options = options or Options()
    streams = StreamConfigs.load(options.stream_config) if options.stream_config else StreamConfigs.default()
    schemas = SchemaRepository()
    judge = GateJudge(schemas, streams, max_message_bytes=options.max_message_bytes, now=_now)

    def new_store() -> EventStore:
        return EventStore(
            datacentre=options.datacentre,
            max_events=options.max_events,
            max_bytes=options.max_stored_bytes,
        )

    gate = Gate(judge, streams, new_store, _now)
    # 0 is no limit: the intake has its own, and answers as EventGate does.
    app = web.Application(middlewares=[gate_middleware(gate)], client_max_size=0)
    _add_routes(app, gate, schemas, options)
    return app


def _add_routes(app: web.Application, gate: Gate, schemas: SchemaRepository, options: Options) -> None:
    board = FaultBoard[GateFault]()
    intake = Intake(gate, board, max_body=options.max_body)
    service, readback = GateService(gate), Readback(gate, board)
    reasons = Reasons(options.explain_by)
    app.cleanup_ctx.append(reasons.open)
    page = LivePage(
        gate,
        diff_base=options.diff_base,
        reasons=reasons,
        index_for_programs=readback.index,
    )
    fault_routes = FaultRoutes(board, fault_reader(gate.streams.published()))
    canaries = CanaryRoutes(gate, schemas)
    eventstreams = EventStreams(
        gate,
        event_ids=options.event_ids,
        keep_alive=options.keep_alive,
        max_seconds=options.max_stream_seconds,
    )

    async def end_open_requests(_app: web.Application) -> None:
        board.replace([])
        eventstreams.close()

    app.on_shutdown.append(end_open_requests)
    for method, path, handler in (
        ("POST", "/v1/events", intake.post_events),
        ("GET", "/v1/_test/events", intake.produce_test_events),
        ("GET", "/v1/stream-configs", service.stream_configs),
        ("GET", "/v1/stream-configs/{names}", service.stream_configs),
        ("GET", "/_info", service.info),
        ("GET", "/_info/{field}", service.info),
        ("GET", "/robots.txt", service.robots),
        ("GET", f"{STREAM_PREFIX}/{{streams}}", eventstreams.stream),
        ("GET", f"{MOCK_PREFIX}/faults", fault_routes.show),
        ("PUT", f"{MOCK_PREFIX}/faults", fault_routes.replace),
        ("POST", f"{MOCK_PREFIX}/faults", fault_routes.add),
        ("DELETE", f"{MOCK_PREFIX}/faults", fault_routes.clear),
        ("POST", f"{MOCK_PREFIX}/canaries", canaries.produce),
        ("GET", f"{MOCK_PREFIX}/events", readback.events),
        ("DELETE", f"{MOCK_PREFIX}/events", readback.reset),
        ("GET", f"{MOCK_PREFIX}/refused", readback.refused),
        ("GET", f"{MOCK_PREFIX}/stats", readback.stats),
        ("GET", f"{MOCK_PREFIX}/live", page.live),
        ("GET", f"{MOCK_PREFIX}/reasons", reasons.answer),
        ("PUT", f"{MOCK_PREFIX}/explainers", page.replace_explainers),
        ("GET", f"{MOCK_PREFIX}/page/{{name}}", page.file),
        ("GET", MOCK_PREFIX, page.index),
        ("GET", "", service.root),
    ):
        # Express accepts every path with and without a slash at its end, and HEAD where it accepts GET.
        for spelling in (path, f"{path}/") if path else ("/",):
            for verb in ("GET", "HEAD") if method == "GET" else (method,):
                app.router.add_route(verb, spelling, handler)


def listening(
    host: str = "127.0.0.1", port: int = 0, options: Options | None = None
) -> AbstractAsyncContextManager[str]:
    """Serve a new mock EventGate while the context is open, and yield its base URL.

    Port 0 takes a free port.

    Raises:
        OSError: the address cannot be listened on.
        ValueError: the port is not a port number.

    """
    return serving_app(create_app(options), host, port, guarded=MOCK_PREFIX, auto_decompress=False)


def run(host: str, port: int, options: Options) -> None:
    """Serve until SIGTERM or SIGINT; print the address on stdout once connections are accepted.

    Raises:
        StreamConfigError: the stream configuration file cannot be used. It is a ValueError.
        ValueError: the port is not a port number.
        OSError: the address cannot be listened on.

    """
    configure_logging_from_environment("WARNING", sys.stderr)
    uvloop.run(serve_until_signal("mock EventGate", listening(host, port, options)))


def _now() -> datetime:
    return datetime.now(UTC)
