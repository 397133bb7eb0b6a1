"""Remembers the ids of recent events, since the upstream stream contains some events twice."""

from collections import deque
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic

WINDOW_S = 3600.0
"""The window of change-propagation."""
MAX_IDS = 100_000
"""Enough for several hours of all Wikipedias' edits; about 11 MB."""
_GENERATIONS = 12
_DIGEST_BYTES = 12


class RecentIds:
    """The ids of the last hour; if they are too many, the oldest are dropped first.

    The ids are kept in a few sets by age, and a whole set is dropped at a time. So an id is dropped a little after the
    hour, and the memory is half of what a timestamp for each id would need.
    """

    def __init__(
        self,
        *,
        window_s: float = WINDOW_S,
        max_ids: int = MAX_IDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._window_s = window_s
        self._generation_s = window_s / _GENERATIONS
        self._max_ids = max_ids
        self._max_in_one = max(1, max_ids // _GENERATIONS)
        self._clock = clock
        self._sets: deque[set[bytes]] = deque([set()])
        """By age, the newest last."""
        self._begun: deque[float] = deque([clock()])
        """When the first id of each set was added."""

    def add(self, event_id: str) -> None:
        """Add an id."""
        now = self._clock()
        if len(self._sets[-1]) >= self._max_in_one or now - self._begun[-1] >= self._generation_s:
            self._sets.append(set())
            self._begun.append(now)
            while sum(map(len, self._sets)) + self._max_in_one > self._max_ids:
                self._drop_oldest()
        self._sets[-1].add(_digest(event_id))

    def __contains__(self, event_id: str) -> bool:
        self._forget(self._clock())
        digest = _digest(event_id)
        return any(digest in ids for ids in self._sets)

    def _forget(self, now: float) -> None:
        """Drop the sets whose last id is too old; the start of the next set is the end of a set."""
        while len(self._sets) > 1 and now - self._begun[1] >= self._window_s:
            self._drop_oldest()
        if now - self._begun[-1] >= self._window_s + self._generation_s:
            self._sets[-1].clear()

    def _drop_oldest(self) -> None:
        self._sets.popleft()
        self._begun.popleft()


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
