"""The steps of one request: fetch, score, build and emit.

`request_reader.py` has received and resolved it before; KServe's hooks call these steps (`model.py`).
"""

import asyncio
import logging
from collections import OrderedDict
from dataclasses import dataclass

from model_server import eligibility, lenient
from model_server.admission import Admission
from model_server.eligibility import ScorableRevision
from model_server.errors import (
    EventGateUnavailableError,
    EventRejectedError,
    InvalidEventError,
    UnscorableError,
)
from model_server.mediawiki import FetchedRevision
from model_server.metrics import by_label
from model_server.resources import PredictionProducer, Resources
from model_server.scoring_request import (
    DirectRequest,
    EventRequest,
    PartialEventRequest,
    RevisionDataRequest,
    ScoringRequest,
)
from revertrisk.event_platform import eventgate, page_change, streams
from revertrisk.event_platform.page_change import Skip, SkipReason
from revertrisk.event_platform.prediction_change import PredictedClassification, UnbuildableEventError
from revertrisk.runtime.logs import label, timed
from revertrisk.scoring.prediction import Prediction

logger = logging.getLogger(__name__)

LAG_RETRY_S = 1.0
"""The pause before the one retry for a revision that may not have reached the replicas yet."""

PRODUCED = "produced"
KEPT_SCORES = 10_000
"""The most scores that are kept while EventGate is unavailable."""

AnyRequest = EventRequest | DirectRequest | RevisionDataRequest


@dataclass(frozen=True, slots=True)
class FetchedJob:
    """A request with its revision, to be answered before ``deadline`` (event loop time, seconds)."""

    request: AnyRequest
    scorable: ScorableRevision
    deadline: float


@dataclass(frozen=True, slots=True)
class ScoredJob:
    """A request with its score."""

    job: FetchedJob
    prediction: Prediction


class ScoringPipeline:
    """The steps between a request and its answer, with the resources that they use."""

    def __init__(
        self, resources: Resources, admission: Admission, *, verify_strictly: bool, max_revision_bytes: int
    ) -> None:
        self._resources = resources
        self._admission = admission
        self._eventgate_seconds = by_label(resources.metrics.eventgate_seconds)
        self._kept: OrderedDict[int, Prediction] = OrderedDict()
        self._verify_strictly = verify_strictly
        self._max_revision_bytes = max_revision_bytes

    async def fetch(self, request: ScoringRequest, deadline: float) -> FetchedJob | Skip:
        """Return the revision, or the reason why its event is skipped; for a direct call that reason is an error."""
        if not self._resources.supports(request.wiki.wiki_id):
            return _skip(request, SkipReason.UNSUPPORTED_WIKI)
        if isinstance(request, RevisionDataRequest):
            return self._take_as_given(request, deadline)
        with timed("fetch"), self._admission.wiki(request.wiki.wiki_id):
            fetched = await self._ask_mediawiki(request, deadline)
        if isinstance(request, PartialEventRequest):
            completed = self._complete(request, fetched)
            if isinstance(completed, Skip):
                return completed
            request = completed
        if isinstance(request, EventRequest):
            self._verify(request, fetched)
        return self._assess(request, fetched, deadline)

    async def score(self, job: FetchedJob) -> ScoredJob:
        """Score the revision in the worker thread, or use the kept score of a try in which only EventGate failed."""
        # The key is a hash of both texts, so it is computed only if any score is kept.
        if self._kept and isinstance(job.request, EventRequest):
            kept = self._kept.pop(_kept_key(job), None)
            if kept is not None:
                return ScoredJob(job, kept)
        with timed("score"):
            prediction = await self._resources.scorer.score(job.scorable.revision, job.deadline)
        return ScoredJob(job, prediction)

    def note_answered(self, scored: ScoredJob) -> None:
        """Count a score that is about to be answered."""
        self._resources.metrics.probability.observe(scored.prediction.probability)

    async def emit(self, scored: ScoredJob) -> str:
        """Produce an event's prediction to the stream, wait until it is accepted, and return the outcome."""
        request = scored.job.request
        if not isinstance(request, EventRequest):
            return "direct"
        if self._resources.producer is None:
            return "scored_only"
        with timed("emit"):
            await self._produce(self._resources.producer, request, scored)
        now = eligibility.utc_now()
        metrics = self._resources.metrics
        metrics.last_accepted.set(now.timestamp())
        received_at = request.change.received_at
        if received_at is not None:
            metrics.event_lag.observe(max(0.0, (now - received_at).total_seconds()))
        return PRODUCED

    async def _ask_mediawiki(
        self, request: EventRequest | PartialEventRequest | DirectRequest, deadline: float
    ) -> FetchedRevision:
        fetched = await self._resources.mediawiki.fetch(request.ref, deadline)
        if eligibility.is_complete(fetched) or isinstance(request, DirectRequest):
            return fetched
        received_at = streams.received_at(request.event)
        if not eligibility.may_still_appear(received_at, now=eligibility.utc_now()):
            return fetched
        await asyncio.sleep(LAG_RETRY_S)
        fetched = await self._resources.mediawiki.fetch(request.ref, deadline)
        if not eligibility.is_complete(fetched) and eligibility.may_still_appear(
            received_at, now=eligibility.utc_now()
        ):
            raise eligibility.lagging(received_at)
        return fetched

    def _take_as_given(self, request: RevisionDataRequest, deadline: float) -> FetchedJob:
        reason = eligibility.unscorable_texts(
            request.revision.text, request.revision.parent.text, self._max_revision_bytes
        )
        if reason is not None:
            raise UnscorableError(reason)
        return FetchedJob(request, ScorableRevision(request.revision), deadline)

    def _complete(self, request: PartialEventRequest, fetched: FetchedRevision) -> EventRequest | Skip:
        """Lenient mode: complete the event from the API, then check it as strictly as any other."""
        if fetched.revision is None:
            return Skip(SkipReason.REVISION_MISSING)
        event, added, replaced = lenient.complete(request.event, request.ref.wiki, fetched.revision)
        if added:
            logger.warning("Event completed from the MediaWiki API: %s", ", ".join(added))
        if replaced:
            logger.warning(
                "Event differs from the MediaWiki API, whose values are used: %s", ", ".join(replaced)
            )
        try:
            change = self._resources.changes.read(event)
            ref = self._resources.changes.resolve(change)
        except page_change.InvalidPageChangeError as exc:
            raise InvalidEventError(exc.violations) from exc
        return ref if isinstance(ref, Skip) else EventRequest(ref, change)

    def _verify(self, request: EventRequest, fetched: FetchedRevision) -> None:
        differing = eligibility.differing_fields(request, fetched)
        if not differing:
            return
        if self._verify_strictly:
            raise eligibility.mismatch_error(differing)
        logger.warning("Event differs from the MediaWiki API: %s", ", ".join(differing))

    def _assess(
        self, request: EventRequest | DirectRequest, fetched: FetchedRevision, deadline: float
    ) -> FetchedJob | Skip:
        change = request.change if isinstance(request, EventRequest) else None
        assessed = eligibility.assess(
            request.ref,
            fetched,
            change.editor if change is not None else None,
            page_is_known=change is not None and change.describes_page,
            max_bytes=self._max_revision_bytes,
        )
        if isinstance(assessed, Skip):
            return _skip(request, assessed.reason)
        self._resources.metrics.revision_bytes.observe(fetched.revision.size if fetched.revision else 0)
        return FetchedJob(request, assessed, deadline)

    async def _produce(self, producer: PredictionProducer, request: EventRequest, scored: ScoredJob) -> None:
        prediction = scored.prediction
        predicted = PredictedClassification(
            prediction.model_name,
            prediction.model_version,
            prediction.is_revert_predicted,
            prediction.probability,
        )
        outcome = "failed"
        started = asyncio.get_running_loop().time()
        try:
            event = producer.builder.build(request.change, predicted, scored.job.scorable.redactions)
            label(event_id=event["meta"]["id"])
            await producer.eventgate.produce(event, scored.job.deadline)
            outcome = "accepted"
        except UnbuildableEventError as exc:
            outcome = "unbuildable"
            label(faults=str(exc))
            raise EventRejectedError("the prediction event is not valid by its own schema") from exc
        except eventgate.GateRejectedError as exc:
            outcome = "rejected"
            label(faults="; ".join(exc.faults))
            raise EventRejectedError(f"EventGate refused the prediction event: {exc.reason}") from exc
        except eventgate.GateUnavailableError as exc:
            outcome = "maybe_accepted" if exc.maybe_produced else "unavailable"
            self._keep(scored)
            raise EventGateUnavailableError(f"EventGate did not accept the prediction: {exc.reason}") from exc
        finally:
            self._eventgate_seconds(outcome).observe(asyncio.get_running_loop().time() - started)

    def _keep(self, scored: ScoredJob) -> None:
        """Keep a score for the dispatcher's next try (E2)."""
        self._kept[_kept_key(scored.job)] = scored.prediction
        while len(self._kept) > KEPT_SCORES:
            self._kept.popitem(last=False)


def _kept_key(job: FetchedJob) -> int:
    """Return the key of a score: a hash of all that it is computed from. If a part is hidden since, the key differs."""
    return hash(job.scorable.revision)


def _skip(request: ScoringRequest, reason: SkipReason) -> Skip:
    """Skip an event; a direct call for the same revision is refused with the same code."""
    if isinstance(request, DirectRequest | RevisionDataRequest):
        raise UnscorableError(reason)
    return Skip(reason)
