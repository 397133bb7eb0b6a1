"""Admission control: limits concurrent requests, in total and for each wiki, and the size of their bodies (E46).

Beyond a limit the answer is 503 at once, which the dispatcher retries; a longer queue would only add delay. The limit
of one wiki depends on the number of free places, like the dynamic queue thresholds of a packet switch with shared
memory (Choudhury and Hahne 1998; docs/decisions/0010). So a burst of one wiki can take most places, and a wiki that
does not answer leaves some to the others.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from model_server.errors import BodyTooLargeError, OverloadedError

MAX_HELD_BODY_BYTES = 64 * 2**20
"""The limit of all bodies held at a time in one worker. Parsed, they take several times the memory. A single body can
be larger."""
SMALL_BODY_BYTES = 64 * 2**10
"""A body up to this size is always accepted. An event has a few thousand bytes."""
WIKI_SHARE = 2
"""A wiki that holds more than this many times the free places gets no further one; so one wiki can hold two thirds."""


class Admission:
    """Counts requests, and refuses those beyond the limits."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._requests = 0
        self._of_wiki: Counter[str] = Counter()
        self.body_bytes = 0

    @contextmanager
    def request(self) -> Iterator[None]:
        """Hold one of the places while a request is served.

        Raises:
            OverloadedError: all places are taken.

        """
        if self._requests >= self._limit:
            raise OverloadedError("too many requests are being served")
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1

    @contextmanager
    def wiki(self, wiki_id: str) -> Iterator[None]:
        """Count a request, or an item of a batch, while it waits for a wiki.

        The request itself holds a place already, so it is not among the free ones.

        Raises:
            OverloadedError: the wiki holds more than its share of the places.

        """
        if self._of_wiki[wiki_id] > WIKI_SHARE * (self._limit - self._requests):
            raise OverloadedError("too many requests for this wiki are being served")
        self._of_wiki[wiki_id] += 1
        try:
            yield
        finally:
            self._of_wiki[wiki_id] -= 1

    def body(self) -> "HeldBody":
        """Hold a request's body, as a context."""
        return HeldBody(self)


class HeldBody:
    """The part of a body that has been read, counted until its request is answered."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int, limit: int) -> None:
        """Count ``size`` more bytes.

        Raises:
            BodyTooLargeError: the body has more than ``limit`` bytes.
            OverloadedError: all held bodies together would exceed `MAX_HELD_BODY_BYTES`.

        """
        self._size += size
        self._admission.body_bytes += size
        if self._size > limit:
            raise BodyTooLargeError(f"the body must be at most {limit} bytes")
        others = self._admission.body_bytes - self._size
        if others and self._size > SMALL_BODY_BYTES and others + self._size > MAX_HELD_BODY_BYTES:
            raise OverloadedError("too many large requests are being served")

    def __enter__(self) -> Self:
        """Return the body."""
        return self

    def __exit__(self, *_: object) -> None:
        """Subtract the bytes of the body."""
        self._admission.body_bytes -= self._size
