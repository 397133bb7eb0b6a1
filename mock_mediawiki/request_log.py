"""What clients asked the mock, for tests to read back."""

from collections import Counter, deque
from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakSet

_KEPT: Final = 1000


class RequestLog:
    """Counts requests and connections, and keeps the last 1,000 requests."""

    def __init__(self) -> None:
        self._open: WeakSet[Any] = WeakSet()
        self.clear()

    def clear(self) -> None:
        """Forget everything. A connection that is still open counts again with its next request."""
        self._open.clear()
        self._connections = 0
        self._requests = 0
        self._hosts: Counter[str] = Counter()
        self._user_agents: Counter[str] = Counter()
        self._last: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def add(self, connection: object, host: str, user_agent: str, params: Mapping[str, str]) -> None:
        """Note one request; ``connection`` is the same object for all requests of a TCP connection."""
        if connection not in self._open:
            self._open.add(connection)
            self._connections += 1
        self._requests += 1
        self._hosts[host] += 1
        self._user_agents[user_agent] += 1
        self._last.append({"host": host, "params": dict(params)})

    def stats(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "requests": self._requests,
            "connections": self._connections,
            "hosts": dict(self._hosts),
            "user_agents": dict(self._user_agents),
        }

    def last(self) -> list[dict[str, Any]]:
        """Return the last requests, oldest first: host and parameters."""
        return list(self._last)
