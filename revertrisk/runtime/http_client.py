"""A small HTTP/1.1 client for thousands of requests a second to a few hosts.

It replaces aiohttp's client, which takes several times the CPU time for a small POST (`make bench` prints both). It
keeps connections in a pool for each origin, sends one request at a time on each, and has one timeout for the whole
exchange; TLS is asyncio's. It follows no redirect, keeps no cookie and reads no proxy from the environment. Callers
pass a body to an endpoint; only this module and `http_connection.py` write HTTP.
`tests/unit/runtime/test_http_answers.py` compares its answers with aiohttp's.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Protocol, Self
from urllib.parse import urlsplit

from revertrisk.runtime.http_connection import (
    ConnectError,
    Connection,
    ConnectionBrokenError,
    Response,
    open_socket,
)

PORTS = {"http": 80, "https": 443}


class Origin(NamedTuple):
    """The scheme, host and port of requests."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Read the origin of an ``http`` or ``https`` URL.

        Raises:
            ValueError: it is not an http or https URL.

        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL with a host")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """The ``Host`` header: with the port only if it is not the scheme's default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Endpoint(Protocol):
    """Sends requests of one kind to one URL."""

    async def send(
        self,
        body: bytes | None = None,
        *,
        query: str = "",
        timeout: float,  # noqa: ASYNC109 - for all of it
        fresh: bool = False,
    ) -> Response:
        """Send a request, and return its whole answer, within ``timeout`` seconds.

        ``query`` is already encoded, and is appended to the query of the URL.

        The request is sent once. If the other side closes a kept connection at the same moment, the request fails,
        since it may have been read. With ``fresh`` it uses a new connection: this is for a second try, since all kept
        connections can lead to a host that no longer exists.

        Raises:
            TimeoutError: the answer was not complete in time.
            ConnectError: nothing was sent.
            ConnectionBrokenError: the other side may have acted on the request.
            ValueError: the query contains a line break.

        """


class HttpEndpoint:
    """An :class:`Endpoint` of a client. It prepares everything of a request except the body and the query."""

    def __init__(
        self,
        exchange: Callable[[Origin, bytes, float, bool], Coroutine[Any, Any, Response]],
        method: str,
        url: str,
        headers: Mapping[str, str],
    ) -> None:
        self._exchange = exchange
        self._origin = Origin.of(url)
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._start = _one_line(f"{method} {target}")
        self._before_query = "&" if parts.query else "?"
        lines = [f"{name}: {value}" for name, value in {"Host": self._origin.authority, **headers}.items()]
        self._end = "".join(f"{_one_line(line)}\r\n" for line in (" HTTP/1.1", *lines))
        self._head = f"{self._start}{self._end}".encode("latin-1")

    def send(
        self, body: bytes | None = None, *, query: str = "", timeout: float, fresh: bool = False
    ) -> Coroutine[Any, Any, Response]:
        """Send a request, and return its whole answer."""
        head = self._head
        if query:
            head = f"{self._start}{self._before_query}{_one_line(query)}{self._end}".encode("latin-1")
        rest = b"\r\n" if body is None else b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        return self._exchange(self._origin, head + rest, timeout, fresh)


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise ValueError("a target and a header must each be on one line")
    return text


class HttpClient:
    """Sends requests over kept connections, which are closed at the end of its context."""

    def __init__(self, *, tls: ssl.SSLContext, connections_per_origin: int, max_body_bytes: int) -> None:
        """Take the limits; ``max_body_bytes`` limits an answer with its head, both compressed and decompressed."""
        self._tls = tls
        self._limit = connections_per_origin
        self._max_body_bytes = max_body_bytes
        self._pools: dict[Origin, _Pool] = {}
        self._closed = asyncio.Event()

    def endpoint(self, method: str, url: str, headers: Mapping[str, str]) -> "HttpEndpoint":
        """Return an endpoint for requests of one kind; ``Host`` is the URL's, unless the headers have another.

        Raises:
            ValueError: the URL is not http or https, or a header contains a line break.

        """
        return HttpEndpoint(self._exchange, method, url, headers)

    async def _exchange(self, origin: Origin, message: bytes, seconds: float, fresh: bool) -> Response:
        """Send a whole request, and return the whole answer, as :meth:`Endpoint.send` describes."""
        deadline = asyncio.get_running_loop().time() + seconds
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
                pool.release(connection)
        finally:
            pool.leave()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection and open no other; requests that wait for an answer or a connection fail."""
        self._closed.set()
        for pool in self._pools.values():
            for connection in tuple(pool.connections):
                connection.close()

    async def _connect(self, pool: "_Pool", origin: Origin, deadline: float) -> Connection:
        loop = asyncio.get_running_loop()
        connection: Connection
        tls, name = (self._tls, origin.host) if origin.scheme == "https" else (None, None)
        if self._closed.is_set():
            raise ConnectError("the client is closed")
        async with asyncio.timeout_at(deadline):
            try:
                # The event loop owns the socket from here, and closes it on failure.
                _, connection = await loop.create_connection(
                    lambda: Connection(pool.forget, self._max_body_bytes),
                    sock=await open_socket(origin.host, origin.port),
                    ssl=tls,
                    server_hostname=name,
                )
            # Connection refused, unknown host, no route, certificate mismatch.
            except (OSError, RuntimeError, UnicodeError):
                raise ConnectError("could not connect") from None
        if self._closed.is_set():  # it was closed meanwhile
            connection.close()
            raise ConnectError("the client is closed")
        # It is added only now: uvloop does not report the end of a connection whose opening was cancelled.
        pool.connections.add(connection)
        return connection


class _Pool:
    """The connections to one origin, and a semaphore that limits the requests on them."""

    def __init__(self, limit: int) -> None:
        self.connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._places = asyncio.Semaphore(limit)

    async def enter(self, deadline: float) -> None:
        """Wait for a place; waiting requests get places in their order.

        Raises:
            TimeoutError: no place was free before the deadline.

        """
        if self._places.locked():
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        else:
            await self._places.acquire()

    def leave(self) -> None:
        """Release the place."""
        self._places.release()

    def take_idle(self) -> Connection | None:
        """Return the connection that was used last, or None; so surplus ones stay idle until they are closed."""
        while self._idle:
            connection = self._idle.pop()
            if connection.is_young:
                return connection
            connection.close()
        return None

    def close_oldest_idle(self) -> None:
        """Close the oldest idle connection, so that a new one does not exceed the limit."""
        if self._idle:
            self._idle[0].close()

    def close_unused_since(self, time: float) -> None:
        """Close idle connections last used before a time (event loop time): their host may no longer exist."""
        for connection in [connection for connection in self._idle if connection.idle_since < time]:
            connection.close()

    def release(self, connection: Connection) -> None:
        """Keep a connection for the next request, or close it if it cannot be reused."""
        if connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: Connection) -> None:
        """Remove a connection that has ended."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
