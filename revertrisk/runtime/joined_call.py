"""A call that several share, and what is asked again of it when it fails, so that one bad item fails only its own.

What is asked again depends on the failure:

- *Halves* after an answer that is an error, or a connection that broke. The half without the bad item is answered; the
  other one fails and is halved again, until the bad item stands alone. Of 50 that takes 12 further calls, and there are
  no more.
- *Singles* after a time-out: each half with the bad item in it would take as long again.
- *The whole call* where the failure is of no item (a rate limit, say), and where all wait for the same items.

What one waiter asked for stays together. What stood alone and failed is not asked for a third time. The rest
of a call is given up where a failure of no item meets a part of it, or where so many singles get no answer that it is
the place which hangs.
"""

import asyncio
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, NamedTuple, TypeVar

MAX_HALVES = 12
"""Further calls after a call that failed: six times both halves, which 50 items need at most."""

Item = TypeVar("Item", bound=Hashable)
Found = TypeVar("Found")


class Again(Enum):
    """What of a failed call is asked again."""

    NOTHING = auto()
    WHOLE = auto()
    HALVES = auto()
    SINGLES = auto()


class RetryPlan(NamedTuple):
    """How a failed call is asked again, and after how many seconds."""

    again: Again
    wait: float = 0.0


class Waiter(NamedTuple, Generic[Item, Found]):
    """Someone who waits for items, of a size together."""

    items: tuple[Item, ...]
    size: int
    result: asyncio.Future[Mapping[Item, Found]]

    def expire(self) -> None:
        """Stop waiting at the deadline; the call continues for the others."""
        if not self.result.done():
            self.result.set_exception(TimeoutError("the deadline has passed"))


@dataclass(slots=True, eq=False)
class SecondTry:
    """What the parts of one failed call have in common."""

    starts_at: float
    """In event loop time, seconds."""
    firsts_left: int
    """Parts that begin it: as many as may run at a time."""
    time_outs_left: int
    halves_left: int = MAX_HALVES
    end: Exception | None = None
    """Why no other part is asked for."""

    def begins(self) -> bool:
        """Count a part that is asked for now; return whether it is one of the first."""
        self.firsts_left -= 1
        return self.firsts_left >= 0


@dataclass(slots=True, eq=False)
class JoinedCall(Generic[Item, Found]):
    """A call, or a part of one that failed."""

    waiters: list[Waiter[Item, Found]]
    second_try: SecondTry | None = field(default=None)

    def items(self) -> list[Item]:
        """Return what is asked for, each once, in its order."""
        return list(dict.fromkeys([item for waiter in self.waiters for item in waiter.items]))

    def succeed(self, found: Mapping[Item, Found]) -> None:
        """Give everybody what was found."""
        for waiter in self.waiters:
            if not waiter.result.done():
                waiter.result.set_result(found)

    def fail(self, error: BaseException) -> None:
        """Give everybody the error."""
        for waiter in self.waiters:
            if not waiter.result.done():
                waiter.result.set_exception(error)

    def still_waited_for(self) -> bool:
        """Forget who has gone meanwhile; return whether anybody is left."""
        self.waiters = [waiter for waiter in self.waiters if not waiter.result.done()]
        return bool(self.waiters)

    def parts(self, error: Exception, plan: RetryPlan, max_calls: int) -> "list[JoinedCall[Item, Found]]":
        """Return what is asked again after a failure, in place of this call; nothing if it is final for all.

        ``max_calls`` is how many calls may run at a time.
        """
        again, wait = plan
        second, is_first = self.second_try, self.second_try is None
        if second is None:
            starts_at = asyncio.get_running_loop().time() + wait
            # With one call at a time a single that gets no answer is not yet a place that hangs.
            second = SecondTry(starts_at, firsts_left=max_calls, time_outs_left=max(2, max_calls))
        elif again is Again.SINGLES:
            second.time_outs_left -= 1
        if again is Again.NOTHING or (not is_first and again is Again.WHOLE) or not second.time_outs_left:
            second.end = error
            return []
        together: dict[tuple[Item, ...], list[Waiter[Item, Found]]] = {}
        for waiter in self.waiters:
            together.setdefault(waiter.items, []).append(waiter)
        groups = list(together.values())
        if again is Again.WHOLE or len(groups) == 1:
            return [JoinedCall(self.waiters, second)] if is_first else []
        if again is Again.SINGLES:
            return [JoinedCall(group, second) for group in groups]
        if second.halves_left < 2:  # noqa: PLR2004 - both halves, or none
            return []
        second.halves_left -= 2
        middle = (len(groups) + 1) // 2
        return [
            JoinedCall([waiter for group in half for waiter in group], second)
            for half in (groups[:middle], groups[middle:])
        ]
