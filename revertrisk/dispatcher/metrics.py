"""All metrics of the dispatcher."""

from datetime import UTC, datetime
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge

from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.event_platform.streams import received_at

_LAG_EVERY_S = 0.5
NO_RULE = "none"
"""The label of events that no rule takes."""


class DispatcherMetrics:
    """Counts outcomes, and the resets and reconnects of sources."""

    def __init__(self, registry: CollectorRegistry, source: str) -> None:
        """Register the metrics; ``source`` is the label of those about a source."""
        self._events = Counter(
            "dispatcher_events_total",
            "Events by rule and outcome; each counts once for every rule that takes it",
            ["rule", "outcome"],
            registry=registry,
        )
        self._dead_letters = Counter(
            "dispatcher_dead_letters_total", "Events given up and kept, by rule", ["rule"], registry=registry
        )
        self._retries = Counter(
            "dispatcher_retries_total", "Tries after the first, by rule", ["rule"], registry=registry
        )
        self._resets = Counter(
            "dispatcher_offset_resets_total",
            "Partitions whose committed offset no longer existed: events are lost",
            ["topic"],
            registry=registry,
        )
        self._reconnects = Counter(
            "dispatcher_reconnects_total",
            "Connections to EventStreams after the first",
            ["source"],
            registry=registry,
        ).labels(source)
        self._lag = Gauge(
            "dispatcher_lag_seconds",
            "Age, by meta.dt, of the event that was finished last",
            ["source"],
            registry=registry,
        ).labels(source)
        self._lag_known_at = float("-inf")

    def note_outcome(self, outcome: Outcome) -> None:
        """Count one outcome."""
        rule = outcome.rule or NO_RULE
        self._events.labels(rule, outcome.label).inc()
        if outcome.ending is Ending.GIVEN_UP:
            self._dead_letters.labels(rule).inc()
        if outcome.attempts > 1:
            self._retries.labels(rule).inc(outcome.attempts - 1)
        now = monotonic()
        if outcome.event is not None and now - self._lag_known_at > _LAG_EVERY_S:
            received = received_at(outcome.event)
            if received is not None:
                self._lag_known_at = now
                self._lag.set((datetime.now(UTC) - received).total_seconds())

    def note_offset_reset(self, topic: str) -> None:
        """Count a committed offset that no longer existed."""
        self._resets.labels(topic).inc()

    def note_reconnect(self) -> None:
        """Count a connection after the first."""
        self._reconnects.inc()
