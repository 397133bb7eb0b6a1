"""Remember which events came a short while ago: upstream sends some of them twice."""

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from time import monotonic

WINDOW_S = 3600.0
"""change-propagation's."""
MOST_IDS = 200_000
"""More than an hour of all wikis' page changes; about 30 MB."""
_DIGEST_BYTES = 12


class RecentIds:
    """The ids of the last hour, the oldest forgotten first where they are too many."""

    def __init__(
        self,
        *,
        window_s: float = WINDOW_S,
        most_ids: int = MOST_IDS,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._window_s = window_s
        self._most_ids = most_ids
        self._clock = clock
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def add(self, event_id: str) -> None:
        """Remember an id from now on."""
        now = self._clock()
        digest = _digest(event_id)
        self._seen[digest] = now
        self._seen.move_to_end(digest)
        while len(self._seen) > self._most_ids or now - next(iter(self._seen.values())) >= self._window_s:
            self._seen.popitem(last=False)

    def __contains__(self, event_id: str) -> bool:
        return self._clock() - self._seen.get(_digest(event_id), float("-inf")) < self._window_s


def _digest(event_id: str) -> bytes:
    return blake2b(event_id.encode(errors="surrogatepass"), digest_size=_DIGEST_BYTES).digest()
