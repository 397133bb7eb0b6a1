"""The dispatcher's page names everything that an operator meets."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from revertrisk.dispatcher.metrics import DispatcherMetrics
from revertrisk.dispatcher.outcome import Ending
from revertrisk.dispatcher.rule_language.rule_file import _RULE_KEYS
from revertrisk.streams.kafka_settings import ENVIRONMENT

PAGE = (Path(__file__).parents[3] / "docs" / "dispatcher.md").read_text()


def metric_names() -> list[str]:
    registry = CollectorRegistry()
    DispatcherMetrics(registry, "x")
    return [
        f"{metric.name}_total" if metric.type == "counter" else metric.name for metric in registry.collect()
    ]


@pytest.mark.parametrize("name", [*metric_names(), *_RULE_KEYS, *Ending, *ENVIRONMENT])
def test_everything_an_operator_meets_is_on_the_page(name: str) -> None:
    """Each metric, each key of a rule, each outcome and each variable."""
    assert f"`{name}" in PAGE
