"""uvicorn's HTTP protocol, with limits for each connection and without upgrades.

uvicorn limits neither the head of a request nor its trailers nor their time, keeps a silent connection forever, and
loses the body of a request that offers an upgrade (uvicorn #157, #2722; S1 to S4). A request that is refused here is
still answered by the application, which finds the refusal in the scope. So it has the same body, log line and count as
every other failure, and pipelined answers keep their order.
"""

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import httptools
import orjson
from uvicorn import Config
from uvicorn.server import ServerState

from model_server.accounting import accept_request_id
from model_server.errors import (
    HeadersTooLargeError,
    MalformedRequestError,
    MethodNotAllowedError,
    OverloadedError,
    RequestTimeoutError,
    ServiceError,
    UriTooLongError,
    failure_answer,
)
from model_server.kserve_shell.single_write import CoalescingTransport, SingleWriteProtocol
from model_server.metrics import ServerMetrics

REFUSAL = "revertrisk.refusal"
"""A key of an ASGI scope: the :class:`ServiceError` with which the request must be answered."""
SPARE_DESCRIPTORS = 64
"""Descriptors that are not for callers' connections: files, the event loop's own, and connections to upstreams."""
FIELD_BYTES = 4
"""The bytes of a header in addition to its name and value: colon, space, CR and LF."""
MAX_FIELDS = 1000
"""The most headers and trailers of one request, since each is a Python call, even if it is short."""
MAX_DISCARDED_BYTES = 2**20
"""How much is discarded after a refusal, so that a client that sends its whole request first gets the answer."""
FULL_LOG_S = 60.0
"""The minimum time between two log lines about refused connections."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of one connection, and of the number of connections."""

    head_bytes: int
    """The request line, headers and trailers of one request."""
    head_s: float
    """The time from the first byte of a head to its end; also for the rest of a body that was answered early."""
    connections: int


def max_connections() -> int:
    """Return the most connections that the process's limit of descriptors allows.

    At that limit libuv closes new connections without an answer and without a log line.
    """
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, soft - SPARE_DESCRIPTORS)


class FullServer:
    """Answers connections beyond the limit, and logs them at most once a minute."""

    def __init__(self, metrics: ServerMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._ended = metrics.requests_ended
        self._clock = clock
        self._logged_at = -FULL_LOG_S
        self._refused = 0

    def refuse(self) -> bytes:
        """Count a refused connection, and return the whole answer."""
        failure = failure_answer(OverloadedError("too many connections are open"), accept_request_id(None))
        self._ended(failure.code).inc()
        self._refused += 1
        now = self._clock()
        if now - self._logged_at >= FULL_LOG_S:
            logger.warning("Connections are refused: %d since the last such line", self._refused)
            self._logged_at, self._refused = now, 0
        content = orjson.dumps(failure.body)
        headers = {
            "content-type": "application/json",
            "content-length": str(len(content)),
            "connection": "close",
            **failure.headers,
        }
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 503 Service Unavailable\r\n{lines}\r\n".encode("latin-1") + content


class BoundedProtocol(SingleWriteProtocol):
    """uvicorn's protocol with :class:`ConnectionLimits`; an offer to upgrade is ignored (RFC 9110, 7.8)."""

    transport: CoalescingTransport  # type: ignore[assignment]  # it replaces uvicorn's transport

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limits: ConnectionLimits,
        full: FullServer,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limits = limits
        self._full = full
        self._head_bytes = 0
        """The bytes of the present message's head and trailers that the parser has reported."""
        self._fields = 0
        self._unreported = 0
        """The bytes that the parser took since its last callback: part of an incomplete line."""
        self._receives = False
        """Whether a message has started and is not complete."""
        self._refused = False
        self._discarded = 0
        self._input_timer: asyncio.TimerHandle | None = None
        """Runs while the rest of a head, or of a body that was answered early, must arrive."""

    # asyncio calls these.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start to serve a connection, or refuse it if there are too many."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.connections:
            self._refused = True
            self.transport.write(self._full.refuse())
            self.transport.lingers = True
            self.transport.close()
        else:
            self._watch_input()

    def data_received(self, data: bytes) -> None:
        """Parse data; after a refusal discard up to `MAX_DISCARDED_BYTES`, and leave the rest unread."""
        if self._refused:
            self._discarded += len(data)
            if self._discarded > MAX_DISCARDED_BYTES:
                self.flow.pause_reading()
            return
        self._unset_keepalive_if_required()
        self._unreported += len(data)
        try:
            self._feed(memoryview(data))
        except httptools.HttpParserError as error:
            # An exception in one of our callbacks is the context of the parser's own error.
            cause = error.__context__
            self._refuse(
                cause
                if isinstance(cause, ServiceError)
                else MalformedRequestError("the request is not HTTP/1.1")
            )
        except ServiceError as error:
            self._refuse(error)
        else:
            if self._unreported > self._limits.head_bytes:
                self._refuse(self._too_large())
            self._watch_input()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_input_timer()
        super().connection_lost(exc)

    # The parser calls these.

    def on_message_begin(self) -> None:
        """Start to receive a request."""
        super().on_message_begin()
        self._receives = True
        self._head_bytes = self._fields = self._unreported = 0

    def on_url(self, url: bytes) -> None:
        """Add a piece of the request's target."""
        if len(self.url) + len(url) > self._limits.head_bytes:
            raise UriTooLongError(f"the request line must be at most {self._limits.head_bytes} bytes")
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers are counted and dropped, since the application already has the request."""
        self._count(len(name) + len(value) + FIELD_BYTES)
        self._fields += 1
        if self._fields > MAX_FIELDS:
            raise HeadersTooLargeError(f"a request may have at most {MAX_FIELDS} headers and trailers")
        if not self._is_begun:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start to answer the request, unless it offers an upgrade; then it is parsed again without the offer."""
        if not self.parser.should_upgrade():
            self._stop_input_timer()
            super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Reset the count of unreported bytes: a chunk's size and extensions have ended."""
        self._unreported = 0

    def on_body(self, body: bytes) -> None:
        """Pass on a piece of the body."""
        self._unreported = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Complete a request."""
        if not self.parser.should_upgrade():
            self._receives = False
            self._stop_input_timer()
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of one that has started to arrive."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._watch_input()

    @property
    def _is_begun(self) -> bool:
        """Whether the application was called for the present message."""
        return self.cycle is not None and self.cycle.scope is self.scope

    def _feed(self, data: memoryview) -> None:
        """Feed the parser; raises its errors, and :class:`ServiceError`.

        At the end of a head that offers an upgrade the parser stops before the body, and cannot continue. So a new
        parser gets the same head without the offer, and then the rest of the data.
        """
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = data[offer.args[0] :]
                head = self._head_without_offer()
                self.parser = httptools.HttpRequestParser(self)
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn does
                self.parser.feed_data(head)
            else:
                return

    def _head_without_offer(self) -> bytes:
        method = self.parser.get_method()
        if method == b"CONNECT":
            raise MethodNotAllowedError(("GET", "HEAD", "POST"))
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (method, self.url, version)]
        lines += [b"%b: %b" % header for header in self.headers if header[0] != b"upgrade"]
        return b"\r\n".join([*lines, b"", b""])

    def _count(self, size: int) -> None:
        self._unreported = 0
        self._head_bytes += size
        if self._head_bytes > self._limits.head_bytes:
            raise self._too_large()

    def _too_large(self) -> ServiceError:
        return HeadersTooLargeError(
            f"request line, headers and trailers must be at most {self._limits.head_bytes} bytes together"
        )

    def _refuse(self, error: ServiceError) -> None:
        """Let the present request be answered with a failure, as the last one of this connection."""
        self._refused = True
        error.__traceback__ = None  # its frames hold the received data until the garbage collector runs
        self._stop_input_timer()
        self.transport.lingers = True
        if self._receives and self._is_begun:  # it is in its body or its trailers
            if self.cycle.response_complete:
                self.transport.close()
                return
        else:  # it is in its head: the application is called with the headers so far
            if not self._receives:
                super().on_message_begin()
            self.url = b"/"
            super().on_headers_complete()
            self.scope["method"] = "GET"
        cast("dict[str, Any]", self.scope)[REFUSAL] = error
        self.cycle.keep_alive = False
        self.cycle.message_event.set()

    def _watch_input(self) -> None:
        """Start the timer for the next input, if the connection waits for its client."""
        if self._refused or not (self.cycle is None or self.cycle.response_complete):
            return
        if self._receives or self._unreported:
            self._unset_keepalive_if_required()
            if self._input_timer is None:
                self._input_timer = self.loop.call_later(self._limits.head_s, self._on_late_input)
        elif self.timeout_keep_alive_task is None:
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _stop_input_timer(self) -> None:
        if self._input_timer is not None:
            self._input_timer.cancel()
            self._input_timer = None

    def _on_late_input(self) -> None:
        if self._receives and self._is_begun:  # it was answered before its whole body arrived
            self.transport.close()
        else:
            self._refuse(RequestTimeoutError("the head of the request did not arrive in time"))
