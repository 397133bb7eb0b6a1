"""What one event loop of the server works with: sessions, clients and the scorer, opened and closed together."""

import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp

from event_platform.eventgate import EventGateClient
from event_platform.page_change import PageChangeReader
from event_platform.prediction_change import PredictionEventBuilder
from event_platform.schemas import EventValidator, SchemaRepository
from event_platform.unknown_fields import UnknownFields
from event_platform.wikis import WikiTable
from model_server.batching import BatchScorer
from model_server.mediawiki import MediaWikiClient, raise_for_upstream
from model_server.metrics import Metrics
from model_server.requests import RequestReader
from model_server.settings import Settings
from revert_risk.prediction import Classifier

READING_CONTRACT = "/reading/mediawiki/page/change/1"
REVISION_DATA = "/reading/revision_data/1"
PUBLIC_HOST_CONNECTIONS = 3
"""What the public API allows one client at a time (T400119)."""
INTERNAL_CONNECTIONS = 100
CALLS_PER_WIKI = 3
"""Requests under way to one wiki; what comes meanwhile is asked together (T400119 allows three)."""


@dataclass(frozen=True, slots=True)
class Producer:
    """Where predictions go, on a server that emits."""

    builder: PredictionEventBuilder
    eventgate: EventGateClient


@dataclass(frozen=True, slots=True)
class Service:
    """The collaborators of the model's three hooks."""

    requests: RequestReader
    changes: PageChangeReader
    unknown_fields: UnknownFields
    mediawiki: MediaWikiClient
    supports: Callable[[str], bool]
    scorer: BatchScorer
    producer: Producer | None
    metrics: Metrics


@asynccontextmanager
async def open_service(
    settings: Settings, classifier: Classifier, wikis: WikiTable, metrics: Metrics
) -> AsyncIterator[Service]:
    """Open what the running event loop needs, and close it at the end."""
    repository = SchemaRepository()
    contract = repository.load(READING_CONTRACT)
    supports = settings.supports if settings.supported_wikis is not None else classifier.supports
    changes = PageChangeReader(
        EventValidator(contract),
        wikis,
        max_revision_bytes=settings.max_revision_bytes,
        supports=supports,
    )
    scorer = BatchScorer(
        classifier,
        batch_limit=settings.batch_limit,
        batch_size=metrics.batch_size,
    )
    per_host = PUBLIC_HOST_CONNECTIONS if settings.wiki_url is None else INTERNAL_CONNECTIONS
    async with (
        open_session(settings, per_host, raise_for_status=raise_for_upstream) as mediawiki_session,
        open_session(settings, INTERNAL_CONNECTIONS) as eventgate_session,
    ):
        try:
            yield Service(
                requests=RequestReader(
                    changes,
                    wikis,
                    EventValidator(repository.load(REVISION_DATA)),
                    lenient=settings.lenient_events,
                    allow_revision_data=settings.allow_revision_json_input,
                ),
                changes=changes,
                unknown_fields=UnknownFields(contract),
                mediawiki=MediaWikiClient(
                    mediawiki_session,
                    user_agent=settings.user_agent,
                    timeout=settings.aiohttp_client_timeout,
                    requests_seconds=metrics.mediawiki_seconds,
                    most_calls=CALLS_PER_WIKI,
                    wiki_url=settings.wiki_url,
                    force_http=settings.force_http,
                ),
                supports=supports,
                scorer=scorer,
                producer=_producer(settings, repository, eventgate_session),
                metrics=metrics,
            )
        finally:
            scorer.close()


def _producer(
    settings: Settings, repository: SchemaRepository, session: aiohttp.ClientSession
) -> Producer | None:
    if settings.eventgate_url is None or settings.eventgate_stream is None:
        return None
    return Producer(
        PredictionEventBuilder(repository, settings.eventgate_stream),
        EventGateClient(session, settings.eventgate_url, timeout=settings.aiohttp_client_timeout),
    )


def open_session(
    settings: Settings, connections_per_host: int, *, raise_for_status: object = False
) -> aiohttp.ClientSession:
    """Open a session with one TLS context and its own connection pool: made once, because both are dear."""
    tls = ssl.create_default_context(cafile=settings.tls_ca_bundle)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=tls, limit=0, limit_per_host=connections_per_host, keepalive_timeout=60
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": settings.user_agent},
        timeout=aiohttp.ClientTimeout(total=settings.aiohttp_client_timeout),
        raise_for_status=raise_for_status,  # type: ignore[arg-type]  # bool or an async callable
    )
