"""Revisions that MediaWiki has told of lately: the parent of an edit is often the edit before it.

Bounded in bytes, and in age: what a wiki hides is hidden here too within five minutes (DESIGN 10).
"""

import sys
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable

from prometheus_client import Counter

from model_server.api_facts import RevisionFacts

MAX_AGE_SECONDS = 5 * 60.0
OVERHEAD_BYTES = 1000
"""What a revision takes in memory without its text, roughly."""

Key = tuple[str, int]


class RevisionCache:
    """Revisions by wiki id and revision id, the least recently used ones dropped first."""

    def __init__(
        self, max_bytes: int, lookups: Counter, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """``lookups`` counts by the label ``result``: hit or miss. With 0 ``max_bytes`` nothing is kept."""
        self._max_bytes = max_bytes
        self._hits = lookups.labels("hit")
        self._misses = lookups.labels("miss")
        self._clock = clock
        self._revisions: OrderedDict[Key, tuple[float, int, RevisionFacts]] = OrderedDict()
        self._bytes = 0

    def find(self, wiki_id: str, rev_ids: Iterable[int]) -> dict[int, RevisionFacts]:
        """Return those of the revisions that are here, and not too old."""
        found: dict[int, RevisionFacts] = {}
        misses = 0
        for rev_id in rev_ids:
            entry = self._revisions.get((wiki_id, rev_id))
            if entry is None or self._clock() - entry[0] > MAX_AGE_SECONDS:
                misses += 1
            else:
                self._revisions.move_to_end((wiki_id, rev_id))
                found[rev_id] = entry[2]
        if found:
            self._hits.inc(len(found))
        if misses:
            self._misses.inc(misses)
        return found

    def put(self, wiki_id: str, revision: RevisionFacts) -> None:
        """Keep a revision in place of what was known of it; one of which anything is hidden is forgotten."""
        if not self._max_bytes:
            return
        known = self._revisions.pop((wiki_id, revision.rev_id), None)
        if known is not None:
            self._bytes -= known[1]
        size = sys.getsizeof(revision.text) + OVERHEAD_BYTES
        if revision.text is None or revision.hides_anything or size > self._max_bytes:
            return
        self._revisions[wiki_id, revision.rev_id] = (self._clock(), size, revision)
        self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, dropped, _) = self._revisions.popitem(last=False)
            self._bytes -= dropped
