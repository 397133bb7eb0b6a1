"""What a server process has from its start to its end: settings and loaded things that outlive any one event loop."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from model_server.admission import Admission
from model_server.metrics import ServerMetrics
from model_server.pipeline import ScoringPipeline
from model_server.resources import Resources, open_resources
from model_server.settings import Settings
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.scoring.explanation import Explainer
from revertrisk.scoring.prediction import Classifier
from revertrisk.wiki.table import WikiTable


async def _no_grpc() -> None:
    """Wait for nothing."""


def _nothing() -> None:
    """Do nothing."""


class Lifecycle:
    """Whether this process still wants new work: it shuts down without losing a request.

    A refused connection is final for change-propagation, so on SIGTERM the server first says that it is not ready,
    continues to serve while the load balancers take notice, and only then closes its listener.
    """

    def __init__(self, shutdown_delay_s: float) -> None:
        """``shutdown_delay_s`` is in seconds, from the signal to the closing of the listener."""
        self._shutdown_delay_s = shutdown_delay_s
        self._closes_at: float | None = None
        self._is_ready = False
        self._tell: Callable[[], None] = _nothing
        self.finish_grpc = _no_grpc
        """Takes no new calls over gRPC, and waits for those in flight; whoever listens for them sets it."""

    @property
    def is_serving(self) -> bool:
        """True from the moment when the model can score to the signal."""
        return self._is_ready and not self.draining

    @property
    def draining(self) -> bool:
        """True from the signal on."""
        return self._closes_at is not None

    @property
    def should_close(self) -> bool:
        """True once the delay has passed."""
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def begin(self) -> None:
        """Note that the model can score."""
        self._is_ready = True
        self._tell()

    def drain(self) -> None:
        """Begin to shut down; a second call closes at once."""
        delay = 0.0 if self.draining else self._shutdown_delay_s
        self._closes_at = time.monotonic() + delay
        self._tell()

    def watch(self, tell: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have ``tell`` run in the running event loop whenever :attr:`is_serving` changes."""
        loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

        def start() -> None:
            task = loop.create_task(tell())
            running.add(task)
            task.add_done_callback(running.discard)

        def soon() -> None:
            loop.call_soon_threadsafe(start)  # a signal may come while the loop is asleep

        self._tell = soon


class ServerContext:
    """What every part of one server process shares."""

    def __init__(
        self, settings: Settings, classifier: Classifier, wikis: WikiTable, metrics: ServerMetrics
    ) -> None:
        self.metrics = metrics
        self.admission = Admission(settings.queue_limit)
        self.model_name, self.model_version = classifier.name, classifier.version
        self.lifecycle = Lifecycle(settings.shutdown_delay_seconds)
        self.http_host = settings.http_host
        self.has_siblings = settings.workers > 1
        self.request_deadline = settings.request_deadline
        self.max_head_bytes = settings.max_head_bytes
        self.max_body_bytes = settings.max_body_bytes
        self._settings = settings
        self._classifier = classifier
        self._wikis = wikis

    @property
    def explainer(self) -> Explainer | None:
        """The model, if it can take its scores apart."""
        return self._classifier if isinstance(self._classifier, Explainer) else None

    def pipeline(self, resources: Resources) -> ScoringPipeline:
        """Return the steps of a request's path, over the collaborators of the running event loop."""
        return ScoringPipeline(
            resources,
            self.admission,
            verify_strictly=self._settings.verifies_strictly,
            max_revision_bytes=self._settings.max_revision_bytes,
        )

    def about(self) -> dict[str, Any]:
        """Return what the server says of itself on ``GET /v1/about``.

        ``revertrisk backfill`` asks before it sends anything, and refuses a server that writes to a live stream.
        ``stream`` is None on a server that only scores.
        """
        settings = self._settings
        supports = settings.supports if settings.supported_wikis is not None else self._classifier.supports
        return {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "stream": settings.eventgate_stream,
            "schema": PREDICTION_SCHEMA,
            "lenient": settings.lenient_events,
            "max_revision_bytes": settings.max_revision_bytes,
            "wikis": sorted(
                wiki.wiki_id for wiki in self._wikis if wiki.is_scorable and supports(wiki.wiki_id)
            ),
        }

    def open_resources(self) -> AbstractAsyncContextManager[Resources]:
        """Open the collaborators of the running event loop."""
        return open_resources(self._settings, self._classifier, self._wikis, self.metrics)
