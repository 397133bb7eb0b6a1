"""Explanations: ``:explain`` reads and fetches as ``:predict`` does, explains the score, and never emits.

Scores have priority. Explanations run in their own thread, one at a time, and few requests can wait for it.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from model_server.admission import Admission
from model_server.answers import VerbAnswer, failed_batch, item_error, score_body, skip_answer
from model_server.errors import (
    ModelFailureError,
    OverloadedError,
    RouteNotFoundError,
    ServiceError,
    UnusableScoreError,
)
from model_server.pipeline import FetchedJob, ScoredJob, ScoringPipeline
from model_server.request_reader import RequestReader
from model_server.scoring_request import BatchItem, BatchRequest, ScoringRequest
from revertrisk.event_platform.page_change import Skip
from revertrisk.runtime.logs import label, timed
from revertrisk.scoring.explanation import Explainer, Explanation
from revertrisk.scoring.prediction import NoProbabilityError

PLACES = 8
"""The most concurrent explain requests; one takes as long as about thirty scores."""


class ExplainHandler:
    """Answers explain requests, whose bodies have the forms of predict."""

    def __init__(
        self, name: str, explainer: Explainer | None, requests: RequestReader, pipeline: ScoringPipeline
    ) -> None:
        """Take the parts; ``explainer`` is None for a model that cannot explain its scores."""
        self.name = name
        self._explainer = explainer
        self._requests = requests
        self._pipeline = pipeline
        self._admission = Admission(PLACES)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explain")

    def close(self) -> None:
        """Cancel the requests that wait for the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def answer(self, body: bytes, deadline: float, headers: Any = None) -> VerbAnswer:
        """Answer one request before the deadline (event loop time, seconds).

        Raises:
            ServiceError: the request ends without an explanation.

        """
        label(verb="explain")
        if self._explainer is None:
            raise RouteNotFoundError("this model cannot explain its scores")
        with self._admission.request():
            request = self._requests.read(body)
            if isinstance(request, Skip):
                return skip_answer(request.reason)
            if isinstance(request, BatchRequest):
                return await self._explain_each(self._explainer, request.items, deadline)
            label(wiki_id=request.wiki.wiki_id, rev_id=request.rev_id)
            explained = await self._explain(self._explainer, request, deadline)
        return (
            skip_answer(explained.reason)
            if isinstance(explained, Skip)
            else VerbAnswer(orjson.dumps(explained), "direct")
        )

    async def _explain_each(
        self, explainer: Explainer, items: tuple[BatchItem, ...], deadline: float
    ) -> VerbAnswer:
        async def attempt(item: BatchItem) -> dict[str, Any] | ServiceError:
            if isinstance(item.request, ServiceError):
                return item.request
            try:
                explained = await self._explain(explainer, item.request, deadline)
            except ServiceError as error:
                return error
            assert not isinstance(explained, Skip)  # noqa: S101 - only events are skipped, and a batch has none
            return explained

        outcomes = await asyncio.gather(*map(attempt, items))
        failures = {
            index: outcome for index, outcome in enumerate(outcomes) if isinstance(outcome, ServiceError)
        }
        errors = [item_error(index, items[index], failure) for index, failure in failures.items()]
        if len(errors) == len(items):
            raise failed_batch(errors, list(failures.values()))
        answer: dict[str, Any] = {
            "explanations": [outcome for outcome in outcomes if not isinstance(outcome, ServiceError)]
        }
        return VerbAnswer(orjson.dumps(answer | ({"errors": errors} if errors else {})), "batch")

    async def _explain(
        self, explainer: Explainer, request: ScoringRequest, deadline: float
    ) -> dict[str, Any] | Skip:
        fetched = await self._pipeline.fetch(request, deadline)
        if isinstance(fetched, Skip):
            return fetched
        try:
            with timed("explain"):
                async with asyncio.timeout_at(deadline):
                    explanation = await asyncio.get_running_loop().run_in_executor(
                        self._thread, explainer.explain, fetched.scorable.revision
                    )
        except TimeoutError as exc:
            raise OverloadedError("the revision was not explained in time") from exc
        except NoProbabilityError as exc:
            raise UnusableScoreError("the model gave something that is not a probability") from exc
        except Exception as exc:  # any exception of a model is a model failure
            raise ModelFailureError("the model failed on this revision") from exc
        return _body(fetched, explanation)


def _body(job: FetchedJob, explanation: Explanation) -> dict[str, Any]:
    """Return the body of predict, with the explanation."""
    scored = ScoredJob(job, explanation.prediction)
    return score_body(scored) | {"explanation": explanation.to_json()}
