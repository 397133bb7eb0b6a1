"""Wake everyone who waits for something to happen, without remembering who that is."""

import asyncio


class Bell:
    """A bell: `wait` returns when `ring` is next called. Nobody is woken by a ring before the wait."""

    def __init__(self) -> None:
        self._next_ring = asyncio.Event()

    def ring(self) -> None:
        """Wake all who are waiting now."""
        self._next_ring.set()
        self._next_ring = asyncio.Event()

    async def wait(self) -> None:
        """Wait for the next ring. What a caller checked just before, without awaiting, cannot be missed."""
        await self._next_ring.wait()
