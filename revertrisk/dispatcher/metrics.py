"""All metrics of the dispatcher."""

import threading
from collections.abc import Collection
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
            "Age, by meta.dt, of the event that was finished last; 0 after a partition was handed over, until the next",
            ["source"],
            registry=registry,
        ).labels(source)
        self._lag_known_at = float("-inf")
        self._lag_lock = threading.Lock()
        """Kafka's partitions change in another thread."""
        self._released: set[str] = set()
        """Partitions that another member of the group reads now: their lag is no longer ours."""

    def note_outcome(self, outcome: Outcome) -> None:
        """Count one outcome."""
        rule = outcome.rule or NO_RULE
        self._events.labels(rule, outcome.label).inc()
        if outcome.ending is Ending.GIVEN_UP:
            self._dead_letters.labels(rule).inc()
        if outcome.attempts > 1:
            self._retries.labels(rule).inc(outcome.attempts - 1)
        with self._lag_lock:
            self._note_lag(outcome)

    def _note_lag(self, outcome: Outcome) -> None:
        now = monotonic()
        is_ours = outcome.position.partition not in self._released
        if is_ours and outcome.event is not None and now - self._lag_known_at > _LAG_EVERY_S:
            received = received_at(outcome.event)
            if received is not None:
                self._lag_known_at = now
                self._lag.set((datetime.now(UTC) - received).total_seconds())

    def note_assigned(self, partitions: Collection[str]) -> None:
        """Measure the lag by these Kafka partitions from now on."""
        with self._lag_lock:
            self._released.difference_update(partitions)

    def note_released(self, partitions: Collection[str]) -> None:
        """Forget the lag: it may be that of a partition that another member reads now."""
        with self._lag_lock:
            self._released.update(partitions)
            self._lag_known_at = float("-inf")
            self._lag.set(0)

    def note_offset_reset(self, topic: str) -> None:
        """Count a committed offset that no longer existed."""
        self._resets.labels(topic).inc()

    def note_reconnect(self) -> None:
        """Count a connection after the first."""
        self._reconnects.inc()
