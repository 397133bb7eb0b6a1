"""Coalesces concurrent requests for items of one key, such as a wiki, into shared calls.

Requests that arrive in the same turn of the event loop, or while the maximum of calls for their key is running, share
a call. A request that finds no running call is sent at once, so coalescing adds no delay. A call that fails can be
repeated in parts, which go before the waiting requests (`revertrisk/runtime/joined_call.py`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Mapping
from typing import Generic, TypeVar

from revertrisk.runtime.joined_call import Again, Found, Item, JoinedCall, RetryPlan, Waiter

Key = TypeVar("Key", bound=Hashable)


class _Group(Generic[Item, Found]):
    """The waiting requests of one key, and the tasks that make its calls."""

    def __init__(self) -> None:
        self.waiting: deque[Waiter[Item, Found]] = deque()
        self.parts: deque[JoinedCall[Item, Found]] = deque()
        """Parts of failed calls."""
        self.tasks: set[asyncio.Task[None]] = set()
        self.is_starting = False
        """Whether the newest task has not yet taken the waiting requests."""

    @property
    def has_work(self) -> bool:
        """Whether requests or parts wait."""
        return bool(self.waiting or self.parts)


def _not_again(_: Exception) -> RetryPlan:
    return RetryPlan(Again.NOTHING)


class Coalescer(Generic[Key, Item, Found]):
    """Makes as few calls for each key, such as a wiki or a stream, as its load allows."""

    def __init__(
        self,
        call: Callable[[Key, list[Item], bool], Awaitable[Mapping[Item, Found]]],
        *,
        max_items: int,
        max_size: int,
        max_calls: int,
        again: Callable[[Exception], RetryPlan] = _not_again,
    ) -> None:
        """Take the limits: a call has at most ``max_items`` different items, with a total size of ``max_size``.

        A larger request gets its own call. At most ``max_calls`` of a key run at a time. ``again`` returns how a
        failed call is repeated. The third argument of ``call`` is True for the first calls of such a repetition:
        the caller uses new connections for them, since kept ones may be broken.
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
        """Return the result of the call that included the items.

        All requests of that call share the mapping, so it can hold other items as well.

        Raises:
            TimeoutError: the deadline (event loop time, seconds) has passed; the call continues for the others.
            Exception: the exception of the last call with the items.

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
            # The exception of `result` refers to this frame. Without the cycle both are freed at once, and not only
            # by the garbage collector.
            del result, waiter

    def _start(self, key: Key, group: _Group[Item, Found]) -> None:
        """Start a task for the waiting requests, unless the key has `max_calls` calls, or a task is starting."""
        if group.is_starting or len(group.tasks) >= self._max_calls:
            return
        group.is_starting = True
        group.tasks.add(asyncio.get_running_loop().create_task(self._make_calls(key, group)))

    async def _make_calls(self, key: Key, group: _Group[Item, Found]) -> None:
        """Make one call after another until no request waits."""
        # The next task starts before this one awaits its call, so that up to `max_calls` run at a time. When a task
        # ends and requests wait, it starts a new one; the last task without waiting requests removes the group. So no
        # request waits without a task.
        group.is_starting = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - only `_start` runs this, as a task
        try:
            while call := self._next(group):
                if group.has_work:  # requests that did not fit into the call, or other parts
                    self._start(key, group)
                await self._make(key, group, call)
        finally:
            group.tasks.discard(task)
            if (
                group.has_work
            ):  # only after an unexpected exception or a cancellation: the other requests continue
                self._start(key, group)
            elif not group.tasks:
                self._groups.pop(key, None)

    def _next(self, group: _Group[Item, Found]) -> JoinedCall[Item, Found] | None:
        while group.parts:
            part = group.parts.popleft()
            if part.retry_state is not None and part.retry_state.final_error is not None:
                part.fail(part.retry_state.final_error)
            elif part.still_waited_for():
                return part
        taken = self._take(group.waiting)
        return JoinedCall(taken) if taken else None

    def _take(self, waiting: deque[Waiter[Item, Found]]) -> list[Waiter[Item, Found]]:
        """Take the oldest requests that fit into one call, and drop those that no longer wait."""
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
        """Make a call, and give its requests the result or the error, unless it is repeated."""
        is_again = False
        try:
            if call.retry_state is not None:
                await asyncio.sleep(call.retry_state.starts_at - asyncio.get_running_loop().time())
                is_again = call.retry_state.count_begin()
            found = await self._call(key, call.items(), is_again)
        except Exception as exc:  # noqa: BLE001 - the requests of the call raise it
            parts = call.split(exc, self._again(exc), self._max_calls)
            group.parts.extend(parts)
            if not parts:
                call.fail(exc)
            del call  # avoids a cycle, as in `get`
        except BaseException as exc:
            call.fail(exc)
            del call
            raise
        else:
            call.succeed(found)
