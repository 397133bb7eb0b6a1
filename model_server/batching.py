"""Scores in one worker thread, so that the event loop is not blocked; waiting revisions form the next batch.

If the worker is idle, a revision is scored at once, with those that arrive in the same turn of the event loop.
Otherwise the revisions that queue up meanwhile form a batch. So batching adds no delay.
"""

import asyncio
from collections import deque
from queue import SimpleQueue
from threading import Thread

from prometheus_client import Histogram

from model_server.errors import (
    ModelFailureError,
    NotReadyError,
    OverloadedError,
    ServiceError,
    UnusableScoreError,
)
from revertrisk.scoring.prediction import Classifier, NoProbabilityError, Prediction
from revertrisk.scoring.revision import Revision

Waiting = tuple[Revision, asyncio.Future[Prediction]]


class BatchScorer:
    """Runs a classifier in one thread, for one event loop."""

    def __init__(self, classifier: Classifier, *, batch_limit: int, batch_size: Histogram) -> None:
        self._classifier = classifier
        self._batch_limit = batch_limit
        self._batch_size = batch_size
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._is_busy = self._is_closed = False
        """`_is_busy`: from the first revision of a batch until the batch is scored."""
        # An executor's futures would cost as much time as a small forward pass.
        self._batches: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        Thread(target=self._work, name="score").start()

    async def score(self, revision: Revision, deadline: float) -> Prediction:
        """Score one revision before the deadline (event loop time, seconds).

        The queue needs no limit of its own: admission limits the requests, with at most 20 revisions each.

        Raises:
            OverloadedError: the deadline has passed.
            NotReadyError: the scorer is closed.
            UnusableScoreError: the model's output is not a probability.
            ModelFailureError: the model failed.

        """
        if self._is_closed:
            raise _shutting_down()
        result: asyncio.Future[Prediction] = self._loop.create_future()
        self._waiting.append((revision, result))
        if not self._is_busy:
            self._is_busy = True
            # In the next step of the loop: revisions that are fetched together arrive in one turn, and so form one
            # batch.
            self._loop.call_soon(self._send_batch)
        timer = self._loop.call_at(deadline, _expire, result)
        try:
            return await result
        finally:
            timer.cancel()
            del result  # its exception refers to this frame: without the cycle both are freed at once

    def close(self) -> None:
        """Stop the worker thread after its batch; revisions that wait for a later batch fail."""
        self._is_closed = True
        self._batches.put(None)
        while self._waiting:
            _settle(self._waiting.popleft()[1], _shutting_down())

    def _send_batch(self) -> None:
        batch: list[Waiting] = []
        while self._waiting and len(batch) < self._batch_limit:
            revision, result = self._waiting.popleft()
            if not result.done():  # it is done if its caller no longer waits (deadline, lost connection)
                batch.append((revision, result))
        self._is_busy = bool(batch)
        if batch:
            self._batch_size.observe(len(batch))
            self._batches.put(batch)

    def _work(self) -> None:
        """Score batches in the worker thread, until it gets None."""
        while (batch := self._batches.get()) is not None:
            outcomes = self._scores([revision for revision, _ in batch])
            try:
                self._loop.call_soon_threadsafe(self._deliver, batch, outcomes)
            except RuntimeError:  # the loop was closed meanwhile, so no caller waits
                return

    def _deliver(self, batch: list[Waiting], outcomes: list[Prediction | ServiceError]) -> None:
        for (_, result), outcome in zip(batch, outcomes, strict=True):
            _settle(result, outcome)
        self._send_batch()

    def _scores(self, revisions: list[Revision]) -> list[Prediction | ServiceError]:
        """Score a batch; if that fails, score each revision alone, so that one cannot fail the others."""
        try:
            predictions = self._classifier.score(revisions)
            # strict: a model that returns too few or too many predictions has failed.
            return [prediction for _, prediction in zip(revisions, predictions, strict=True)]
        except Exception as exc:  # noqa: BLE001 - any exception of a model is a model failure
            if len(revisions) == 1:
                return [_failure(exc)]
            return [outcome for revision in revisions for outcome in self._scores([revision])]


def _settle(result: asyncio.Future[Prediction], outcome: Prediction | ServiceError) -> None:
    if result.done():
        return
    if isinstance(outcome, ServiceError):
        result.set_exception(outcome)
    else:
        result.set_result(outcome)


def _expire(result: asyncio.Future[Prediction]) -> None:
    if not result.done():
        result.set_exception(OverloadedError("the revision was not scored in time"))


def _shutting_down() -> NotReadyError:
    return NotReadyError("the server is shutting down")


def _failure(error: Exception) -> ServiceError:
    # The cause stays attached, for its type and traceback in the log; its text can quote the revision.
    failure: ServiceError
    if isinstance(error, NoProbabilityError):
        failure = UnusableScoreError("the model gave something that is not a probability")
    else:
        failure = ModelFailureError("the model failed on this revision")
    failure.__cause__ = error
    return failure
