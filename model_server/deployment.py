"""What a server process is deployed with: settings and loaded things that outlive any one event loop."""

from contextlib import AbstractAsyncContextManager
from typing import Any

from model_server.about import about
from model_server.admission import Admission
from model_server.lifecycle import Lifecycle
from model_server.metrics import Metrics
from model_server.pipeline import Pipeline
from model_server.resources import Service, open_service
from model_server.settings import Settings
from revertrisk.scoring.explanation import Explainer
from revertrisk.scoring.prediction import Classifier
from revertrisk.wiki.table import WikiTable


class Deployment:
    """The composition that the REST layer finds on the model."""

    def __init__(
        self, settings: Settings, classifier: Classifier, wikis: WikiTable, metrics: Metrics
    ) -> None:
        self.metrics = metrics
        self.admission = Admission(settings.queue_limit)
        self.model_identity = (classifier.name, classifier.version)
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

    def pipeline(self, service: Service) -> Pipeline:
        """Return the steps of the path over a service."""
        return Pipeline(
            service,
            self.admission,
            verify_strictly=self._settings.verifies_strictly,
            max_revision_bytes=self._settings.max_revision_bytes,
        )

    def about(self) -> dict[str, Any]:
        """Return what the server says of itself."""
        named = self._settings.supported_wikis is not None
        supports = self._settings.supports if named else self._classifier.supports
        return about(self._settings, self.model_identity, self._wikis, supports)

    def open_service(self) -> AbstractAsyncContextManager[Service]:
        """Open the collaborators of the running event loop."""
        return open_service(self._settings, self._classifier, self._wikis, self.metrics)
