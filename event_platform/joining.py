"""Join what is asked of one place at the same time into shared calls.

What arrives in the same turn of the event loop, or while enough calls to that place are under way, goes out
together; what finds the place idle goes out at once, so joining never adds a delay.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

Group = TypeVar("Group", bound=Hashable)
Item = TypeVar("Item", bound=Hashable)
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter(Generic[Item, Found]):
    items: tuple[Item, ...]
    weight: int
    result: asyncio.Future[Mapping[Item, Found]]


class _Lane(Generic[Item, Found]):
    """What waits for one group, and how many of its calls are under way."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiter[Item, Found]] = deque()
        self.running = 0
        self.is_starting = False


class Joiner(Generic[Group, Item, Found]):
    """Makes as few calls for each group (a wiki, a stream) as its load allows."""

    def __init__(
        self,
        call: Callable[[Group, list[Item]], Awaitable[Mapping[Item, Found]]],
        *,
        most_items: int,
        most_weight: int,
        most_calls: int,
    ) -> None:
        """``call`` takes at most ``most_items`` different items, of ``most_weight`` together.

        One that weighs more goes alone. At most ``most_calls`` of a group run at a time.
        """
        self._call = call
        self._most_items = most_items
        self._most_weight = most_weight
        self._most_calls = most_calls
        self._lanes: dict[Group, _Lane[Item, Found]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(
        self, group: Group, items: tuple[Item, ...], *, deadline: float, weight: int = 0
    ) -> Mapping[Item, Found]:
        """Return what the call gave that the items were part of, or raise what it raised.

        The mapping is shared by all whose items were in that call: it may hold others' as well. Raises
        TimeoutError at the deadline (event loop time, seconds); the call goes on for the others.
        """
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = _Lane()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Mapping[Item, Found]] = loop.create_future()
        lane.waiting.append(_Waiter(items, weight, result))
        if not lane.is_starting and lane.running < self._most_calls:
            lane.is_starting = True
            loop.call_soon(self._start, group, lane)
        timer = loop.call_at(deadline, _expire, result)
        try:
            return await result
        finally:
            timer.cancel()
            del result  # its exception holds this frame: together they would wait for the garbage collector

    def _start(self, group: Group, lane: _Lane[Item, Found]) -> None:
        """Send what waits, as far as the group may have more calls."""
        lane.is_starting = False
        while lane.running < self._most_calls:
            taken = self._take(lane.waiting)
            if not taken:
                break
            lane.running += 1
            task = asyncio.create_task(self._run(group, lane, taken))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not lane.running and not lane.waiting:
            self._lanes.pop(group, None)

    def _take(self, waiting: deque[_Waiter[Item, Found]]) -> list[_Waiter[Item, Found]]:
        """Take the oldest that fit into one call; who has gone meanwhile is passed over."""
        taken: list[_Waiter[Item, Found]] = []
        items: set[Item] = set()
        weight = 0
        while waiting:
            first = waiting[0]
            if not first.result.done():
                if taken and (
                    len(items.union(first.items)) > self._most_items
                    or weight + first.weight > self._most_weight
                ):
                    break
                items.update(first.items)
                weight += first.weight
                taken.append(first)
            waiting.popleft()
        return taken

    async def _run(self, group: Group, lane: _Lane[Item, Found], taken: list[_Waiter[Item, Found]]) -> None:
        try:
            # A dict, not a set: the items keep their order.
            found = await self._call(
                group, list(dict.fromkeys(item for waiter in taken for item in waiter.items))
            )
        except BaseException as exc:
            for waiter in taken:
                if not waiter.result.done():
                    waiter.result.set_exception(exc)
            del taken, waiter  # as in get
            if not isinstance(exc, Exception):
                raise
        else:
            for waiter in taken:
                if not waiter.result.done():
                    waiter.result.set_result(found)
        finally:
            lane.running -= 1
            self._start(group, lane)


def _expire(result: asyncio.Future[Mapping[Item, Found]]) -> None:
    if not result.done():
        result.set_exception(TimeoutError())
