"""All metrics of a watch; docs/alerts.md lists them."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from revertrisk.alerts.intake import Counters
from revertrisk.alerts.watch import Watch


class WatchMetrics:
    """The metrics of the open incidents, and of the progress of the watch."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register all metrics."""
        names = ["wiki_id", "series"]
        self._surge = Gauge(
            "revertrisk_surge", "1 while a surge or a silence is open, 0 otherwise", names, registry=registry
        )
        self._ratio = Gauge(
            "revertrisk_surge_ratio",
            "The ratio of the count to the usual count when the surge was found",
            names,
            registry=registry,
        )
        self._series = Gauge("revertrisk_surge_series", "Watched series", registry=registry)
        self._events = Counter("revertrisk_surge_events_total", "Events that were read", registry=registry)
        self._late = Counter(
            "revertrisk_surge_late_events_total",
            "Events that came after their minute was closed",
            registry=registry,
        )
        self._sent = Counter(
            "revertrisk_surge_messages_total", "Messages that a receiver accepted", ["way"], registry=registry
        )
        self._watermark = Gauge(
            "revertrisk_surge_watermark_timestamp_seconds",
            "The end of the last closed minute, in Unix time",
            registry=registry,
        )
        self._before = Counters()
        """The numbers that are in the metrics already."""
        self._shown: set[tuple[str, str]] = set()
        """The series whose gauge has been 1."""

    def note_sent(self, receiver: str) -> None:
        """Count a message."""
        self._sent.labels(receiver).inc()

    def note(self, watch: Watch) -> None:
        """Set the metrics from the state of a watch."""
        now = watch.counters
        self._events.inc(now.events - self._before.events)
        self._late.inc(now.late - self._before.late)
        self._before = Counters(events=now.events, late=now.late)
        self._series.set(len(watch.banks))
        if watch.clock.closed is not None:
            self._watermark.set(watch.clock.closed * 60)
        for scope, series in watch.banks.names():
            self._surge.labels(scope, series)  # a gauge exists from its first use on, with the value 0
        for labels in self._shown - set(watch.open_incidents):
            self._surge.labels(*labels).set(0)
            self._ratio.labels(*labels).set(1)
        for labels, incident in watch.open_incidents.items():
            self._surge.labels(*labels).set(1)
            self._ratio.labels(*labels).set(incident.ratio)
        self._shown |= set(watch.open_incidents)
