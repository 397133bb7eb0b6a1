"""Join what is asked of one place at the same time into shared calls.

What arrives in the same turn of the event loop, or while enough calls to that place are under way, goes out
together; what finds the place idle goes out at once, so joining never adds a delay. A call that fails may be asked
again in parts, which go before what waits (`revertrisk/runtime/joined_call.py`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from revertrisk.runtime.joined_call import Again, Found, Item, JoinedCall, Verdict, Waiter

Group = TypeVar("Group", bound=Hashable)


class _Lane(Generic[Item, Found]):
    """What waits for one group, and the tasks that make its calls."""

    def __init__(self) -> None:
        self.waiting: deque[Waiter[Item, Found]] = deque()
        self.parts: deque[JoinedCall[Item, Found]] = deque()
        """Of calls that have failed."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_starting = False
        """Whether the last of them is still to take what waits."""

    @property
    def is_waited_for(self) -> bool:
        """Whether there is something to ask for."""
        return bool(self.waiting or self.parts)


def _not_again(_: Exception) -> Verdict:
    return Verdict(Again.NOTHING)


class Joiner(Generic[Group, Item, Found]):
    """Makes as few calls for each group (a wiki, a stream) as its load allows."""

    def __init__(
        self,
        call: Callable[[Group, list[Item], bool], Awaitable[Mapping[Item, Found]]],
        *,
        most_items: int,
        most_weight: int,
        most_calls: int,
        again: Callable[[Exception], Verdict] = _not_again,
    ) -> None:
        """``call`` takes at most ``most_items`` different items, of ``most_weight`` together.

        One that weighs more goes alone. At most ``most_calls`` of a group run at a time. ``again`` says how one
        that fails is asked again; ``call`` is given True with the first calls of such a second try.
        """
        self._call = call
        self._again = again
        self._most_items = most_items
        self._most_weight = most_weight
        self._most_calls = most_calls
        self._lanes: dict[Group, _Lane[Item, Found]] = {}

    async def get(
        self, group: Group, items: tuple[Item, ...], *, deadline: float, weight: int = 0
    ) -> Mapping[Item, Found]:
        """Return what the call gave that the items were part of, or raise what it raised the last time.

        The mapping is shared by all whose items were in that call: it may hold others' as well. Raises
        TimeoutError at the deadline (event loop time, seconds); the call goes on for the others.
        """
        lane = self._lanes.get(group)
        if lane is None:
            lane = self._lanes[group] = _Lane()
        result: asyncio.Future[Mapping[Item, Found]] = asyncio.get_running_loop().create_future()
        lane.waiting.append(Waiter(items, weight, result))
        self._start(group, lane)
        try:
            async with asyncio.timeout_at(deadline):
                return await result
        finally:
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
            while call := self._next(lane):
                if lane.is_waited_for:  # what did not fit, or other parts
                    self._start(group, lane)
                await self._make(group, lane, call)
        finally:
            lane.tasks.discard(task)
            if lane.is_waited_for:  # after what no call may raise: others go on
                self._start(group, lane)
            elif not lane.tasks:
                self._lanes.pop(group, None)

    def _next(self, lane: _Lane[Item, Found]) -> JoinedCall[Item, Found] | None:
        while lane.parts:
            part = lane.parts.popleft()
            if part.second_try is not None and part.second_try.end is not None:
                part.fail(part.second_try.end)
            elif part.still_waited_for():
                return part
        taken = self._take(lane.waiting)
        return JoinedCall(taken) if taken else None

    def _take(self, waiting: deque[Waiter[Item, Found]]) -> list[Waiter[Item, Found]]:
        """Take the oldest that fit into one call; who has gone meanwhile is passed over."""
        taken: list[Waiter[Item, Found]] = []
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

    async def _make(self, group: Group, lane: _Lane[Item, Found], call: JoinedCall[Item, Found]) -> None:
        """Make a call, and tell those who wait for it, unless it is asked again."""
        is_again = False
        try:
            if call.second_try is not None:
                await asyncio.sleep(call.second_try.starts_at - asyncio.get_running_loop().time())
                is_again = call.second_try.begins()
            found = await self._call(group, call.items(), is_again)
        except Exception as exc:  # noqa: BLE001 - whoever waits for it is told
            parts = call.parts(exc, self._again(exc), self._most_calls)
            lane.parts.extend(parts)
            if not parts:
                call.fail(exc)
            del call  # as in get
        except BaseException as exc:
            call.fail(exc)
            del call
            raise
        else:
            call.succeed(found)
