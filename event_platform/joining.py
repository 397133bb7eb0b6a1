"""Join what is asked of one place at the same time into shared calls.

What arrives in the same turn of the event loop, or while enough calls to that place are under way, goes out
together; what finds the place idle goes out at once, so joining never adds a delay.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, NamedTuple, TypeVar

from event_platform.deadlines import Deadlines

Group = TypeVar("Group", bound=Hashable)
Item = TypeVar("Item", bound=Hashable)
Found = TypeVar("Found")


class _Waiter(NamedTuple, Generic[Item, Found]):
    items: tuple[Item, ...]
    weight: int
    result: asyncio.Future[Mapping[Item, Found]]


class _Lane(Generic[Item, Found]):
    """What waits for one group, and the tasks that make its calls."""

    def __init__(self) -> None:
        self.waiting: deque[_Waiter[Item, Found]] = deque()
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_starting = False
        """Whether the last of them is still to take what waits."""


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
        self._deadlines = Deadlines()

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
        result: asyncio.Future[Mapping[Item, Found]] = asyncio.get_running_loop().create_future()
        lane.waiting.append(_Waiter(items, weight, result))
        self._start(group, lane)
        self._deadlines.watch(result, deadline)
        try:
            return await result
        finally:
            self._deadlines.forget(result)
            del result  # its exception holds this frame: together they would wait for the garbage collector

    def _start(self, group: Group, lane: _Lane[Item, Found]) -> None:
        """See to it that what waits is taken, as far as the group may have more calls."""
        if lane.is_starting or len(lane.tasks) >= self._most_calls:
            return
        lane.is_starting = True
        lane.tasks.add(asyncio.get_running_loop().create_task(self._make_calls(group, lane)))

    async def _make_calls(self, group: Group, lane: _Lane[Item, Found]) -> None:
        """Make one call after the other until nothing waits."""
        lane.is_starting = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only `_start` runs this, as a task
        try:
            while taken := self._take(lane.waiting):
                if lane.waiting:  # what did not fit
                    self._start(group, lane)
                await self._call_for(group, taken)
        finally:
            lane.tasks.discard(task)
            if lane.waiting:  # after what no call may raise: others go on
                self._start(group, lane)
            elif not lane.tasks:
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

    async def _call_for(self, group: Group, taken: list[_Waiter[Item, Found]]) -> None:
        """Make a call, and tell those who wait for it."""
        try:
            # A dict, not a set: the items keep their order.
            items = dict.fromkeys([item for waiter in taken for item in waiter.items])
            found = await self._call(group, list(items))
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
