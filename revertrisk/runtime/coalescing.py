"""Coalesce what is asked of one key (a wiki, say) at the same time into shared calls.

What arrives in the same turn of the event loop, or while enough calls for that key are under way, goes out
together; what finds no call under way goes out at once, so coalescing never adds a delay. A call that fails may be
asked again in parts, which go before what waits (`revertrisk/runtime/joined_call.py`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from revertrisk.runtime.joined_call import Again, Found, Item, JoinedCall, RetryPlan, Waiter

Key = TypeVar("Key", bound=Hashable)


class _Group(Generic[Item, Found]):
    """What waits for one key, and the tasks that make its calls."""

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


def _not_again(_: Exception) -> RetryPlan:
    return RetryPlan(Again.NOTHING)


class Coalescer(Generic[Key, Item, Found]):
    """Makes as few calls for each key (a wiki, a stream) as its load allows."""

    def __init__(
        self,
        call: Callable[[Key, list[Item], bool], Awaitable[Mapping[Item, Found]]],
        *,
        max_items: int,
        max_size: int,
        max_calls: int,
        again: Callable[[Exception], RetryPlan] = _not_again,
    ) -> None:
        """``call`` takes at most ``max_items`` different items, whose sizes add up to at most ``max_size``.

        A larger one goes alone. At most ``max_calls`` of a key run at a time. ``again`` says how one
        that fails is asked again; ``call`` is given True with the first calls of such a second try.
        """
        self._call = call
        self._again = again
        self._max_items = max_items
        self._max_size = max_size
        self._max_calls = max_calls
        self._groups: dict[Key, _Group[Item, Found]] = {}

    async def get(
        self, key: Key, items: tuple[Item, ...], *, deadline: float, size: int = 0
    ) -> Mapping[Item, Found]:
        """Return what the call gave that the items were part of.

        The mapping is shared by all whose items were in that call: it may hold others' as well.

        Raises:
            TimeoutError: the deadline (event loop time, seconds) has passed; the call continues for the others.
            Exception: what the call raised, the last time that it was made.

        """
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Mapping[Item, Found]] = loop.create_future()
        waiter = Waiter(items, size, result)
        group.waiting.append(waiter)
        self._start(key, group)
        timer = loop.call_at(deadline, waiter.expire)
        try:
            return await result
        finally:
            timer.cancel()
            del (
                result,
                waiter,
            )  # its exception holds this frame: together they would wait for the garbage collector

    def _start(self, key: Key, group: _Group[Item, Found]) -> None:
        """Start a task for what waits, if the key may have another call."""
        if group.is_starting or len(group.tasks) >= self._max_calls:
            return
        group.is_starting = True
        group.tasks.add(asyncio.get_running_loop().create_task(self._make_calls(key, group)))

    async def _make_calls(self, key: Key, group: _Group[Item, Found]) -> None:
        """Make one call after the other until nothing waits."""
        # The next task starts before this one waits for its call, so that up to `max_calls` run at a time. The last
        # task to end removes the group, or is replaced where more has come: nothing ever waits without a task.
        group.is_starting = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only `_start` runs this, as a task
        try:
            while call := self._next(group):
                if group.is_waited_for:  # what did not fit, or other parts
                    self._start(key, group)
                await self._make(key, group, call)
        finally:
            group.tasks.discard(task)
            if group.is_waited_for:  # after what no call may raise: the others continue
                self._start(key, group)
            elif not group.tasks:
                self._groups.pop(key, None)

    def _next(self, group: _Group[Item, Found]) -> JoinedCall[Item, Found] | None:
        while group.parts:
            part = group.parts.popleft()
            if part.second_try is not None and part.second_try.end is not None:
                part.fail(part.second_try.end)
            elif part.still_waited_for():
                return part
        taken = self._take(group.waiting)
        return JoinedCall(taken) if taken else None

    def _take(self, waiting: deque[Waiter[Item, Found]]) -> list[Waiter[Item, Found]]:
        """Take the oldest that fit into one call; who has gone meanwhile is passed over."""
        taken: list[Waiter[Item, Found]] = []
        items: set[Item] = set()
        size = 0
        while waiting:
            first = waiting[0]
            if not first.result.done():
                if taken and (
                    len(items.union(first.items)) > self._max_items or size + first.size > self._max_size
                ):
                    break
                items.update(first.items)
                size += first.size
                taken.append(first)
            waiting.popleft()
        return taken

    async def _make(self, key: Key, group: _Group[Item, Found], call: JoinedCall[Item, Found]) -> None:
        """Make a call, and settle what waits for it, unless it is asked again."""
        is_again = False
        try:
            if call.second_try is not None:
                await asyncio.sleep(call.second_try.starts_at - asyncio.get_running_loop().time())
                is_again = call.second_try.begins()
            found = await self._call(key, call.items(), is_again)
        except Exception as exc:  # noqa: BLE001 - it reaches whatever waits for the call
            parts = call.parts(exc, self._again(exc), self._max_calls)
            group.parts.extend(parts)
            if not parts:
                call.fail(exc)
            del call  # as in get
        except BaseException as exc:
            call.fail(exc)
            del call
            raise
        else:
            call.succeed(found)
