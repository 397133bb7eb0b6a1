"""Bodies of answers: scores, skips and batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from model_server.errors import NothingScoredError, ServiceError, UnavailableError
from model_server.pipeline import FetchedJob, ScoredJob
from model_server.scoring_request import BatchItem, EventRequest
from revertrisk.event_platform.page_change import SkipReason

ItemOutcome = FetchedJob | ScoredJob | ServiceError


@dataclass(frozen=True, slots=True)
class VerbAnswer:
    """A 200: its body as JSON, and its outcome, which is counted and which an event's answer has in a header."""

    body: bytes
    outcome: str
    for_event: bool = False
    repeated: bool = False
    """True if the event was accepted before, or is in progress: nothing was sent to EventGate for this request."""


class VerbHandler(Protocol):
    """Answers the requests of a V1 route: the model, or explanations."""

    @property
    def name(self) -> str:
        """The name of the served model."""

    async def answer(
        self, body: bytes, deadline: float, headers: Mapping[str, str] | None = None
    ) -> VerbAnswer:
        """Answer one request before the deadline (event loop time, seconds).

        Raises:
            ServiceError: the request ends without a score.

        """


def scored_answer(scored: ScoredJob, outcome: str) -> VerbAnswer:
    """Return the answer with a score."""
    # A copy, since the answer is kept for some time: orjson returns a part of a larger block of memory, and such
    # small parts would keep the memory around them, used for whole revisions, from being reused.
    body = bytes(memoryview(orjson.dumps(score_body(scored))))
    return VerbAnswer(body, outcome, isinstance(scored.job.request, EventRequest))


def skip_answer(reason: SkipReason) -> VerbAnswer:
    """Return the answer to an event that is provably not scorable."""
    body = orjson.dumps({"skipped": True, "reason": reason.value})
    return VerbAnswer(body, f"skipped:{reason.value}", for_event=True)


def batch_answer(items: Sequence[BatchItem], outcomes: Sequence[ItemOutcome]) -> VerbAnswer:
    """Return the answer to several direct calls: the scores in input order, and the failures with their index.

    Raises:
        NothingScoredError: all of them failed.

    """
    predictions = [score_body(outcome) for outcome in outcomes if isinstance(outcome, ScoredJob)]
    errors = [
        item_error(index, item, outcome)
        for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True))
        if isinstance(outcome, ServiceError)
    ]
    if not predictions:
        raise failed_batch(errors, [outcome for outcome in outcomes if isinstance(outcome, ServiceError)])
    body: dict[str, Any] = {"predictions": predictions}
    if errors:
        body["errors"] = errors
    return VerbAnswer(orjson.dumps(body), "batch")


def failed_batch(errors: list[dict[str, Any]], failures: Sequence[ServiceError]) -> NothingScoredError:
    """Return the failure of a batch all of whose items failed."""
    return NothingScoredError(
        errors,
        may_pass=all(failure.retryable for failure in failures),
        retry_after_s=max(
            (failure.retry_after_s for failure in failures if isinstance(failure, UnavailableError)),
            default=1.0,
        ),
    )


def score_body(scored: ScoredJob) -> dict[str, Any]:
    """Return the body of a score, with Lift Wing's keys."""
    request, prediction = scored.job.request, scored.prediction
    return {
        "model_name": prediction.model_name,
        "model_version": prediction.model_version,
        "wiki_db": request.wiki.wiki_id,
        "revision_id": request.rev_id,
        "output": {"prediction": prediction.is_revert_predicted, "probabilities": prediction.probabilities},
    }


def outcome_of_item(outcome: ItemOutcome) -> str:
    """Return the outcome under which an item of a batch is counted."""
    return outcome.answer_code if isinstance(outcome, ServiceError) else "scored"


def item_error(index: int, item: BatchItem, error: ServiceError) -> dict[str, Any]:
    """Describe the failure of one item, with the caller's ``lang`` and ``rev_id``."""
    return {
        "index": index,
        "lang": item.lang,
        "rev_id": item.rev_id,
        "error": str(error),
        "code": error.answer_code,
    }
