"""Counts of what reached the gate, so that a test can say "one connection for 500 events"."""

import asyncio
from collections import Counter
from typing import Any, Final
from weakref import WeakSet

_MAX_USER_AGENTS: Final = 100
_OTHER: Final = "(other)"
_NO_USER_AGENT: Final = "(none)"
UNCONFIGURED: Final = "(unconfigured)"
"""Counted under one name: streams that are not configured are the sender's free text."""


class Stats:
    """Counters since the start or the last reset, of EventGate's own routes only."""

    def __init__(self) -> None:
        self._requests = 0
        self._transports: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._connections = 0
        self._user_agents: Counter[str] = Counter()
        self._answers: Counter[int] = Counter()
        self.accepted: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.hasty: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()

    def count_request(self, transport: asyncio.BaseTransport | None, user_agent: str | None) -> None:
        """Count a request, its User-Agent, and its TCP connection if no earlier request came by it."""
        self._requests += 1
        name = user_agent or _NO_USER_AGENT
        if name not in self._user_agents and len(self._user_agents) >= _MAX_USER_AGENTS:
            name = _OTHER
        self._user_agents[name] += 1
        if transport is not None and transport not in self._transports:
            self._transports.add(transport)
            self._connections += 1

    def count_answer(self, status: int) -> None:
        """Count the answer to a POST of events."""
        self._answers[status] += 1

    def as_json(self) -> dict[str, Any]:
        """Return the counters as ``GET /_mock/stats`` shows them."""
        return {
            "requests": self._requests,
            "connections": self._connections,
            "user_agents": dict(self._user_agents),
            "answers": {str(status): count for status, count in sorted(self._answers.items())},
            "accepted": dict(self.accepted),
            "refused": dict(self.refused),
            "hasty": dict(self.hasty),
            "faults": dict(self.faults),
        }
