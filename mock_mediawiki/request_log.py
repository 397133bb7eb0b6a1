"""The log of the mock's requests, which tests and people can read back."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from weakref import WeakSet

from aiohttp import web

from mock_mediawiki.fault_board import WikiFaultBoard
from revertrisk.runtime.web_server import json_answer

_KEPT: Final = 1000
_MAX_NAMES: Final = 2000
"""More than there are wikis."""
_OTHER: Final = "(other)"
"""Hosts and user agents are the client's free text; beyond `_MAX_NAMES` they are counted under this name."""


@dataclass(slots=True)
class LoggedRequest:
    """One request. ``status`` and ``error`` are set when it is answered; ``status`` None is no whole answer."""

    host: str
    method: str
    params: Mapping[str, str]
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: int | None = None
    error: str | None = None
    """The code of the API's error."""
    fault: str | None = None
    """The kind of the fault that was applied."""

    def as_json(self) -> dict[str, Any]:
        """Return it as ``/_mock/requests`` shows it."""
        return {
            "time": self.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "method": self.method,
            "host": self.host,
            "params": dict(self.params),
            "status": self.status,
            "error": self.error,
            "fault": self.fault,
        }


class RequestLog:
    """Counts requests and connections, and keeps the last 1,000 requests."""

    def __init__(self) -> None:
        self._open: WeakSet[Any] = WeakSet()
        self._in_flight = 0
        self.clear()

    def clear(self) -> None:
        """Delete all counts and requests. An open connection is counted again at its next request."""
        self._open.clear()
        self._connections = 0
        self._requests = 0
        self._most_in_flight = self._in_flight
        self._hosts: Counter[str] = Counter()
        self._user_agents: Counter[str] = Counter()
        self._last: deque[LoggedRequest] = deque(maxlen=_KEPT)

    @contextmanager
    def request(self, connection: object, user_agent: str, logged: LoggedRequest) -> Iterator[None]:
        """Log one request, which is in flight while the context is open.

        ``connection`` is the same object for all requests of a TCP connection, and None if it is closed.
        """
        if connection is not None and connection not in self._open:
            self._open.add(connection)
            self._connections += 1
        self._requests += 1
        _count(self._hosts, logged.host)
        _count(self._user_agents, user_agent)
        self._last.append(logged)
        self._in_flight += 1
        self._most_in_flight = max(self._most_in_flight, self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "requests": self._requests,
            "connections": self._connections,
            "in_flight": self._in_flight,
            "most_in_flight": self._most_in_flight,
            "hosts": dict(self._hosts),
            "user_agents": dict(self._user_agents),
        }

    def last(self) -> list[LoggedRequest]:
        """Return the last requests, oldest first."""
        return list(self._last)


class LogRoutes:
    """Handlers of ``/_mock/stats`` and ``/_mock/requests``."""

    def __init__(self, log: RequestLog, board: WikiFaultBoard) -> None:
        self._log = log
        self._board = board

    async def stats(self, _request: web.Request) -> web.Response:
        """Return the counts, including those of applied faults by kind."""
        return json_answer(self._log.stats() | {"faults": self._board.counts()})

    async def requests(self, _request: web.Request) -> web.Response:
        """Return the last requests, oldest first."""
        return json_answer([request.as_json() for request in self._log.last()])

    async def forget(self, _request: web.Request) -> web.Response:
        """Delete all requests and counts; faults stay in force."""
        self._log.clear()
        self._board.forget()
        return web.Response(status=204)


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MAX_NAMES else _OTHER] += 1
