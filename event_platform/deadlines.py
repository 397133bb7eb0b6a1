"""Deadlines of many waits, kept with one timer.

Nearly every wait ends long before its deadline. A timer of its own, made and cancelled, would cost more than what it
guards against: a timer that is there anyway only has to look again.
"""

import asyncio
import math
from typing import Any

TIMER_SECONDS = 0.001
"""A timer may be early by so much, and so may the end of a wait: one timer serves deadlines that lie so close."""


class Deadlines:
    """Ends waits that last too long with a TimeoutError."""

    def __init__(self) -> None:
        self._waits: dict[asyncio.Future[Any], float] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._looks_at = math.inf
        """When the timer goes off: not later than any deadline."""

    def watch(self, wait: asyncio.Future[Any], deadline: float) -> None:
        """End a wait at its deadline (event loop time, seconds), unless it is forgotten before."""
        self._waits[wait] = deadline
        if deadline < self._looks_at:
            self._look_at(deadline)

    def forget(self, wait: asyncio.Future[Any]) -> None:
        """Let a wait be."""
        self._waits.pop(wait, None)

    def _look_at(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._looks_at = deadline
        self._timer = asyncio.get_running_loop().call_at(deadline, self._look)

    def _look(self) -> None:
        """End the waits whose time has come, and look again when that of the next one comes."""
        self._timer, self._looks_at = None, math.inf
        due = asyncio.get_running_loop().time() + TIMER_SECONDS
        for wait in [wait for wait, deadline in self._waits.items() if deadline <= due]:
            del self._waits[wait]
            if not wait.done():
                wait.set_exception(TimeoutError("the deadline has passed"))
        if self._waits:
            self._look_at(min(self._waits.values()))
