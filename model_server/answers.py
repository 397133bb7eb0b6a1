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
    """A 200: its body as JSON, and the outcome that counts it and that an event's caller sees in a header."""

    body: bytes
    outcome: str
    for_event: bool = False


class VerbHandler(Protocol):
    """What stands behind a V1 route: the model, or explanations."""

    @property
    def name(self) -> str:
        """The name of the model that is served."""

    async def answer(
        self, body: bytes, deadline: float, headers: Mapping[str, str] | None = None
    ) -> VerbAnswer:
        """Answer one request before the deadline (event loop time, seconds).

        Raises:
            ServiceError: the request ends without a score.

        """


def scored_answer(scored: ScoredJob, outcome: str) -> VerbAnswer:
    """Answer with a score."""
    # A copy, since it is remembered for a while: what orjson returns is the rest of a larger block, and such rests,
    # left in between, keep the memory of whole revisions from being used again.
    body = bytes(memoryview(orjson.dumps(score_body(scored))))
    return VerbAnswer(body, outcome, isinstance(scored.job.request, EventRequest))


def skip_answer(reason: SkipReason) -> VerbAnswer:
    """Answer an event that is provably not scorable."""
    body = orjson.dumps({"skipped": True, "reason": reason.value})
    return VerbAnswer(body, f"skipped:{reason.value}", for_event=True)


def batch_answer(items: Sequence[BatchItem], outcomes: Sequence[ItemOutcome]) -> VerbAnswer:
    """Answer several direct calls: the scores in input order, and the failures with their index.

    Raises:
        NothingScoredError: every one of them failed.

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
    """Return the failure of a batch of which every item failed."""
    return NothingScoredError(
        errors,
        may_pass=all(failure.retryable for failure in failures),
        retry_after_s=max(
            (failure.retry_after_s for failure in failures if isinstance(failure, UnavailableError)),
            default=1.0,
        ),
    )


def score_body(scored: ScoredJob) -> dict[str, Any]:
    """Return the keys that users of the peer know."""
    request, prediction = scored.job.request, scored.prediction
    return {
        "model_name": prediction.model_name,
        "model_version": prediction.model_version,
        "wiki_db": request.wiki.wiki_id,
        "revision_id": request.rev_id,
        "output": {"prediction": prediction.prediction, "probabilities": prediction.probabilities},
    }


def outcome_of_item(outcome: ItemOutcome) -> str:
    """Return what one item of a batch is counted as."""
    return outcome.answer_code if isinstance(outcome, ServiceError) else "scored"


def item_error(index: int, item: BatchItem, error: ServiceError) -> dict[str, Any]:
    """Describe the failure of one item, in the caller's own words for it."""
    return {
        "index": index,
        "lang": item.lang,
        "rev_id": item.rev_id,
        "error": str(error),
        "code": error.answer_code,
    }
