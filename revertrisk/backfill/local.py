"""Scores in this process, as the server does, and writes the predictions to a file instead of EventGate.

The steps are the model server's own, from reading a request to building the event. Only here does this package import
the model and the MediaWiki client.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import CollectorRegistry

from model_server.admission import Admission
from model_server.errors import EventRejectedError, ServiceError, failure_answer
from model_server.metrics import ServerMetrics
from model_server.pipeline import ScoredJob, ScoringPipeline
from model_server.resources import Resources, open_resources
from model_server.scoring_request import EventRequest
from model_server.settings import ServerSettingsError, Settings, read_settings
from model_server.startup import find_model
from revertrisk.backfill.prediction_file import PredictionFile
from revertrisk.backfill.settings import SettingsError
from revertrisk.backfill.target import Scorer, is_backfill
from revertrisk.dispatcher.client import ServiceAnswer
from revertrisk.dispatcher.rule_language.request import Request
from revertrisk.event_platform.page_change import Skip
from revertrisk.event_platform.prediction_change import (
    PredictedClassification,
    PredictionEventBuilder,
    UnbuildableEventError,
)
from revertrisk.event_platform.schemas import SchemaRepository
from revertrisk.event_platform.streams import BACKFILL_SUFFIX, PREDICTION_STREAMS
from revertrisk.runtime.instants import iso_z
from revertrisk.scoring.artifact import ArtifactError
from revertrisk.scoring.classifier import TorchClassifier, choose_device
from revertrisk.wiki.table import WikiTable

_OK: Final = 200


@dataclass(frozen=True, slots=True)
class LocalModel:
    """The model in this process."""

    scorer: Scorer
    settings: Settings
    classifier: TorchClassifier
    wikis: WikiTable

    @asynccontextmanager
    async def sending_to(self, out: PredictionFile) -> AsyncIterator["LocalSender"]:
        """Open the resources for scoring, in the running event loop."""
        metrics = ServerMetrics(CollectorRegistry())
        async with open_resources(self.settings, self.classifier, self.wikis, metrics) as resources:
            builder = PredictionEventBuilder(SchemaRepository(), self.scorer.stream)
            yield LocalSender(resources, self.settings, builder, out)


class LocalSender:
    """Answers the dispatcher's requests as a server does."""

    def __init__(
        self, resources: Resources, settings: Settings, builder: PredictionEventBuilder, out: PredictionFile
    ) -> None:
        self._requests = resources.requests
        self._pipeline = ScoringPipeline(
            resources,
            Admission(settings.queue_limit),
            verify_strictly=True,
            max_revision_bytes=settings.max_revision_bytes,
        )
        self._deadline_s = settings.request_deadline
        self._builder = builder
        self._out = out

    async def send(self, request: Request, *, retry: int, timeout_s: float) -> ServiceAnswer:
        """Score the event of a request, and write its prediction; raises OutputError if it cannot be written."""
        try:
            outcome = await self._answer(request.body or b"")
        except ServiceError as error:
            failure = failure_answer(error, request.request_id)
            retry_after = failure.headers.get("retry-after")
            return ServiceAnswer(
                failure.status,
                code=failure.code,
                retry_after_s=None if retry_after is None else float(retry_after),
            )
        return ServiceAnswer(_OK, outcome=outcome)

    async def _answer(self, body: bytes) -> str:
        request = self._requests.read(body)
        if isinstance(request, Skip):
            return f"skipped:{request.reason}"
        assert isinstance(request, EventRequest)  # noqa: S101 - the rule sends events, and lenient_events is off
        deadline = asyncio.get_running_loop().time() + self._deadline_s
        fetched = await self._pipeline.fetch(request, deadline)
        if isinstance(fetched, Skip):
            return f"skipped:{fetched.reason}"
        scored = await self._pipeline.score(fetched)
        await self._out.append(self._built(request, scored))
        return "produced"

    def _built(self, request: EventRequest, scored: ScoredJob) -> dict[str, Any]:
        prediction = scored.prediction
        predicted = PredictedClassification(
            prediction.model_name,
            prediction.model_version,
            prediction.is_revert_predicted,
            prediction.probability,
        )
        try:
            event = self._builder.build(request.change, predicted, scored.job.scorable.redactions)
        except UnbuildableEventError as exc:
            raise EventRejectedError("the prediction event is not valid by its own schema") from exc
        # As EventGate would set it.
        event["meta"]["dt"] = iso_z(datetime.now(UTC))
        return event


def load_model(wikis: WikiTable, *, wiki_url: str | None, user_agent: str) -> LocalModel:
    """Load the model that the server's environment variables name (``MODEL_NAME``, ``MODEL_PATH``, …).

    Raises:
        SettingsError: a variable has an invalid value.

    """
    try:
        settings = read_settings(
            wiki_url=wiki_url,
            user_agent=user_agent,
            eventgate_url=None,
            eventgate_stream=None,
            lenient_events=False,
            verify_event=None,
        )
        classifier = TorchClassifier.load(find_model(settings).path, choose_device(settings.device))
    except ServerSettingsError as exc:
        raise SettingsError(str(exc)) from exc
    except ArtifactError as exc:
        raise SettingsError(f"MODEL_PATH: {exc}") from exc
    except ValueError as exc:
        raise SettingsError(f"DEVICE: {exc}") from exc
    supports = settings.supports if settings.supported_wikis is not None else classifier.supports
    scorer = Scorer(
        classifier.name,
        classifier.version,
        _stream(classifier.name),
        frozenset(wiki.wiki_id for wiki in wikis if wiki.is_scorable and supports(wiki.wiki_id)),
        settings.max_revision_bytes,
    )
    return LocalModel(scorer, settings, classifier, wikis)


def _stream(model_name: str) -> str:
    """Return the stream of the predictions, since their ``meta.id`` depends on it."""
    given = os.environ.get("EVENTGATE_STREAM")
    if given:
        if not is_backfill(given):
            raise SettingsError(f"EVENTGATE_STREAM: expected a stream that ends in {BACKFILL_SUFFIX}")
        return given
    live = PREDICTION_STREAMS.get(model_name)
    if live is None:
        raise SettingsError(
            f"EVENTGATE_STREAM: required for {model_name}: the stream to which a server would send the predictions"
        )
    return live + BACKFILL_SUFFIX
