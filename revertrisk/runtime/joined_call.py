"""A call that several requests share, and how it is repeated after a failure, so that a bad item fails only its own.

How it is repeated depends on the failure:

- In *halves* after an error answer or a broken connection. The half without the bad item is answered; the other fails
  and is halved again, until the bad item is alone. For 50 items that takes 12 further calls, which is the limit.
- In *singles* after a timeout, since each half with the bad item would time out again.
- As a *whole* if the failure is not about an item, such as a rate limit, or if all requests have the same items.

The items of one request stay together. A single request that fails again is not repeated. The rest is
given up in two cases: a part has a failure that is not about an item, or many singles time out, so the host hangs.
"""

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

MAX_HALVES = 12
"""The most further calls after a failed call: six times two halves, the maximum for 50 items."""

Item = TypeVar("Item", bound=Hashable)
Found = TypeVar("Found")


class Again(Enum):
    """How a failed call is repeated."""

    NOTHING = auto()
    WHOLE = auto()
    HALVES = auto()
    SINGLES = auto()


class RetryPlan(NamedTuple):
    """How a failed call is repeated, and after how many seconds."""

    again: Again
    wait: float = 0.0


class Waiter(NamedTuple, Generic[Item, Found]):
    """A request that waits for items; ``size`` is their total size."""

    items: tuple[Item, ...]
    size: int
    result: asyncio.Future[Mapping[Item, Found]]

    def expire(self) -> None:
        """Stop waiting at the deadline; the call continues for the others."""
        if not self.result.done():
            self.result.set_exception(TimeoutError("the deadline has passed"))


@dataclass(slots=True, eq=False)
class RetryState:
    """The state that the parts of one failed call share."""

    starts_at: float
    """In event loop time, seconds."""
    firsts_left: int
    """The number of calls still to come whose `is_again` is True; at first as many as may run at a time."""
    time_outs_left: int
    halves_left: int = MAX_HALVES
    final_error: Exception | None = None
    """The error for all remaining parts, when they are given up."""

    def count_begin(self) -> bool:
        """Count a part that is called now; return whether it is one of the first."""
        self.firsts_left -= 1
        return self.firsts_left >= 0


@dataclass(slots=True, eq=False)
class JoinedCall(Generic[Item, Found]):
    """A call, or a part of one that failed."""

    waiters: list[Waiter[Item, Found]]
    retry_state: RetryState | None = field(default=None)

    def items(self) -> list[Item]:
        """Return the items without duplicates, in their order."""
        return list(dict.fromkeys([item for waiter in self.waiters for item in waiter.items]))

    def succeed(self, found: Mapping[Item, Found]) -> None:
        """Set the result of all requests."""
        for waiter in self.waiters:
            if not waiter.result.done():
                waiter.result.set_result(found)

    def fail(self, error: BaseException) -> None:
        """Set the error of all requests."""
        for waiter in self.waiters:
            if not waiter.result.done():
                waiter.result.set_exception(error)

    def still_waited_for(self) -> bool:
        """Drop requests that no longer wait; return whether any is left."""
        self.waiters = [waiter for waiter in self.waiters if not waiter.result.done()]
        return bool(self.waiters)

    def split(self, error: Exception, plan: RetryPlan, max_calls: int) -> "list[JoinedCall[Item, Found]]":
        """Return the calls that replace this one after a failure; [] if the failure is final for all its requests.

        ``max_calls`` is the most calls at a time.
        """
        again, wait = plan
        retry, is_first = self.retry_state, self.retry_state is None
        if retry is None:
            starts_at = asyncio.get_running_loop().time() + wait
            # At least 2, since one single that times out does not show that the host hangs.
            retry = RetryState(starts_at, firsts_left=max_calls, time_outs_left=max(2, max_calls))
        elif again is Again.SINGLES:
            retry.time_outs_left -= 1
        if again is Again.NOTHING or (not is_first and again is Again.WHOLE) or not retry.time_outs_left:
            retry.final_error = error
            return []
        together: dict[tuple[Item, ...], list[Waiter[Item, Found]]] = {}
        for waiter in self.waiters:
            together.setdefault(waiter.items, []).append(waiter)
        groups = list(together.values())
        if again is Again.WHOLE or len(groups) == 1:
            return [JoinedCall(self.waiters, retry)] if is_first else []
        if again is Again.SINGLES:
            return [JoinedCall(group, retry) for group in groups]
        if retry.halves_left < 2:  # noqa: PLR2004 - both halves, or none
            return []
        retry.halves_left -= 2
        middle = (len(groups) + 1) // 2
        return [
            JoinedCall([waiter for group in half for waiter in group], retry)
            for half in (groups[:middle], groups[middle:])
        ]
