"""A lean HTTP/1.1 client for requests that are made thousands of times a second to a few hosts.

It stands where aiohttp's client would, which spends several times the CPU on a small POST (`make bench` prints
both). What it does is little: kept connections in a pool for each origin, one request at a time on each, one limit
in time for the whole exchange; TLS is asyncio's. It follows no redirect, keeps no cookie and reads no proxy from the
environment. A caller names an endpoint and hands over a body: HTTP is spelled here alone.
`tests/unit/runtime/test_http_answers.py` holds it to aiohttp's answers.
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
    """Where requests go."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> Self:
        """Read the origin of an ``http`` or ``https`` URL.

        Raises:
            ValueError: the URL is none of these.

        """
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("expected an http or https URL with a host")
        return cls(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme])

    @property
    def authority(self) -> str:
        """What the ``Host`` header says: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == PORTS[self.scheme] else f"{host}:{self.port}"


class Endpoint(Protocol):
    """Where requests of one kind go."""

    async def send(
        self,
        body: bytes | None = None,
        *,
        query: str = "",
        timeout: float,  # noqa: ASYNC109 - for all of it
        fresh: bool = False,
    ) -> Response:
        """Send a request, and return its whole answer, within ``timeout`` seconds.

        ``query`` is encoded already, and is added to what the URL has of it.

        It is sent once: a kept connection that the other side closes at the same moment is a broken one, since
        there is no way to know whether it has read the request. With ``fresh`` no kept connection is used: for a
        second try, since all of them may lead to a host that has gone.

        Raises:
            TimeoutError: the answer was not complete in time.
            ConnectError: nothing was sent.
            ConnectionBrokenError: the other side may have acted on the request.
            ValueError: the query is not on one line.

        """


class HttpEndpoint:
    """An :class:`Endpoint` of a client; all of a request but its body and its own query is written once."""

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
        """Take an answer of more than ``max_body_bytes``, compressed or not, for a broken one; its head counts too."""
        self._tls = tls
        self._limit = connections_per_origin
        self._max_body_bytes = max_body_bytes
        self._pools: dict[Origin, _Pool] = {}
        self._closed = asyncio.Event()

    def endpoint(self, method: str, url: str, headers: Mapping[str, str]) -> "HttpEndpoint":
        """Return where requests of one kind go; their ``Host`` is the URL's, unless the headers have another.

        Raises:
            ValueError: the URL is not of http or https, or a header is not on one line.

        """
        return HttpEndpoint(self._exchange, method, url, headers)

    async def _exchange(self, origin: Origin, message: bytes, seconds: float, fresh: bool) -> Response:
        """Send a whole request, and return the whole answer; :meth:`Endpoint.send` says how."""
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
                pool.give_back(connection)
        finally:
            pool.leave()

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close every connection, and make no other: whatever still waits for an answer or for a connection fails."""
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
                # The event loop has the socket from here on, and closes it where it fails.
                _, connection = await loop.create_connection(
                    lambda: Connection(pool.forget, self._max_body_bytes),
                    sock=await open_socket(origin.host, origin.port),
                    ssl=tls,
                    server_hostname=name,
                )
            # Refused, no such host, no route, certificate mismatch.
            except (OSError, RuntimeError, UnicodeError):
                raise ConnectError("could not connect") from None
        if self._closed.is_set():  # meanwhile
            connection.close()
            raise ConnectError("the client is closed")
        # Only now: uvloop reports no end of one whose making is cancelled.
        pool.connections.add(connection)
        return connection


class _Pool:
    """The connections to one origin, and the places of those who may use one."""

    def __init__(self, limit: int) -> None:
        self.connections: set[Connection] = set()
        self._idle: deque[Connection] = deque()
        self._places = asyncio.Semaphore(limit)

    async def enter(self, deadline: float) -> None:
        """Take a place, first come first served.

        Raises:
            TimeoutError: there was none before the deadline.

        """
        if self._places.locked():
            async with asyncio.timeout_at(deadline):
                await self._places.acquire()
        else:
            await self._places.acquire()

    def leave(self) -> None:
        """Give a place back."""
        self._places.release()

    def take_idle(self) -> Connection | None:
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

    def give_back(self, connection: Connection) -> None:
        """Keep a connection for the next request, if it is as good as new."""
        if connection.is_open:
            self._idle.append(connection)
        else:
            connection.close()

    def forget(self, connection: Connection) -> None:
        """Take a connection out that ends."""
        self.connections.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
