"""All metrics of the server."""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from model_server.errors import every_code
from revertrisk.event_platform.page_change import SkipReason

GOOD_OUTCOMES = ("produced", "scored_only", "direct", "batch", "client_gone")
LATENCY_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
Metric = TypeVar("Metric", Counter, Histogram)


class ServerMetrics:
    """The server's metrics, registered with the given registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "revertrisk_requests_total",
            "Predict requests by how they ended; each request counts exactly once.",
            ["outcome"],
            registry=registry,
        )
        # All series exist from the start: a series that starts with its first failure shows no increase.
        for outcome in (*GOOD_OUTCOMES, *(f"skipped:{reason}" for reason in SkipReason), *every_code()):
            self.requests.labels(outcome)
        self.requests_ended = by_label(self.requests)
        self.repeated = Counter(
            "revertrisk_repeated_answers_total",
            "Events answered from the record, or with the result of another delivery under way.",
            registry=registry,
        )
        self.batch_items = Counter(
            "revertrisk_batch_items_total",
            "Items of batches by how they ended: scored, or the code of a failure.",
            ["outcome"],
            registry=registry,
        )
        for outcome in ("scored", *every_code()):
            self.batch_items.labels(outcome)
        self.unknown_fields = Counter(
            "revertrisk_unknown_event_fields_total",
            "Fields of events that the reading contract does not name.",
            registry=registry,
        )
        self.event_lag = Histogram(
            "revertrisk_event_lag_seconds",
            "From the page_change event's meta.dt to the accepted prediction.",
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600),
            registry=registry,
        )
        self.mediawiki_seconds = Histogram(
            "revertrisk_mediawiki_request_seconds",
            "Time of one MediaWiki API request.",
            ["outcome"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.eventgate_seconds = Histogram(
            "revertrisk_eventgate_request_seconds",
            "Time to get one event accepted or refused by EventGate, retries included.",
            ["outcome"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "revertrisk_inference_batch_size",
            "Revisions scored in one forward pass.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.revision_bytes = Histogram(
            "revertrisk_revision_bytes",
            "Size of the fetched revision's text, in bytes.",
            buckets=(1e3, 1e4, 5e4, 1e5, 5e5, 1e6, 2e6),
            registry=registry,
        )
        self.probability = Histogram(
            "revertrisk_probability",
            "Probability of being reverted, as emitted or answered.",
            buckets=tuple(tenth / 10 for tenth in range(1, 11)),
            registry=registry,
        )
        self.last_accepted = Gauge(
            "revertrisk_last_accepted_event_timestamp_seconds",
            "When EventGate last accepted a prediction (Unix time).",
            registry=registry,
            multiprocess_mode="max",  # with several workers, the latest of them
        )
        self.model_info = Gauge(
            "revertrisk_model_info",
            "The model that is served; always 1.",
            ["model_name", "model_version", "source"],
            registry=registry,
            multiprocess_mode="max",
        )


def by_label(metric: Metric) -> Callable[[str], Metric]:
    """Return ``metric.labels`` for one label with few values, cached, so that its lock is not taken on every call."""
    return lru_cache(maxsize=100)(metric.labels)
