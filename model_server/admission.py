"""Who may come in: a bound on the requests in the house, in all and for one wiki (E46).

Beyond it the answer is 503 at once, which the dispatcher retries: a queue that only grows helps nobody. A
wiki that hangs keeps its own places busy, and none of the others'.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from model_server.errors import OverloadedError


class Admission:
    """Counts requests in, and refuses one too many."""

    def __init__(self, limit: int, wiki_limit: int) -> None:
        self._limit = limit
        self._wiki_limit = wiki_limit
        self._inside = 0
        self._by_wiki: Counter[str] = Counter()

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold a place while a request lasts; raises :class:`OverloadedError` if there is none."""
        if self._inside >= self._limit:
            raise OverloadedError("too many requests are being served")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @contextmanager
    def wiki(self, wiki_id: str) -> Iterator[None]:
        """Hold one of a wiki's places; raises :class:`OverloadedError` if it has none left."""
        if self._by_wiki[wiki_id] >= self._wiki_limit:
            raise OverloadedError("too many requests for this wiki are being served")
        self._by_wiki[wiki_id] += 1
        try:
            yield
        finally:
            self._by_wiki[wiki_id] -= 1
            if not self._by_wiki[wiki_id]:
                del self._by_wiki[wiki_id]
