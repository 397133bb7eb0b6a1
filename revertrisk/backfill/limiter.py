"""One limit for everything that costs a wiki a request, whoever makes it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic


class RateLimiter:
    """At most ``per_second`` requests within any second, seen from either end of the wire.

    A request holds its place from before it is sent until a second after its answer. So it arrives at least a
    second after the one whose place it takes, however long either of them was under way.
    """

    def __init__(self, per_second: float) -> None:
        """Take a rate over 0; below 1, a place is kept for longer than a second instead."""
        self._places = asyncio.Semaphore(max(1, int(per_second)))
        self.held_s = max(1.0, 1 / per_second)
        """How long a place stays taken after its request is over."""
        self._not_before = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and for the end of a pause; the place is free again a second after the context's end."""
        await self._places.acquire()
        try:
            while (pause_s := self.paused_s) > 0:  # noqa: ASYNC110 - a time to wait for, which may be put off
                await asyncio.sleep(pause_s)
            yield
        finally:
            asyncio.get_running_loop().call_later(self.held_s, self._places.release)

    def pause(self, seconds: float) -> None:
        """Let nothing begin for so long: a wiki asked for it."""
        self._not_before = max(self._not_before, monotonic() + seconds)

    @property
    def paused_s(self) -> float:
        """The seconds until the pause ends; 0 for none."""
        return max(0.0, self._not_before - monotonic())
