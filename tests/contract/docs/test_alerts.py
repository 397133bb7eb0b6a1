"""docs/alerts.md: its metrics and series are those of the program, and its rules are valid YAML."""

import re
from pathlib import Path

import yaml
from prometheus_client import CollectorRegistry

from revertrisk.alerts.incidents import Series
from revertrisk.alerts.metrics import WatchMetrics

PAGE = Path(__file__).resolve().parents[3] / "docs" / "alerts.md"


def test_every_metric_is_documented() -> None:
    """The table has every metric of a watch, and no other."""
    registry = CollectorRegistry()
    WatchMetrics(registry)
    names = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in registry.collect()
    }
    assert set(re.findall(r"^\| `(revertrisk_surge\w*)`", PAGE.read_text(), re.MULTILINE)) == names


def test_every_series_is_documented() -> None:
    """The table says of every series what it means and what to do."""
    documented = set(re.findall(r"^\| `(\w+)`(?: of [\w ]+)? \| ", PAGE.read_text(), re.MULTILINE))
    assert {series.value for series in Series} <= documented


def test_the_rules_are_yaml() -> None:
    """The rule for Prometheus has the gauge, and Alertmanager's route sends what is resolved."""
    rules, route = (
        yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    )
    assert rules["groups"][0]["rules"][0]["expr"] == "revertrisk_surge == 1"
    assert route["receivers"][0]["webhook_configs"][0]["send_resolved"] is True
