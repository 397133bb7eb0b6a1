"""The state of a server process from its start to its end: settings, the model, metrics and the lifecycle."""

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
    """Return at once: there is no gRPC server."""


def _nothing() -> None:
    """Do nothing."""


class Lifecycle:
    """The states of a server process: starting, serving, draining. It shuts down without losing a request.

    For change-propagation a refused connection is final. So after SIGTERM the server first reports that it is not
    ready, continues to serve until load balancers have removed it, and only then closes its listener.
    """

    def __init__(self, shutdown_delay_s: float) -> None:
        """Take the seconds from the signal to the closing of the listener."""
        self._shutdown_delay_s = shutdown_delay_s
        self._closes_at: float | None = None
        self._is_ready = False
        self._notify: Callable[[], None] = _nothing
        self.finish_grpc = _no_grpc
        """Accepts no new gRPC calls, and waits for those in flight; the gRPC server sets it."""

    @property
    def is_serving(self) -> bool:
        """True from when the model can score until the signal."""
        return self._is_ready and not self.draining

    @property
    def draining(self) -> bool:
        """True after the signal."""
        return self._closes_at is not None

    @property
    def should_close(self) -> bool:
        """True when the delay has passed."""
        return self._closes_at is not None and time.monotonic() >= self._closes_at

    def begin(self) -> None:
        """Record that the model can score."""
        self._is_ready = True
        self._notify()

    def drain(self) -> None:
        """Start to shut down; a second call closes at once."""
        delay = 0.0 if self.draining else self._shutdown_delay_s
        self._closes_at = time.monotonic() + delay
        self._notify()

    def watch(self, on_change: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run ``on_change`` in the running event loop whenever :attr:`is_serving` changes."""
        loop = asyncio.get_running_loop()
        running: set[asyncio.Task[None]] = set()  # the loop itself keeps only weak references

        def start() -> None:
            task = loop.create_task(on_change())
            running.add(task)
            task.add_done_callback(running.discard)

        def soon() -> None:
            loop.call_soon_threadsafe(start)  # wakes up the loop, in case a signal comes while it waits

        self._notify = soon


class ServerContext:
    """The objects that all parts of one server process share."""

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
        """The model, if it can explain its scores, otherwise None."""
        return self._classifier if isinstance(self._classifier, Explainer) else None

    def pipeline(self, resources: Resources) -> ScoringPipeline:
        """Return the steps of a request, with the resources of the running event loop."""
        return ScoringPipeline(
            resources,
            self.admission,
            verify_strictly=self._settings.verifies_strictly,
            max_revision_bytes=self._settings.max_revision_bytes,
        )

    def about(self) -> dict[str, Any]:
        """Return the body of ``GET /v1/about``.

        ``revertrisk backfill`` reads it before it sends anything, and refuses a server that writes to a live stream.
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
        """Open the resources of the running event loop."""
        return open_resources(self._settings, self._classifier, self._wikis, self.metrics)
