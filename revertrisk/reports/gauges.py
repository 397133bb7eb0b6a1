"""The figures of `revertrisk outcomes` that are served to Prometheus; docs/metrics.md lists them."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from revertrisk.reports.cell import AtThreshold
from revertrisk.reports.document import horizon_name
from revertrisk.reports.figures import Figure
from revertrisk.reports.outcomes import ALL, ModelOutcomes, Outcomes
from revertrisk.runtime.metrics_port import serving_metrics
from revertrisk.runtime.signals import handle_signals

log = logging.getLogger(__name__)

EVERY_S: Final = 900.0
"""How often the report is updated, in seconds."""
_OF_MODEL: Final = ("model_name", "model_version", "wiki_id", "horizon")
_AT_THRESHOLD: Final = (*_OF_MODEL, "threshold")


class OutcomeGauges(Collector):
    """Collects the figures of the latest report. A figure that is not shown has no sample."""

    def __init__(self) -> None:
        """Start without a report."""
        self._report: Outcomes | None = None
        self._made = 0.0

    def publish(self, report: Outcomes) -> None:
        """Replace the report by this one."""
        self._report, self._made = report, time.time()

    def describe(self) -> list[GaugeMetricFamily]:
        """Return the gauges without samples."""
        return list(_families().values())

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the gauges of the latest report."""
        families = _families()
        if self._report is not None:
            families["outcomes_last_report_timestamp_seconds"].add_metric((), self._made)
            for model in self._report.models:
                _add(families, model)
        yield from families.values()


def serve(make: Callable[[], Outcomes], port: int) -> None:
    """Make the report every 15 minutes and serve its gauges, until SIGTERM or SIGINT. Errors of ``make`` are passed on.

    Raises:
        MetricsPortError: the port cannot be opened.

    """
    registry, gauges, ended = CollectorRegistry(), OutcomeGauges(), threading.Event()
    registry.register(gauges)
    handle_signals(ended.set)
    gauges.publish(make())
    with serving_metrics(registry, port):
        while not ended.wait(EVERY_S):
            gauges.publish(make())
            log.info("the report was updated")


def _families() -> dict[str, GaugeMetricFamily]:
    listed = (
        ("outcomes_share_reverted", "Share reverted among the flagged edits", _AT_THRESHOLD),
        ("outcomes_recall", "Share flagged among the reverted edits", _AT_THRESHOLD),
        (
            "outcomes_flagged_not_reverted",
            "Share flagged among the edits that were not reverted",
            _AT_THRESHOLD,
        ),
        ("outcomes_flagged_edits", "Edits above the threshold", _AT_THRESHOLD),
        ("outcomes_auc", "Area under the ROC curve", _OF_MODEL),
        (
            "outcomes_watermark_timestamp_seconds",
            "meta.dt of the last page_change event of a wiki, in Unix time",
            _OF_MODEL[:3],
        ),
        ("outcomes_last_report_timestamp_seconds", "When the figures were made, in Unix time", ()),
    )
    return {name: GaugeMetricFamily(name, text, labels=labels) for name, text, labels in listed}


def _add(families: dict[str, GaugeMetricFamily], model: ModelOutcomes) -> None:
    of_model = (model.model.model_name, model.model.model_version)
    for record in model.model.wikis:
        if record.watermark is not None:
            family = families["outcomes_watermark_timestamp_seconds"]
            family.add_metric((*of_model, record.wiki_id), record.watermark)
    for cell in model.cells:
        if cell.kind != ALL:
            continue
        for at in cell.horizons:
            labels = (*of_model, cell.wiki_id, horizon_name(at.horizon_s).replace(" ", ""))
            _add_figure(families["outcomes_auc"], labels, at.quality.auc)
            for each in at.reverters["anyone"].thresholds:
                _add_threshold(families, (*labels, f"{each.threshold:g}"), each)


def _add_threshold(families: dict[str, GaugeMetricFamily], labels: Sequence[str], at: AtThreshold) -> None:
    families["outcomes_flagged_edits"].add_metric(labels, at.flagged)
    _add_figure(families["outcomes_share_reverted"], labels, at.share_reverted_flagged)
    _add_figure(families["outcomes_recall"], labels, at.recall)
    _add_figure(families["outcomes_flagged_not_reverted"], labels, at.flagged_not_reverted)


def _add_figure(family: GaugeMetricFamily, labels: Sequence[str], figure: Figure) -> None:
    if figure.value is not None:
        family.add_metric(labels, figure.value)
