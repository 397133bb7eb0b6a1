"""One connection of the HTTP client: made to a host, then a request out and its whole answer in, again and again.

Parsing is httptools' (llhttp, as in Node); `http_client.py` says which connection a request gets.
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
"""A connection that was idle for longer is not used again: Node.js (EventGate) and Apache (MediaWiki) close theirs
after 5 s, and a request that meets the closing fails."""
HEAD_START_S = 0.25
"""What an address has before the next one is tried as well: RFC 8305 recommends it, and curl and aiohttp are alike."""
GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
NO_BODY = (204, 304)
MAX_FRAMING_BYTES = 2**20
"""Of an answer, what is not its body: heads, trailers, chunk sizes. A long line is copied with each piece of it."""
FIRST_FINAL = 200
"""Statuses below it come before the answer (100 Continue, 103 Early Hints)."""


class HttpError(Exception):
    """No answer came; the message holds nothing of the exchange."""


class ConnectError(HttpError):
    """No connection could be made, so nothing was sent."""


class ConnectionBrokenError(HttpError):
    """The connection failed before the answer was complete; the other side may have acted on the request."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; header names are in lower case, and of a repeated header the last one counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def open_socket(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to one of the host's addresses, of which some may be dead.

    A dead address often refuses nothing: it swallows packets, and who waits for it waits for minutes. So the next
    address is tried beside it after a moment, and the first one that answers is taken (RFC 8305, "Happy Eyeballs").

    If it is cancelled, no socket stays open.

    Raises:
        OSError, UnicodeError: there is no such host, or none of its addresses takes the connection.
        RuntimeError: uvloop's, in place of some of them.

    """
    addresses = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - an event loop runs a coroutine in one
    cancellations = task.cancelling()
    connected = await start_connection(addresses, happy_eyeballs_delay=HEAD_START_S)
    # While it ends the tries that are left over, it drops a cancellation.
    if task.cancelling() > cancellations:
        connected.close()
        raise asyncio.CancelledError
    return connected


class Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, forget: "Callable[[Connection], None]", max_body_bytes: int) -> None:
        """``forget`` is called when the connection ends, once or more often."""
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
        """Whether it can be used again after it has been idle."""
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
        timer = self._loop.call_at(deadline, self._expire)  # a third of what asyncio.timeout_at costs
        try:
            return await waiting
        finally:
            timer.cancel()
            if self._waiting is not None:  # no whole answer: late data is discarded
                self._waiting = None
                self.close()
            self.idle_since = self._loop.time()
            del waiting  # its exception holds this frame: together they would wait for the garbage collector

    def _expire(self) -> None:
        self._fail(TimeoutError("the deadline has passed"))

    def close(self) -> None:
        """Close at once; a request under way fails."""
        self.is_open = False
        self._forget(self)
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        """Parse what has come of an answer; without a request under way, close."""
        if self._waiting is None:  # no request is under way
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
        """Take note that the other side sends no more."""
        self.is_open = False  # it ends a turn later, and must not be taken until then

    def connection_lost(self, exc: Exception | None) -> None:
        """End with the connection."""
        # An answer without a length ends with its connection (RFC 9112, 6.3): a clean end completes it, and an error
        # cuts it short. Any other answer under way is incomplete, and its request may have been acted on.
        self.is_open = False
        self._forget(self)
        if self._ends_with_connection and exc is None:
            self._finish()
        else:
            self._fail(ConnectionBrokenError("the connection was closed"))
        del self._parser  # it knows this connection: together they would wait for the garbage collector

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Begin to receive an answer."""
        if self._waiting is None:  # a second answer to one request: whose is what would come next?
            self.close()
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Find out whether the answer ends with its connection."""
        headers, status = self._headers, self._parser.get_status_code()
        self._ends_with_connection = (
            "content-length" not in headers
            and "chunked" not in headers.get("transfer-encoding", "").lower()
            and status >= FIRST_FINAL
            and status not in NO_BODY
        )

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._body.append(data)
        self._framing -= len(data)

    def on_message_complete(self) -> None:
        """Hand the answer over, unless it only precedes the answer."""
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
                waiting.set_exception(ConnectionBrokenError("the answer is not compressed as it says"))
                return
        waiting.set_result(Response(self._parser.get_status_code(), self._headers, body))

    def _fail(self, error: Exception) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(error)


def _decompress(body: bytes, max_bytes: int) -> bytes:
    """Decompress gzip or deflate.

    Raises:
        zlib.error: it is neither, cut short or too large.

    """
    decompressor = zlib.decompressobj(GZIP_OR_ZLIB)
    text = decompressor.decompress(body, max_bytes)
    if not decompressor.eof:
        raise zlib.error
    return text
