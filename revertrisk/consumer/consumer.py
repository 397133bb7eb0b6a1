"""A consumer: deliveries in, new predictions and the state of each page out, through any number of restarts."""

import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Final, Self

from revertrisk.consumer.checkpoint import ConsumerCheckpoint
from revertrisk.consumer.page_table import PageTable
from revertrisk.consumer.prediction import PageKey, PredictionRecord
from revertrisk.consumer.reader import Drop, PredictionReader
from revertrisk.consumer.sources import Delivery

NEW: Final = "new"
"""What a delivery counts as in the tally that is not dropped."""
DEFAULT_REMEMBERED: Final = 200_000
"""Natural keys kept for telling duplicates: an hour at 50 events a second, in about 30 MB of the file."""
DEFAULT_COMMIT_EVERY: Final = 100
DEFAULT_COMMIT_AFTER_S: Final = 2.0


class Consumer:
    """Reads one or more prediction streams into a checkpoint.

    ``checkpoint`` is a file, made if it is not there; None keeps everything in memory. ``remembered``
    bounds the memory for duplicates: one that comes after so many other predictions counts as new. It
    does no harm to the pages' rows, which are maxima. A commit is due with the first place, with ``commit_every``
    deliveries, and with the first one that ends ``commit_after_s`` seconds or more after the last commit.

    :raises ConsumerCheckpointError: if the checkpoint cannot be used.
    :raises ValueError: if a number is not positive.
    """

    def __init__(
        self,
        checkpoint: Path | None = None,
        *,
        remembered: int = DEFAULT_REMEMBERED,
        commit_every: int = DEFAULT_COMMIT_EVERY,
        commit_after_s: float = DEFAULT_COMMIT_AFTER_S,
    ) -> None:
        for name, value in (
            ("remembered", remembered),
            ("commit_every", commit_every),
            ("commit_after_s", commit_after_s),
        ):
            if value <= 0:
                raise ValueError(f"{name}: expected a positive number, not {value}")
        self._reader = PredictionReader()
        self._checkpoint = ConsumerCheckpoint(checkpoint, remembered=remembered)
        self._pages = PageTable(self._checkpoint.connection)
        self._resume_at = self._checkpoint.resume_at
        self._has_place = self._resume_at is not None
        self._commit_every = commit_every
        self._commit_after_s = commit_after_s
        self._committed_at = monotonic()
        self._taken = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def resume_at(self) -> str | None:
        """What to resume the source with; None at the very beginning."""
        return self._resume_at

    def take(self, delivery: Delivery) -> PredictionRecord | Drop:
        """Take in one delivery; return the prediction if it is new, or why it was dropped.

        Nothing of it outlasts the process before `commit`.
        """
        read = self._reader.read(delivery.event)
        if isinstance(read, PredictionRecord):
            # A duplicate as well: it may have been received later, and the row must not depend on the order.
            self._pages.merge(read)
            if not self._checkpoint.remember(json.dumps(read.natural_key)):
                read = Drop.DUPLICATE
        self._checkpoint.count(read if isinstance(read, Drop) else NEW)
        if delivery.resume_at is not None:
            self._resume_at = delivery.resume_at
        self._taken += 1
        return read

    def commit(self) -> None:
        """Make everything taken so far outlast the process, the place to resume from included."""
        if self._resume_at is not None:
            self._checkpoint.resume_at = self._resume_at
        self._checkpoint.commit()
        self._has_place = self._resume_at is not None
        self._committed_at = monotonic()
        self._taken = 0

    def new_predictions(self, deliveries: Iterable[Delivery]) -> Iterator[PredictionRecord]:
        """Yield each new prediction, once.

        A commit comes only when the next prediction is asked for, so what was yielded last has been dealt with. After
        a crash, what came since the last commit is yielded again. The end of the deliveries is committed, however they
        end.
        """
        with self._committing() as new_in:
            for delivery in deliveries:
                yield from new_in(delivery)

    async def follow(self, deliveries: AsyncIterable[Delivery]) -> AsyncIterator[PredictionRecord]:
        """Do the same as `new_predictions` for deliveries that come over time."""
        with self._committing() as new_in:
            async for delivery in deliveries:
                for prediction in new_in(delivery):
                    yield prediction

    def page(self, model_name: str, wiki_id: str, page_id: int) -> PredictionRecord | None:
        """Return the row of a page; None if no revision of it was scored, which is no low score."""
        return self._pages.get(PageKey(model_name, wiki_id, page_id))

    def pages(self) -> Iterator[PredictionRecord]:
        """Yield all rows, sorted by model, wiki and page."""
        return iter(self._pages)

    def tally(self) -> dict[str, int]:
        """Return how many deliveries were ``new``, and how many were dropped for each reason."""
        return dict.fromkeys((NEW, *Drop), 0) | dict(self._checkpoint.tally())

    def close(self) -> None:
        """Let go of the checkpoint; what was not committed is undone."""
        self._checkpoint.close()

    @contextmanager
    def _committing(self) -> Iterator[Callable[[Delivery], Iterator[PredictionRecord]]]:
        """Yield what gives the new prediction of a delivery; commit what was dealt with, when due and at the end."""
        is_dealt_with = True

        def new_in(delivery: Delivery) -> Iterator[PredictionRecord]:
            nonlocal is_dealt_with
            is_dealt_with = False
            taken = self.take(delivery)
            if isinstance(taken, PredictionRecord):
                yield taken
            is_dealt_with = True
            self._commit_if_due()

        try:
            yield new_in
        finally:
            if is_dealt_with:
                self.commit()

    def _commit_if_due(self) -> None:
        is_first_place = self._resume_at is not None and not self._has_place
        is_late = monotonic() - self._committed_at >= self._commit_after_s
        if is_first_place or is_late or self._taken >= self._commit_every:
            self.commit()
