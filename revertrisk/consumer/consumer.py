"""A consumer: takes deliveries, yields new predictions, and keeps the state of each page across restarts."""

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
"""The tally's name for a delivery that is not dropped."""
DEFAULT_REMEMBERED: Final = 200_000
"""The natural keys kept to find duplicates: an hour at 50 events a second, in about 30 MB of the file."""
DEFAULT_COMMIT_EVERY: Final = 100
DEFAULT_COMMIT_AFTER_S: Final = 2.0


class Consumer:
    """Reads one or more prediction streams into a checkpoint.

    ``checkpoint`` is a file, created if it is missing; None keeps everything in memory. A duplicate that comes after
    ``remembered`` other predictions counts as new. That does not change the pages' rows, which are maxima. It commits
    at the first place to resume from, after each ``commit_every`` deliveries, and at the first delivery that ends
    ``commit_after_s`` seconds or more after the last commit.

    Raises:
        ConsumerCheckpointError: the checkpoint cannot be used.
        ValueError: a number is not positive.

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
        """The token to resume the source with; None at the beginning."""
        return self._resume_at

    def take(self, delivery: Delivery) -> PredictionRecord | Drop:
        """Take one delivery; return the prediction if it is new, or the reason why it was dropped.

        Its effect is permanent only after `commit`.
        """
        read = self._reader.read(delivery.event)
        if isinstance(read, PredictionRecord):
            # Duplicates are merged too: one can have a later time of receipt, and the row must not depend on the order.
            self._pages.merge(read)
            if not self._checkpoint.remember(json.dumps(read.natural_key)):
                read = Drop.DUPLICATE
        self._checkpoint.count(read if isinstance(read, Drop) else NEW)
        if delivery.resume_at is not None:
            self._resume_at = delivery.resume_at
        self._taken += 1
        return read

    def commit(self) -> None:
        """Make everything taken so far permanent, including the place to resume from."""
        if self._resume_at is not None:
            self._checkpoint.resume_at = self._resume_at
        self._checkpoint.commit()
        self._has_place = self._resume_at is not None
        self._committed_at = monotonic()
        self._taken = 0

    def new_predictions(self, deliveries: Iterable[Delivery]) -> Iterator[PredictionRecord]:
        """Yield each new prediction, once.

        It commits only when the caller asks for the next prediction, and so has processed the last one. After a crash,
        predictions since the last commit are yielded again. It also commits at the end of the deliveries, or at an
        exception in them.
        """
        with self._committing() as new_in:
            for delivery in deliveries:
                yield from new_in(delivery)

    async def follow(self, deliveries: AsyncIterable[Delivery]) -> AsyncIterator[PredictionRecord]:
        """Do the same as `new_predictions` for asynchronous deliveries."""
        with self._committing() as new_in:
            async for delivery in deliveries:
                for prediction in new_in(delivery):
                    yield prediction

    def page(self, model_name: str, wiki_id: str, page_id: int) -> PredictionRecord | None:
        """Return the row of a page; None if no revision of it was scored, which does not mean a low score."""
        return self._pages.get(PageKey(model_name, wiki_id, page_id))

    def pages(self) -> Iterator[PredictionRecord]:
        """Yield all rows, sorted by model, wiki and page."""
        return iter(self._pages)

    def tally(self) -> dict[str, int]:
        """Return how many deliveries were ``new``, and how many were dropped for each reason."""
        return dict.fromkeys((NEW, *Drop), 0) | dict(self._checkpoint.tally())

    def close(self) -> None:
        """Close the checkpoint; uncommitted changes are lost."""
        self._checkpoint.close()

    @contextmanager
    def _committing(self) -> Iterator[Callable[[Delivery], Iterator[PredictionRecord]]]:
        """Yield a function that yields the new prediction of a delivery; commit when due and at the end.

        A generator continues only when its caller asks for more, so a prediction counts as processed when `new_in`
        continues behind its ``yield``. Until then nothing is committed, and after a crash it is yielded again.
        """
        is_processed = True

        def new_in(delivery: Delivery) -> Iterator[PredictionRecord]:
            nonlocal is_processed
            is_processed = False
            taken = self.take(delivery)
            if isinstance(taken, PredictionRecord):
                yield taken
            is_processed = True
            self._commit_if_due()

        try:
            yield new_in
        finally:
            if is_processed:
                self.commit()

    def _commit_if_due(self) -> None:
        is_first_place = self._resume_at is not None and not self._has_place
        is_late = monotonic() - self._committed_at >= self._commit_after_s
        if is_first_place or is_late or self._taken >= self._commit_every:
            self.commit()
