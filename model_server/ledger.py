"""The record of this worker's accepted predictions, and of those in progress (E8, E9).

It only saves work: a duplicate of an accepted event is answered from the record, and concurrent duplicates share one
fetch, one forward pass and one POST. The guarantee against duplicates is the deterministic event id.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Result = TypeVar("Result")


class Ledger(Generic[Result]):
    """Results by key, each for a limited time, and the work in progress."""

    def __init__(
        self,
        *,
        capacity: int,
        keep_s: float,
        keep: Callable[[Result], bool] = lambda _: True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the limits: at most ``capacity`` results for which ``keep`` is true are kept, for ``keep_s`` seconds."""
        self._keep = keep
        self._capacity = capacity
        self._keep_s = keep_s
        self._clock = clock
        self._results: OrderedDict[str, tuple[float, Result]] = OrderedDict()
        self._in_flight: dict[str, asyncio.Future[Result]] = {}

    async def once(self, key: str, work: Callable[[], Awaitable[Result]], *, again: bool = False) -> Result:
        """Return the result for a key: the recorded one, that of a call in progress, or that of ``work``.

        With ``again`` a recorded result is not used. A failure is raised in all calls that wait for it, and is not
        recorded.
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
            future.exception()  # mark it as retrieved, since perhaps no other call waits for it
            raise
        else:
            future.set_result(result)
            if self._keep(result):
                self._record(key, result)
            return result
        finally:
            del self._in_flight[key]
            del future  # its exception refers to this frame: without the cycle both are freed at once

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
        # The oldest come first, so the loop can stop at the first that has not expired.
        while self._results and self._clock() - next(iter(self._results.values()))[0] > self._keep_s:
            self._results.popitem(last=False)
