"""The KServe model: preprocess fetches, predict scores, postprocess builds, emits and answers.

Receiving and resolving happen before, in :meth:`RevertRiskModel.answer` (docs/decisions/0002).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import kserve
from grpc_interceptor.exceptions import GrpcException
from kserve.metrics import POST_HIST_TIME, PRE_HIST_TIME, PREDICT_HIST_TIME, get_labels

from model_server.accounting import RequestAccount
from model_server.answers import (
    ItemOutcome,
    VerbAnswer,
    batch_answer,
    outcome_of_item,
    scored_answer,
    skip_answer,
)
from model_server.errors import NotReadyError, ServiceError
from model_server.kserve_shell import tensors
from model_server.ledger import Ledger
from model_server.pipeline import PRODUCED, FetchedJob, ScoredJob
from model_server.resources import Resources
from model_server.scoring_request import (
    BatchItem,
    BatchRequest,
    EventRequest,
    PartialEventRequest,
    ScoringRequest,
)
from model_server.server_context import ServerContext
from revertrisk.event_platform.page_change import Skip
from revertrisk.runtime.logs import label

LEDGER_CAPACITY = 50_000
LEDGER_S = 15 * 60.0
"""How many accepted events a worker records, and for how long: longer than both of change-propagation's retries."""
REEMIT_HEADER = "x-revertrisk-reemit"
"""With the value 1 an event that was accepted before is emitted again."""
Headers = Mapping[str, str] | None
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class PredictCall:
    """One parsed V1 predict request, to be answered before ``deadline`` (event loop time, seconds)."""

    request: ScoringRequest | BatchRequest
    deadline: float


@dataclass(frozen=True, slots=True)
class BatchCall:
    """Several direct calls in one request, and the outcome of each so far."""

    items: tuple[BatchItem, ...]
    outcomes: tuple[ItemOutcome, ...]
    infer_request: kserve.InferRequest | None = None
    """The V2 request with the calls; None for a V1 request."""


class RevertRiskModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
    """Scores revisions with the resources of the running event loop; it still predicts during the drain."""

    def __init__(self, context: ServerContext, resources: Resources) -> None:
        super().__init__(context.model_name)
        self.ready = True
        self._context = context
        self._resources = resources
        self._pipeline = context.pipeline(resources)
        self._ledger: Ledger[VerbAnswer] = Ledger(
            capacity=LEDGER_CAPACITY,
            keep_s=LEDGER_S,
            keep=lambda answer: answer.outcome == PRODUCED,
        )
        histograms = (PRE_HIST_TIME, PREDICT_HIST_TIME, POST_HIST_TIME)
        self._clocks = tuple(each.labels(**get_labels(self.name)) for each in histograms)

    def get_input_types(self) -> list[dict[str, Any]]:
        """Describe the V2 input, for the model's metadata."""
        return tensors.INPUTS

    def get_output_types(self) -> list[dict[str, Any]]:
        """Describe the V2 outputs, for the model's metadata."""
        return tensors.OUTPUTS

    async def answer(self, body: bytes, deadline: float, headers: Headers = None) -> VerbAnswer:
        """Answer one V1 predict request before the deadline (event loop time, seconds).

        An event whose prediction was accepted before is answered from the record, and concurrent duplicates share their
        work, unless the caller requests another emission.
        """
        request = self._resources.requests.read(body)
        if isinstance(request, Skip):
            return skip_answer(request.reason)
        call = PredictCall(request, deadline)
        if isinstance(request, BatchRequest):
            label(form=type(request).__name__)
        else:
            label(form=type(request).__name__, wiki_id=request.wiki.wiki_id, rev_id=request.rev_id)
        is_ours = False

        async def run() -> VerbAnswer:
            nonlocal is_ours
            is_ours = True
            return await self._run_hooks(call, headers)

        if self._resources.producer is None or not isinstance(request, EventRequest):
            return await run()
        # Two events of one revision with different parents cannot both be correct, so they do not share an answer.
        # The key otherwise has the parts of the prediction's id, without the model and stream, which are constant.
        key = f"{request.change.identity}|{request.ref.parent_id}"
        answer = await self._ledger.once(key, run, again=_asks_again(headers))
        if not is_ours and answer.outcome == PRODUCED:
            label(repeated=1)
            self._resources.metrics.repeated.inc()
            return replace(answer, repeated=True)
        return answer

    async def __call__(
        self, body: Any, headers: Headers = None, verb: Any = kserve.model.InferenceVerb.PREDICT
    ) -> Any:
        """Run the hooks for a V2 request, which is counted and logged here; V1 requests come to `answer`."""
        if not isinstance(body, kserve.InferRequest):
            return await super().__call__(body, headers, verb)
        account = RequestAccount.of_headers(self._context.metrics, headers or {})
        with account:
            try:
                with self._context.admission.request():
                    answer = await super().__call__(body, headers, verb)
                account.outcome = "batch"
            except ServiceError as error:
                if body.from_grpc is True:
                    raise GrpcException(str(error), tensors.grpc_status(error)) from account.failed(error)
                raise account.failed(error) from error.__cause__
        return answer

    async def _run_hooks(self, call: PredictCall, headers: Headers) -> VerbAnswer:
        """Run the hooks as KServe's ``__call__`` does, with its metrics, but without its repeated look-ups."""
        preprocessing, predicting, postprocessing = self._clocks
        with preprocessing.time():
            fetched = await self.preprocess(call, headers)
        with predicting.time():
            scored = await self.predict(fetched, headers)
        with postprocessing.time():
            answer = await self.postprocess(scored, headers)
        assert isinstance(answer, VerbAnswer)  # noqa: S101 - only a V2 request is answered otherwise
        return answer

    async def preprocess(
        self, payload: PredictCall | kserve.InferRequest, headers: Headers = None
    ) -> FetchedJob | Skip | BatchCall:
        """Fetch the revisions of the request."""
        if isinstance(payload, kserve.InferRequest):
            deadline = asyncio.get_running_loop().time() + self._context.request_deadline
            batch = self._resources.requests.read_batch(tensors.instances(payload))
            return await self._fetch_all(batch, deadline, infer_request=payload)
        request = payload.request
        if isinstance(request, BatchRequest):
            return await self._fetch_all(request, payload.deadline)
        if isinstance(request, EventRequest | PartialEventRequest):
            unknown = self._resources.unknown_fields.count(request.event)
            if unknown:
                self._resources.metrics.unknown_fields.inc(unknown)
        return await self._pipeline.fetch(request, payload.deadline)

    async def predict(
        self, payload: FetchedJob | Skip | BatchCall, headers: Headers = None
    ) -> ScoredJob | Skip | BatchCall:
        """Score the fetched revisions."""
        if isinstance(payload, Skip):
            return payload
        if isinstance(payload, FetchedJob):
            return await self._pipeline.score(payload)
        outcomes = await _each(payload.outcomes, FetchedJob, self._pipeline.score)
        return BatchCall(payload.items, outcomes, payload.infer_request)

    async def postprocess(
        self, result: ScoredJob | Skip | BatchCall, headers: Headers = None
    ) -> VerbAnswer | kserve.InferResponse:
        """Build and emit events, and return the answer."""
        if isinstance(result, Skip):
            return skip_answer(result.reason)
        if isinstance(result, ScoredJob):
            outcome = await self._pipeline.emit(result)
            self._pipeline.note_answered(result)
            return scored_answer(result, outcome)
        for item_outcome in result.outcomes:
            self._resources.metrics.batch_items.labels(outcome_of_item(item_outcome)).inc()
            if isinstance(item_outcome, ScoredJob):
                self._pipeline.note_answered(item_outcome)
        answer = batch_answer(result.items, result.outcomes)
        if result.infer_request is not None:
            return tensors.response(result.infer_request, result.items, result.outcomes)
        return answer

    async def _fetch_all(
        self,
        batch: BatchRequest,
        deadline: float,
        infer_request: kserve.InferRequest | None = None,
    ) -> BatchCall:
        async def fetch(item: BatchItem) -> ItemOutcome:
            if isinstance(item.request, ServiceError):
                return item.request
            fetched = await self._pipeline.fetch(item.request, deadline)
            assert isinstance(fetched, FetchedJob)  # noqa: S101 - only events are skipped, and a batch has none
            return fetched

        outcomes = await _each(batch.items, BatchItem, fetch)
        return BatchCall(batch.items, outcomes, infer_request)


class StartingModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
    """A placeholder in the model repository, until the server's event loop runs and ``build`` makes the actual model.

    KServe registers its models before that. Until then HTTP is not served, but gRPC may be.
    """

    def __init__(
        self, context: ServerContext, build: Callable[[ServerContext, Resources], kserve.Model]
    ) -> None:
        super().__init__(context.model_name)
        self.context = context
        self.build = build

    async def healthy(self) -> bool:
        """Return False: nothing can be scored yet."""
        return False

    async def __call__(self, body: Any, headers: Headers = None, verb: Any = None) -> Any:
        """Refuse a call over gRPC."""
        error = NotReadyError("the server is starting")
        with RequestAccount.of_headers(self.context.metrics, headers or {}) as account:
            raise GrpcException(str(error), tensors.grpc_status(error)) from account.failed(error)


def _asks_again(headers: Headers) -> bool:
    return headers is not None and headers.get(REEMIT_HEADER) == "1"


async def _each(
    items: Iterable[Any], kind: type[Done], step: Callable[[Done], Awaitable[ItemOutcome]]
) -> tuple[ItemOutcome, ...]:
    """Apply a step to every item of one kind, concurrently; a failure of one does not affect the others."""

    async def attempt(item: Any) -> ItemOutcome:
        if not isinstance(item, kind):
            outcome: ItemOutcome = item
            return outcome
        try:
            return await step(item)
        except ServiceError as error:
            return error

    return tuple(await asyncio.gather(*(attempt(item) for item in items)))
