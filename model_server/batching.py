"""Score without blocking the event loop: one worker thread, and whatever waits goes into the next batch.

A revision that finds the worker idle is scored at once, alone; batches form only out of what queues up
meanwhile, so batching never adds a delay.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import Histogram

from model_server.errors import BadScoreError, ModelFailureError, ServiceError
from revert_risk.prediction import BadScoreError as ModelBadScoreError
from revert_risk.prediction import Classifier, Prediction
from revert_risk.revision import Revision

Waiting = tuple[Revision, asyncio.Future[Prediction]]


class BatchScorer:
    """Runs a classifier in one thread, for one event loop."""

    def __init__(self, classifier: Classifier, *, batch_limit: int, batch_size: Histogram) -> None:
        self._classifier = classifier
        self._batch_limit = batch_limit
        self._batch_size = batch_size
        self._waiting: deque[Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="score")

    async def score(self, revision: Revision) -> Prediction:
        """Score one revision.

        Raises :class:`BadScoreError` and :class:`ModelFailureError`. How many may wait is bounded by the
        requests that are admitted, of at most 20 revisions each.
        """
        result: asyncio.Future[Prediction] = asyncio.get_running_loop().create_future()
        self._waiting.append((revision, result))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await result

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_limit))]
            # A caller that has gone (deadline, lost connection) needs no score.
            batch = [(revision, result) for revision, result in batch if not result.done()]
            if batch:
                self._batch_size.observe(len(batch))
                await self._score_batch(batch)

    async def _score_batch(self, batch: Sequence[Waiting]) -> None:
        outcomes: list[Prediction | ServiceError]
        try:
            outcomes = await asyncio.get_running_loop().run_in_executor(
                self._thread, self._scores, [revision for revision, _ in batch]
            )
        except RuntimeError as exc:  # the thread is being closed: nobody may wait for it in vain
            outcomes = [_failure(exc)] * len(batch)
        for (_, result), outcome in zip(batch, outcomes, strict=True):
            if result.done():
                continue
            if isinstance(outcome, ServiceError):
                result.set_exception(outcome)
            else:
                result.set_result(outcome)

    def _scores(self, revisions: list[Revision]) -> list[Prediction | ServiceError]:
        """Score a batch in the worker thread; if it fails, each alone, so that one cannot spoil the others."""
        try:
            predictions = self._classifier.score(revisions)
            return [prediction for _, prediction in zip(revisions, predictions, strict=True)]
        except Exception as exc:  # noqa: BLE001 - whatever a model does wrong is a model failure
            if len(revisions) == 1:
                return [_failure(exc)]
            return [outcome for revision in revisions for outcome in self._scores([revision])]

    def close(self) -> None:
        """Stop the worker thread once its batch is done."""
        self._thread.shutdown(wait=False, cancel_futures=True)


def _failure(error: Exception) -> ServiceError:
    # The cause stays attached for the log's type and place; its text may quote the revision.
    failure: ServiceError
    if isinstance(error, ModelBadScoreError):
        failure = BadScoreError("the model gave something that is not a probability")
    else:
        failure = ModelFailureError("the model failed on this revision")
    failure.__cause__ = error
    return failure
