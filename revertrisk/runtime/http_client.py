"""A lean HTTP/1.1 client for requests that are made thousands of times a second to a few hosts.

It stands where aiohttp's client would, which spends several times the CPU on a small POST (`make bench` prints
both). What it does is little: kept connections in a pool for each origin, one request at a time on each, one limit
in time for the whole exchange; parsing is httptools' (llhttp, as in Node), TLS is asyncio's. It follows no
redirect, keeps no cookie and reads no proxy from the environment.
`tests/unit/runtime/test_http_answers.py` holds it to aiohttp's answers.
"""

import asyncio
import ssl
import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import NamedTuple, Self, cast
from urllib.parse import urlsplit

import httptools

from revertrisk.runtime.connecting import open_socket

KEEP_ALIVE_SECONDS = 60.0
"""A connection that was idle for longer is not used again; most servers have closed it by then."""
PORTS = {"http": 80, "https": 443}
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


class Origin(NamedTuple):
    """Where requests go."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Read the origin of an ``http`` or ``https`` URL; raises ValueError."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL with a host")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """What the ``Host`` header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


def request_head(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Write the head of a request; raises ValueError if a value could end its line."""
    request_line = _line(f"{method} {target} HTTP/1.1")
    return f"{request_line}{header_lines(headers)}\r\n".encode("latin-1")


def header_lines(headers: Mapping[str, str]) -> str:
    """Write headers, a line each; raises ValueError if a value could end its line."""
    return "".join([_line(f"{name}: {value}") for name, value in headers.items()])


def _line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("a header's value must be on one line")
    return f"{text}\r\n"


class HttpClient:
    """Sends requests over kept connections, which are closed at the end of its context."""

    def __init__(self, *, tls: ssl.SSLContext, connections_per_origin: int, max_body_bytes: int) -> None:
        """Take an answer of more than ``max_body_bytes``, compressed or not, for a broken one; its head counts too."""
        self._tls = tls
        self._limit = connections_per_origin
        self._max_body_bytes = max_body_bytes
        self._pools: dict[Origin, _Pool] = {}
        self._closed = asyncio.Event()

    async def send(
        self,
        origin: Origin,
        message: bytes,
        timeout: float,  # noqa: ASYNC109 - for all of it
        *,
        fresh: bool = False,
    ) -> Response:
        """Send a whole request, head and body, and return the whole answer, within ``timeout`` seconds.

        It is sent once: a kept connection that the other side closes at the same moment is a broken one, since
        there is no way to know whether it has read the request. With ``fresh`` no kept connection is used: for a
        second try, since all of them may lead to a host that has gone. Raises TimeoutError, :class:`ConnectError`
        and :class:`ConnectionBrokenError`.
        """
        deadline = asyncio.get_running_loop().time() + timeout
        pool = self._pools.get(origin)
        if pool is None:
            pool = self._pools[origin] = _Pool(self._limit)
        await pool.enter(deadline)
        try:
            if fresh:
                pool.close_oldest_idle()
                connection = await self._connect(pool, origin, deadline)
            else:
                connection = pool.take_idle() or await self._connect(pool, origin, deadline)
            began = asyncio.get_running_loop().time()
            try:
                return await connection.exchange(message, deadline)
            except (TimeoutError, ConnectionBrokenError):
                pool.close_unused_since(began)
                raise
            finally:
                pool.give_back(connection)
        finally:
            pool.leave()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection, and make no other: whoever still waits for an answer or for a connection is told."""
        self._closed.set()
        for pool in self._pools.values():
            for connection in tuple(pool.connections):
                connection.close()

    async def _connect(self, pool: "_Pool", origin: Origin, deadline: float) -> "_Connection":
        loop = asyncio.get_running_loop()
        connection: _Connection
        tls, name = (self._tls, origin.host) if origin.scheme == "https" else (None, None)
        if self._closed.is_set():
            raise ConnectError("the client is closed")
        async with asyncio.timeout_at(deadline):
            try:
                # The event loop has the socket from here on, and closes it where it fails.
                _, connection = await loop.create_connection(
                    lambda: _Connection(pool, self._max_body_bytes),
                    sock=await open_socket(origin.host, origin.port),
                    ssl=tls,
                    server_hostname=name,
                )
            # Refused, no such host, no route, a certificate that does not fit.
            except (OSError, RuntimeError, UnicodeError):
                raise ConnectError("could not connect") from None
        if self._closed.is_set():  # meanwhile
            connection.close()
            raise ConnectError("the client is closed")
        # Only now: of one whose making is cancelled, uvloop tells no end.
        pool.connections.add(connection)
        return connection


class _Pool:
    """The connections to one origin, and the places of those who may use one."""

    def __init__(self, limit: int) -> None:
        self.connections: set[_Connection] = set()
        self._idle: deque[_Connection] = deque()
        self._places = asyncio.Semaphore(limit)

    async def enter(self, deadline: float) -> None:
        """Take a place, first come first served; raises TimeoutError."""
        if self._places.locked():
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        else:
            await self._places.acquire()

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()

    def take_idle(self) -> "_Connection | None":
        """Take the connection that was used last, so that surplus ones age until the other side closes them."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_young:
                return connection
            connection.close()
        return None

    def close_oldest_idle(self) -> None:
        """Make room for a new connection, so that there are never more than allowed."""
        if self._idle:
            self._idle[0].close()

    def close_unused_since(self, time: float) -> None:
        """Close what was last used before a time (event loop time): it may lead to a host that has gone."""
        for connection in [connection for connection in self._idle if connection.idle_since < time]:
            connection.close()

    def give_back(self, connection: "_Connection") -> None:
        """Keep a connection for the next request, if it is as good as new."""
        if connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: "_Connection") -> None:
        """Take a connection out that ends."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)


class _Connection(asyncio.Protocol):
    """One connection, with at most one request under way."""

    def __init__(self, pool: _Pool, max_body_bytes: int) -> None:
        self._pool = pool
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
        return self.is_open and self._loop.time() - self.idle_since < KEEP_ALIVE_SECONDS

    async def exchange(self, message: bytes, deadline: float) -> Response:
        """Send a request and wait for its answer until the deadline (event loop time, seconds)."""
        if not self.is_open:
            raise ConnectError("the connection was closed before it was used")
        self._ends_with_connection = False
        self._size = self._framing = 0
        waiting: asyncio.Future[Response] = self._loop.create_future()
        self._waiting = waiting
        self._transport.write(message)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting
        finally:
            if self._waiting is not None:  # no whole answer: whatever still comes is nobody's
                self._waiting = None
                self.close()
            self.idle_since = self._loop.time()
            del waiting  # its exception holds this frame: together they would wait for the garbage collector

    def close(self) -> None:
        """Close at once; a request under way fails."""
        self.is_open = False
        self._pool.forget(self)
        self._transport.abort()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no such class
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        if self._waiting is None:  # nobody asked
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
        self.is_open = False  # its end comes a turn later, and until then nobody shall take it

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        self._pool.forget(self)
        if self._ends_with_connection and exc is None:
            self._finish()
        else:
            self._fail(ConnectionBrokenError("the connection was closed"))
        del self._parser  # it knows this connection: together they would wait for the garbage collector

    # What the parser calls.

    def on_message_begin(self) -> None:
        if self._waiting is None:  # a second answer to one request: whose is what would come next?
            self.close()
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        headers, status = self._headers, self._parser.get_status_code()
        self._ends_with_connection = (
            "content-length" not in headers
            and "chunked" not in headers.get("transfer-encoding", "").lower()
            and status >= FIRST_FINAL
            and status not in NO_BODY
        )

    def on_body(self, data: bytes) -> None:
        self._body.append(data)
        self._framing -= len(data)

    def on_message_complete(self) -> None:
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
    """Decompress gzip or deflate; raises zlib.error, also for what is cut short or too large."""
    decompressor = zlib.decompressobj(GZIP_OR_ZLIB)
    text = decompressor.decompress(body, max_bytes)
    if not decompressor.eof:
        raise zlib.error
    return text
