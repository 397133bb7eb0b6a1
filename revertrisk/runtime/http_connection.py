"""One connection of the HTTP client: it connects to a host, sends one request at a time, and reads whole answers.

httptools (llhttp, as in Node.js) parses them; `http_client.py` chooses the connection for a request.
"""

import asyncio
import socket
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import httptools
from aiohappyeyeballs import start_connection

KEEP_ALIVE_S = 4.0
"""A connection that was idle for longer is not used again. Node.js (EventGate) and Apache (MediaWiki) close idle
connections after 5 s, and a request at that moment fails."""
HEAD_START_S = 0.25
"""The delay before the next address is tried too: RFC 8305 recommends it; curl and aiohttp use similar values."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
NO_BODY = (204, 304)
MAX_FRAMING_BYTES = 2**20
"""The limit of an answer without its body: heads, trailers, chunk sizes. The parser copies a long line at each read."""
FIRST_FINAL = 200
"""Statuses below it are interim responses (100 Continue, 103 Early Hints)."""


class HttpError(Exception):
    """There is no answer; the message contains nothing of the exchange."""


class ConnectError(HttpError):
    """No connection could be opened, so nothing was sent."""


class ConnectionBrokenError(HttpError):
    """The connection failed before the answer was complete; the other side may have acted on the request."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names are in lower case, and a repeated header has its last value."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to one of the host's addresses, some of which may not answer.

    An address that drops packets does not refuse the connection, and waiting for it takes minutes. So the next address
    is tried concurrently after `HEAD_START_S`, and the first that answers is used (RFC 8305, "Happy Eyeballs").

    If it is cancelled, no socket stays open.

    Raises:
        OSError, UnicodeError: the host is unknown, or none of its addresses accepts the connection.
        RuntimeError: uvloop raises it instead of some of those.

    """
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - an event loop runs a coroutine in a task
    cancellations = task.cancelling()
    connected = await start_connection(addresses, happy_eyeballs_delay=HEAD_START_S)
    # start_connection can swallow a cancellation while it ends the other tries.
    if task.cancelling() > cancellations:
        connected.close()
        raise asyncio.CancelledError
    return connected


class Connection(asyncio.Protocol):
    """One connection, with at most one request in flight."""

    def __init__(self, forget: "Callable[[Connection], None]", max_body_bytes: int) -> None:
        """Take the limit of an answer; ``forget`` is called when the connection ends, once or more often."""
        self._forget = forget
        self._max_body_bytes = max_body_bytes
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._parser = httptools.HttpResponseParser(self)
        self._waiting: asyncio.Future[Response] | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._size = self._framing = 0
        self.is_open = False
        self._ends_with_connection = False
        self.idle_since = self._loop.time()

    @property
    def is_young(self) -> bool:
        """Whether it is open, and was idle for less than `KEEP_ALIVE_S`."""
        return self.is_open and self._loop.time() - self.idle_since < KEEP_ALIVE_S

    async def exchange(self, message: bytes, deadline: float) -> Response:
        """Send a request and wait for its answer until the deadline (event loop time, seconds)."""
        if not self.is_open:
            raise ConnectError("the connection was closed before it was used")
        self._ends_with_connection = False
        self._size = self._framing = 0
        waiting: asyncio.Future[Response] = self._loop.create_future()
        self._waiting = waiting
        self._transport.write(message)
        timer = self._loop.call_at(deadline, self._expire)  # takes a third of the time of asyncio.timeout_at
        try:
            return await waiting
        finally:
            timer.cancel()
            if self._waiting is not None:  # no whole answer: close, so that late data is discarded
                self._waiting = None
                self.close()
            self.idle_since = self._loop.time()
            # The exception of `waiting` refers to this frame. Without the cycle both are freed at once.
            del waiting

    def _expire(self) -> None:
        self._fail(TimeoutError("the deadline has passed"))

    def close(self) -> None:
        """Close at once; a request in flight fails."""
        self.is_open = False
        self._forget(self)
        self._transport.abort()

    # asyncio calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Store the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transport has another class
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Parse a part of an answer; without a request in flight, close."""
        if self._waiting is None:  # no request is in flight
            self.close()
            return
        self._size += len(data)
        self._framing += len(data)
        if self._size > self._max_body_bytes:
            self._fail(ConnectionBrokenError("the answer is too large"))
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(ConnectionBrokenError("the answer is not HTTP/1.1"))
        if self._framing > MAX_FRAMING_BYTES:
            self._fail(ConnectionBrokenError("the answer is too large"))

    def eof_received(self) -> None:
        """Mark the connection as closed by the other side."""
        self.is_open = (
            False  # connection_lost is called a turn later; no request may use the connection until then
        )

    def connection_lost(self, exc: Exception | None) -> None:
        """Finish the request in flight, or let it fail."""
        # The end of the connection is the end of an answer without a length (RFC 9112, 6.3), unless it ends with an
        # error. Any other answer in flight is incomplete, and the other side may have acted on its request.
        self.is_open = False
        self._forget(self)
        if self._ends_with_connection and exc is None:
            self._finish()
        else:
            self._fail(ConnectionBrokenError("the connection was closed"))
        del self._parser  # it refers to this connection: without the cycle both are freed at once

    # The parser calls these.

    def on_message_begin(self) -> None:
        """Start to receive an answer."""
        if self._waiting is None:  # a second answer to one request: later answers could not be assigned
            self.close()
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Store a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Set whether the answer ends with the connection."""
        headers, status = self._headers, self._parser.get_status_code()
        self._ends_with_connection = (
            "content-length" not in headers
            and "chunked" not in headers.get("transfer-encoding", "").lower()
            and status >= FIRST_FINAL
            and status not in NO_BODY
        )

    def on_body(self, data: bytes) -> None:
        """Store a piece of the body."""
        self._body.append(data)
        self._framing -= len(data)

    def on_message_complete(self) -> None:
        """Complete the answer, unless it is an interim response."""
        if self._parser.get_status_code() >= FIRST_FINAL:
            self._finish()

    def _finish(self) -> None:
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        self._waiting = None
        if not self._parser.should_keep_alive():
            self.close()
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        if body and self._headers.get("content-encoding", "identity").lower() != "identity":
            try:
                body = _decompress(body, self._max_body_bytes)
            except zlib.error:
                waiting.set_exception(ConnectionBrokenError("the answer cannot be decompressed"))
                return
        waiting.set_result(Response(self._parser.get_status_code(), self._headers, body))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


def _decompress(body: bytes, max_bytes: int) -> bytes:
    """Decompress gzip or deflate.

    Raises:
        zlib.error: it is neither, incomplete or too large.

    """
    decompressor = zlib.decompressobj(GZIP_OR_ZLIB)
    text = decompressor.decompress(body, max_bytes)
    if not decompressor.eof:
        raise zlib.error
    return text
