"""The KServe model: preprocess fetches, predict scores, postprocess builds and emits."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kserve

from event_platform import eventgate, page_change
from event_platform.page_change import Skip, SkipReason
from event_platform.prediction_change import PredictedClassification, UnbuildableEventError
from model_server import evidence, lenient
from model_server.deployment import Deployment
from model_server.errors import (
    EventGateUnavailableError,
    EventRejectedError,
    InvalidEventError,
    MediaWikiUnavailableError,
    OverloadedError,
    UnscorableError,
)
from model_server.evidence import Evidence
from model_server.logs import label
from model_server.mediawiki import FetchedRevision
from model_server.requests import DirectRequest, EventRequest, PartialEventRequest, ScoringRequest
from model_server.service import Producer, Service
from revert_risk.prediction import Prediction

logger = logging.getLogger(__name__)

Headers = Mapping[str, str] | None
LAG_RETRY_SECONDS = 1.0
"""How long to wait, once, for a revision that is on its way to the replicas."""


@dataclass(frozen=True, slots=True)
class PredictCall:
    """One HTTP predict request: its body, and when it must be answered (event loop time, seconds)."""

    body: bytes
    deadline: float


@dataclass(frozen=True, slots=True)
class FetchedJob:
    """A request with the revision it is about."""

    request: EventRequest | DirectRequest
    evidence: Evidence
    deadline: float


@dataclass(frozen=True, slots=True)
class ScoredJob:
    """A request with its score."""

    job: FetchedJob
    prediction: Prediction


@dataclass(frozen=True, slots=True)
class Answer:
    """What to tell the caller; ``outcome`` counts it, and an event's caller sees it in a header."""

    body: dict[str, Any]
    outcome: str
    for_event: bool


class RevertRiskModel(kserve.Model):  # type: ignore[misc]  # kserve ships no types
    """Scores revisions; its collaborators are there once the server's event loop runs."""

    service: Service

    def __init__(
        self, name: str, deployment: Deployment, *, verify_strictly: bool, max_revision_bytes: int
    ) -> None:
        super().__init__(name)
        self.deployment = deployment
        self._verify_strictly = verify_strictly
        self._max_revision_bytes = max_revision_bytes

    async def preprocess(self, payload: PredictCall, headers: Headers = None) -> FetchedJob | Skip:
        """Receive, resolve and fetch."""
        request = self.service.requests.read(payload.body)
        if isinstance(request, Skip):
            return request
        ref = request.ref
        if not isinstance(request, DirectRequest):
            self.service.metrics.unknown_fields.inc(self.service.unknown_fields.count(request.event))
        label(wiki_id=ref.wiki.wiki_id, rev_id=ref.rev_id)
        if not self.service.classifier.supports(ref.wiki.wiki_id):
            return _skip(request, SkipReason.UNSUPPORTED_WIKI)
        try:
            async with asyncio.timeout_at(payload.deadline):
                fetched = await self._fetch(request)
        except TimeoutError as exc:
            raise MediaWikiUnavailableError("the MediaWiki API did not answer in time") from exc
        if isinstance(request, PartialEventRequest):
            completed = self._complete(request, fetched)
            if isinstance(completed, Skip):
                return completed
            request = completed
        if isinstance(request, EventRequest):
            self._verify(request, fetched)
        return self._weigh(request, fetched, payload.deadline)

    async def predict(self, payload: FetchedJob | Skip, headers: Headers = None) -> ScoredJob | Skip:
        """Score."""
        if isinstance(payload, Skip):
            return payload
        try:
            async with asyncio.timeout_at(payload.deadline):
                prediction = await self.service.scorer.score(payload.evidence.revision)
        except TimeoutError as exc:
            raise OverloadedError("the revision was not scored in time") from exc
        return ScoredJob(payload, prediction)

    async def postprocess(self, result: ScoredJob | Skip, headers: Headers = None) -> Answer:
        """Build and emit, and say what happened."""
        if isinstance(result, Skip):
            body = {"skipped": True, "reason": result.reason.value}
            return Answer(body, f"skipped:{result.reason.value}", for_event=True)
        request = result.job.request
        prediction = result.prediction
        self.service.metrics.probability.observe(prediction.probability)
        outcome = "direct"
        if isinstance(request, EventRequest):
            outcome = "scored_only"
            if self.service.producer is not None:
                await self._emit(self.service.producer, request, result)
                outcome = "produced"
        return Answer(_score_body(request, prediction), outcome, isinstance(request, EventRequest))

    async def _fetch(self, request: ScoringRequest) -> FetchedRevision:
        fetched = await self.service.mediawiki.fetch(request.ref)
        received_at = request.change.received_at if isinstance(request, EventRequest) else None
        if not evidence.may_still_appear(received_at, fetched, now=evidence.utc_now()):
            return fetched
        await asyncio.sleep(LAG_RETRY_SECONDS)
        fetched = await self.service.mediawiki.fetch(request.ref)
        if evidence.may_still_appear(received_at, fetched, now=evidence.utc_now()):
            raise evidence.lagging()
        return fetched

    def _complete(self, request: PartialEventRequest, fetched: FetchedRevision) -> EventRequest | Skip:
        """Lenient mode: fill the event in from the API, then read it as strictly as any other."""
        if fetched.revision is None:
            return Skip(SkipReason.REVISION_MISSING)
        event, changed = lenient.complete(request.event, request.ref.wiki, fetched.revision)
        if changed:
            logger.warning("Event completed from the MediaWiki API: %s", ", ".join(changed))
        try:
            change = self.service.changes.read(event)
        except page_change.InvalidEventError as exc:
            raise InvalidEventError(exc.violations) from exc
        ref = self.service.changes.resolve(change)
        return ref if isinstance(ref, Skip) else EventRequest(change, ref)

    def _verify(self, request: EventRequest, fetched: FetchedRevision) -> None:
        differing = evidence.verify(request, fetched)
        if not differing:
            return
        if self._verify_strictly:
            raise evidence.mismatch(differing)
        logger.warning("Event differs from the MediaWiki API: %s", ", ".join(differing))

    def _weigh(
        self, request: EventRequest | DirectRequest, fetched: FetchedRevision, deadline: float
    ) -> FetchedJob | Skip:
        change = request.change if isinstance(request, EventRequest) else None
        weighed = evidence.weigh(
            request.ref,
            fetched,
            change.editor if change is not None else None,
            page_is_told=change is not None and change.tells_page,
            max_bytes=self._max_revision_bytes,
            now=evidence.utc_now(),
        )
        if isinstance(weighed, Skip):
            return _skip(request, weighed.reason)
        self.service.metrics.revision_bytes.observe(fetched.revision.size if fetched.revision else 0)
        return FetchedJob(request, weighed, deadline)

    async def _emit(self, producer: Producer, request: EventRequest, scored: ScoredJob) -> None:
        prediction = scored.prediction
        predicted = PredictedClassification(
            prediction.model_name, prediction.model_version, prediction.prediction, prediction.probability
        )
        metrics = self.service.metrics
        outcome = "accepted"
        started = asyncio.get_running_loop().time()
        try:
            event = producer.builder.build(request.change, predicted, scored.job.evidence.redactions)
            async with asyncio.timeout_at(scored.job.deadline):
                await producer.eventgate.produce(event)
        except UnbuildableEventError as exc:
            outcome = "unbuildable"
            logger.error("The prediction event is not valid, see %s", exc)  # noqa: TRY400 - pointers say it all
            raise EventRejectedError("the prediction event is not valid by its own schema") from exc
        except eventgate.EventRejectedError as exc:
            outcome = "rejected"
            logger.error("EventGate refused event: %s %s", exc.reason, "; ".join(exc.faults))  # noqa: TRY400
            raise EventRejectedError(f"EventGate refused the prediction event: {exc.reason}") from exc
        except (eventgate.EventGateUnavailableError, TimeoutError) as exc:
            outcome = "unavailable"
            raise EventGateUnavailableError("EventGate did not accept the prediction in time") from exc
        finally:
            metrics.eventgate_seconds.labels(outcome).observe(asyncio.get_running_loop().time() - started)
        now = evidence.utc_now()
        metrics.last_accepted.set(now.timestamp())
        if request.change.received_at is not None:
            metrics.event_lag.observe(max(0.0, (now - request.change.received_at).total_seconds()))


def _skip(request: ScoringRequest, reason: SkipReason) -> Skip:
    """Skip an event; a direct call for the same revision is refused with the same code."""
    if isinstance(request, DirectRequest):
        raise UnscorableError(reason)
    return Skip(reason)


def _score_body(request: EventRequest | DirectRequest, prediction: Prediction) -> dict[str, Any]:
    return {
        "model_name": prediction.model_name,
        "model_version": prediction.model_version,
        "wiki_db": request.ref.wiki.wiki_id,
        "revision_id": request.ref.rev_id,
        "output": {"prediction": prediction.prediction, "probabilities": prediction.probabilities},
    }
