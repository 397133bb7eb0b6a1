"""All metrics of the lake's writer; docs/lake.md lists them."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from revertrisk.lake.writer import Written


class LakeMetrics:
    """The metrics of one run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._events = Counter("lake_events_total", "Records read from the sources", registry=registry)
        self._rows = Counter(
            "lake_rows_total", "Rows added or changed, by table", ["table"], registry=registry
        )
        self._canaries = Counter(
            "lake_canaries_total", "Canary events, which are not written", registry=registry
        )
        self._unreadable = Counter(
            "lake_unreadable_total", "Records that are not a readable event", registry=registry
        )
        self._batch = Histogram("lake_batch_seconds", "Time to write a batch", registry=registry)
        self._written = Gauge(
            "lake_last_batch_timestamp_seconds",
            "Time of the last written batch, in Unix time",
            registry=registry,
        )
        self._watermark = Gauge(
            "lake_watermark_timestamp_seconds",
            "The latest meta.dt of page_change events in the last batch that had one, in Unix time",
            registry=registry,
        )

    def note(self, written: Written, seconds: float) -> None:
        """Count a batch that took so many seconds."""
        self._events.inc(written.events)
        self._canaries.inc(written.canaries)
        self._unreadable.inc(written.unreadable)
        for table, number in written.rows.items():
            self._rows.labels(table).inc(number)
        self._batch.observe(seconds)
        self._written.set_to_current_time()
        if written.watermark is not None:
            self._watermark.set(written.watermark.timestamp())
