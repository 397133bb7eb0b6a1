"""Join concurrent look-ups of one wiki into shared requests.

Look-ups that arrive in the same turn of the event loop, or while enough requests to that wiki are under way,
go out together; one that finds the wiki idle goes out at once, so joining never adds a delay.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item", bound=Hashable)
Found = TypeVar("Found")


class Joiner(Generic[Key, Item, Found]):
    """Looks items up by group (a wiki), each group's in as few calls of ``look_up`` as its load allows."""

    def __init__(
        self,
        look_up: Callable[[Key, list[Item]], Awaitable[Mapping[Item, Found]]],
        *,
        most_items: int,
        most_calls: int,
    ) -> None:
        """``look_up`` takes at most ``most_items`` at once; at most ``most_calls`` of a group run at a time."""
        self._look_up = look_up
        self._most_items = most_items
        self._most_calls = most_calls
        self._waiting: defaultdict[Key, dict[Item, asyncio.Future[Found | None]]] = defaultdict(dict)
        self._running: defaultdict[Key, int] = defaultdict(int)
        self._tasks: set[asyncio.Task[None]] = set()

    async def get(self, group: Key, items: Iterable[Item]) -> dict[Item, Found]:
        """Return what is found of the items; raises whatever ``look_up`` raised for the call they were in."""
        wanted = list(items)
        waiting = self._waiting[group]
        loop = asyncio.get_running_loop()
        futures = [waiting.setdefault(item, loop.create_future()) for item in wanted]
        loop.call_soon(self._start, group)
        # gather would cancel a future that others wait for as well when one of its callers is cancelled.
        found = await asyncio.gather(*(asyncio.shield(future) for future in futures))
        return {item: value for item, value in zip(wanted, found, strict=True) if value is not None}

    def _start(self, group: Key) -> None:
        """Send what waits, as far as the group may have more calls."""
        waiting = self._waiting[group]
        while waiting and self._running[group] < self._most_calls:
            taken = dict(list(waiting.items())[: self._most_items])
            for item in taken:
                del waiting[item]
            self._running[group] += 1
            task = asyncio.create_task(self._call(group, taken))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        if not waiting and not self._running[group]:
            self._waiting.pop(group, None)
            self._running.pop(group, None)

    async def _call(self, group: Key, taken: Mapping[Item, asyncio.Future[Found | None]]) -> None:
        try:
            found = await self._look_up(group, list(taken))
        except BaseException as exc:
            for future in taken.values():
                if not future.done():
                    future.set_exception(exc)
                    future.exception()  # mark it as seen: the caller may have gone
            if not isinstance(exc, Exception):
                raise
        else:
            for item, future in taken.items():
                if not future.done():
                    future.set_result(found.get(item))
        finally:
            self._running[group] -= 1
            self._start(group)
