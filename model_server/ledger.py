"""The record of what this worker has produced, and of what it is about to (E8, E9).

It saves work: a duplicate of an accepted event is answered from here, and duplicates that come at the same
time share one fetch, one forward pass and one POST. The guarantee is not here but in the deterministic id.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Ledger(Generic[Result]):
    """Results by key, each for a while, and the work in flight."""

    def __init__(
        self,
        *,
        capacity: int,
        keep_s: float,
        keep: Callable[[Result], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep at most ``capacity`` of the results that ``keep`` says are worth it, each for ``keep_s`` seconds."""
        self._keep = keep
        self._capacity = capacity
        self._keep_s = keep_s
        self._clock = clock
        self._results: OrderedDict[str, tuple[float, Result]] = OrderedDict()
        self._in_flight: dict[str, asyncio.Future[Result]] = {}

    async def once(self, key: str, work: Callable[[], Awaitable[Result]], *, again: bool = False) -> Result:
        """Return the result of ``work`` for a key, done before if it was, done by somebody else if it is.

        With ``again`` a recorded result is not good enough. A failure reaches everybody who waited for it
        and is not recorded.
        """
        if not again:
            recorded = self._recorded(key)
            if recorded is not None:
                return recorded
        if key in self._in_flight:
            return await asyncio.shield(self._in_flight[key])
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._in_flight[key] = future
        try:
            result = await work()
        except BaseException as exc:
            future.set_exception(exc)
            future.exception()  # mark it as seen: perhaps no one shares it
            raise
        else:
            future.set_result(result)
            if self._keep(result):
                self._record(key, result)
            return result
        finally:
            del self._in_flight[key]
            del future  # its exception holds this frame: together they would wait for the garbage collector

    def _recorded(self, key: str) -> Result | None:
        entry = self._results.get(key)
        if entry is None or self._clock() - entry[0] > self._keep_s:
            return None
        return entry[1]

    def _record(self, key: str, result: Result) -> None:
        self._results[key] = (self._clock(), result)
        self._results.move_to_end(key)
        while len(self._results) > self._capacity:
            self._results.popitem(last=False)
        # The oldest come first, so expired ones are found without a search.
        while self._results and self._clock() - next(iter(self._results.values()))[0] > self._keep_s:
            self._results.popitem(last=False)
