"""Let requests of the same key go out one after the other, in the order in which they were started."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Ordering:
    """Queues by rule and key; what has no key waits for nobody."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], asyncio.Event] = {}

    @asynccontextmanager
    async def turn(self, rule_name: str, key: str | None) -> AsyncIterator[None]:
        """Wait for all earlier turns of the key to end; enter in the order that is to be kept."""
        if key is None:
            yield
            return
        queue = (rule_name, key)
        earlier, mine = self._last.get(queue), asyncio.Event()
        self._last[queue] = mine
        try:
            if earlier is not None:
                await earlier.wait()
            yield
        finally:
            mine.set()
            if self._last[queue] is mine:
                del self._last[queue]
