"""A rate limit for all requests to a wiki, those of the server included."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic


class RateLimiter:
    """At most ``per_second`` requests within any second, at the sender and at the receiver.

    A request holds a place from before it is sent until a second after its answer. So it arrives at least a second
    after the request that held the place before, however long the two took.
    """

    def __init__(self, per_second: float) -> None:
        """Take a rate over 0. Below 1 there is one place, which is held for longer than a second."""
        self._places = asyncio.Semaphore(max(1, int(per_second)))
        self.held_s = max(1.0, 1 / per_second)
        """The seconds for which a place is held after its request."""
        self._not_before = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Wait for a place and for the end of a pause. The place is free again `held_s` after the context closes."""
        await self._places.acquire()
        try:
            while (pause_s := self.paused_s) > 0:  # noqa: ASYNC110 - the end of the pause can be moved meanwhile
                await asyncio.sleep(pause_s)
            yield
        finally:
            asyncio.get_running_loop().call_later(self.held_s, self._places.release)

    def pause(self, seconds: float) -> None:
        """Start no request for this long, because a wiki asked for it."""
        self._not_before = max(self._not_before, monotonic() + seconds)

    @property
    def paused_s(self) -> float:
        """The seconds until the pause ends; 0 without a pause."""
        return max(0.0, self._not_before - monotonic())
