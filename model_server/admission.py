"""Who may come in: a bound on the requests in the house, in all and for one wiki, and on their bodies (E46).

Beyond it the answer is 503 at once, which the dispatcher retries: a queue that only grows helps nobody. A
wiki that hangs keeps its own places busy, and none of the others'.
"""

from typing import Self

from model_server.errors import BodyTooLargeError, OverloadedError

MOST_BODY_BYTES = 64 * 2**20
"""Of bodies held at a time, in one worker; read, they take several times as much memory. One alone may be larger."""
SMALL_BODY_BYTES = 64 * 2**10
"""An event is a few thousand bytes: however much large bodies take, so small a one comes in."""


class Admission:
    """Counts requests in, and refuses one too many."""

    def __init__(self, limit: int, wiki_limit: int) -> None:
        self._limit = limit
        self._wiki_limit = wiki_limit
        self._taken: dict[str | None, int] = {}
        """Places by wiki; None is the house."""
        self.body_bytes = 0

    def request(self) -> "Place":
        """Hold a place for a request, as a context; entering raises :class:`OverloadedError` if there is none."""
        return Place(self._taken, None, self._limit, "too many requests are being served")

    def wiki(self, wiki_id: str) -> "Place":
        """Hold one of a wiki's places; entering raises :class:`OverloadedError` if it has none left."""
        return Place(
            self._taken, wiki_id, self._wiki_limit, "too many requests for this wiki are being served"
        )

    def body(self) -> "HeldBody":
        """Hold a request's body, as a context."""
        return HeldBody(self)


class Place:
    """A place, held while the context lasts; a class, since a generator for each request costs twice as much."""

    __slots__ = ("_key", "_limit", "_refusal", "_taken")

    def __init__(self, taken: dict[str | None, int], key: str | None, limit: int, refusal: str) -> None:
        self._taken = taken
        self._key = key
        self._limit = limit
        self._refusal = refusal

    def __enter__(self) -> None:
        """Take the place."""
        taken = self._taken.get(self._key, 0)
        if taken >= self._limit:
            raise OverloadedError(self._refusal)
        self._taken[self._key] = taken + 1

    def __exit__(self, *_: object) -> None:
        """Give it back."""
        left = self._taken[self._key] - 1
        if left:
            self._taken[self._key] = left
        else:
            del self._taken[self._key]


class HeldBody:
    """The part of a body that has been read, counted until its request is answered."""

    __slots__ = ("_admission", "_size")

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._size = 0

    def grow(self, size: int, limit: int) -> None:
        """Count so many bytes more.

        Raises :class:`BodyTooLargeError` beyond ``limit`` bytes, and :class:`OverloadedError` where the large bodies
        that are held would be too much together.
        """
        self._size += size
        self._admission.body_bytes += size
        if self._size > limit:
            raise BodyTooLargeError(f"the body must be at most {limit} bytes")
        others = self._admission.body_bytes - self._size
        if others and self._size > SMALL_BODY_BYTES and others + self._size > MOST_BODY_BYTES:
            raise OverloadedError("too many large requests are being served")

    def __enter__(self) -> Self:
        """Return the body."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let it go."""
        self._admission.body_bytes -= self._size
