"""The resources of one event loop of the server: HTTP clients, readers and the scorer, opened and closed together."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass

from model_server.batching import BatchScorer
from model_server.mediawiki import MAX_ANSWER_BYTES, MediaWikiClient
from model_server.metrics import ServerMetrics
from model_server.page_history import PageHistoryScorer
from model_server.request_reader import RequestReader
from model_server.settings import Settings
from revertrisk.event_platform.eventgate import EventGateClient
from revertrisk.event_platform.page_change import READING_CONTRACT, PageChangeReader
from revertrisk.event_platform.prediction_change import PredictionEventBuilder
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository, UnknownFields
from revertrisk.runtime.http_client import HttpClient
from revertrisk.scoring.official import needs_page_history
from revertrisk.scoring.prediction import Classifier
from revertrisk.wiki.revision_facts import PUBLIC_CONNECTIONS
from revertrisk.wiki.table import WikiTable

REVISION_DATA = "/reading/revision_data/1"
INTERNAL_CONNECTIONS = 100
MAX_REFUSAL_BYTES = 2**20
"""The limit of EventGate's answers; only a refusal is long, since it repeats the event."""
CALLS_PER_WIKI = 3
"""The most concurrent requests to one wiki (T400119 allows three); requests that wait are coalesced."""


@dataclass(frozen=True, slots=True)
class PredictionProducer:
    """Builds and sends prediction events, on a server that emits."""

    builder: PredictionEventBuilder
    eventgate: EventGateClient


@dataclass(frozen=True, slots=True)
class Resources:
    """The objects that the model's three hooks use."""

    requests: RequestReader
    changes: PageChangeReader
    unknown_fields: UnknownFields
    mediawiki: MediaWikiClient
    supports: Callable[[str], bool]
    scorer: BatchScorer | PageHistoryScorer
    producer: PredictionProducer | None
    metrics: ServerMetrics


@asynccontextmanager
async def open_resources(
    settings: Settings, classifier: Classifier, wikis: WikiTable, metrics: ServerMetrics
) -> AsyncIterator[Resources]:
    """Open the resources in the running event loop, and close them at the end."""
    repository = SchemaRepository()
    contract = repository.load(READING_CONTRACT)
    supports = settings.supports if settings.supported_wikis is not None else classifier.supports
    changes = PageChangeReader(
        EventValidator(contract),
        wikis,
        max_revision_bytes=settings.max_revision_bytes,
        supports=supports,
    )
    public = PUBLIC_CONNECTIONS // settings.workers  # all workers together may open PUBLIC_CONNECTIONS
    per_host = public if settings.wiki_url is None else INTERNAL_CONNECTIONS
    async with (
        open_http(settings, per_host, MAX_ANSWER_BYTES) as mediawiki_http,
        open_http(settings, INTERNAL_CONNECTIONS, MAX_REFUSAL_BYTES) as eventgate_http,
    ):
        mediawiki = MediaWikiClient(
            mediawiki_http,
            user_agent=settings.user_agent,
            timeout=settings.aiohttp_client_timeout,
            requests_seconds=metrics.mediawiki_seconds,
            max_calls=min(CALLS_PER_WIKI, per_host),
            wiki_url=settings.wiki_url,
            force_http=settings.force_http,
        )
        with closing(
            BatchScorer(classifier, batch_limit=settings.batch_limit, batch_size=metrics.batch_size)
        ) as scorer:
            yield Resources(
                requests=RequestReader(
                    changes,
                    wikis,
                    EventValidator(repository.load(REVISION_DATA)),
                    lenient=settings.lenient_events,
                    allow_revision_data=settings.allow_revision_json_input,
                ),
                changes=changes,
                unknown_fields=UnknownFields(contract),
                mediawiki=mediawiki,
                supports=supports,
                scorer=PageHistoryScorer(scorer, mediawiki, wikis)
                if needs_page_history(classifier)
                else scorer,
                producer=_producer(settings, repository, eventgate_http),
                metrics=metrics,
            )


def _producer(
    settings: Settings, repository: SchemaRepository, http: HttpClient
) -> PredictionProducer | None:
    if settings.eventgate_url is None or settings.eventgate_stream is None:
        return None
    return PredictionProducer(
        PredictionEventBuilder(repository, settings.eventgate_stream),
        EventGateClient(
            http,
            settings.eventgate_url,
            user_agent=settings.user_agent,
            timeout=settings.aiohttp_client_timeout,
        ),
    )


def open_http(settings: Settings, connections_per_origin: int, max_body_bytes: int) -> HttpClient:
    """Return a client with a TLS context and its own connections. It is created once, since both are expensive."""
    return HttpClient(
        tls=ssl.create_default_context(cafile=settings.tls_ca_bundle),
        connections_per_origin=connections_per_origin,
        max_body_bytes=max_body_bytes,
    )
