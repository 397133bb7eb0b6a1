"""Alerts: they parse, each fires and resolves, each has a runbook, and all name metrics that exist."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from model_server.errors import NothingScoredError, ServiceError
from revertrisk.alerts.metrics import WatchMetrics
from revertrisk.reports.gauges import OutcomeGauges

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
FILES = ROOT / "charts" / "revertrisk" / "files"
DASHBOARDS = ("dashboard.json", "predictions.json")
UNIT_TESTS = ("alerts_test.yaml", "alerts_long_test.yaml")
OF_KSERVE = {"request_preprocess_seconds", "request_predict_seconds", "request_postprocess_seconds"}
OF_EVERY_PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
METRIC = re.compile(r"\b((?:revertrisk|dispatcher|lake|outcomes|request|process)_[a-z_]+)\b(?!\s*=)")
SERIES_OF_A_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")

Rule = dict[str, Any]


def rules() -> list[Rule]:
    groups = yaml.safe_load((FILES / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[Rule]:
    return [rule for rule in rules() if "alert" in rule]


def dashboard_queries() -> list[str]:
    panels = [panel for name in DASHBOARDS for panel in json.loads((FILES / name).read_text())["panels"]]
    return [target["expr"] for panel in panels for target in panel.get("targets", [])]


@pytest.mark.ci("promtool")
def test_prometheus_reads_the_rules(promtool: str) -> None:
    """promtool check rules finds nothing wrong."""
    answer = subprocess.run(
        [promtool, "check", "rules", str(FILES / "alerts.yaml")], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_chart_ships_these_rules(rendered: list[dict[str, Any]]) -> None:
    """What is rendered for the Prometheus operator is what is tested here, unchanged by helm."""
    shipped = [manifest["spec"] for manifest in rendered if manifest["kind"] == "PrometheusRule"]
    assert all(spec == yaml.safe_load((FILES / "alerts.yaml").read_text()) for spec in shipped)


@pytest.mark.ci("promtool")
@pytest.mark.parametrize("file", UNIT_TESTS)
def test_alerts_do_what_they_say(promtool: str, file: str) -> None:
    """promtool test rules: each alert fires on its fault, with its text, and resolves when it has passed."""
    answer = subprocess.run(
        [promtool, "test", "rules", file], capture_output=True, text=True, check=False, cwd=HERE
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.ci("promtool")
def test_prometheus_reads_the_dashboards_queries(promtool: str, tmp_path: Path) -> None:
    """Each query of the dashboards parses, with Grafana's variables filled in."""
    queries = dashboard_queries()
    records = [
        {"record": f"query:{index}", "expr": query.replace("$__rate_interval", "5m").replace("$", "")}
        for index, query in enumerate(queries)
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    answer = subprocess.run(
        [promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_each_alert_is_seen_to_fire_and_to_resolve() -> None:
    """The unit tests hold, for each alert, a moment at which it fires and a later one at which it does not."""
    fires: dict[str, float] = {}
    resolved: set[str] = set()
    for file in UNIT_TESTS:
        for case in yaml.safe_load((HERE / file).read_text())["tests"]:
            seen: dict[str, float] = {}
            for check in case["alert_rule_test"]:
                at = _seconds(check["eval_time"])
                if check.get("exp_alerts"):
                    seen[check["alertname"]] = at
                elif seen.get(check["alertname"], at) < at:
                    resolved.add(check["alertname"])
            fires |= seen
    names = {alert["alert"] for alert in alerts()}
    assert fires.keys() == names
    assert resolved == names


def test_each_alert_has_a_severity_and_a_runbook() -> None:
    """Whoever is woken by an alert finds its section in docs/operations.md."""
    document = (ROOT / "docs" / "operations.md").read_text()
    headings = {heading.lower() for heading in re.findall(r"^#+ (\w+)$", document, re.MULTILINE)}
    for alert in alerts():
        assert alert["labels"]["severity"] in {"critical", "warning"}
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert page == "docs/operations.md"
        assert anchor == alert["alert"].lower()
        assert anchor in headings


def test_alerts_and_dashboard_name_metrics_that_exist() -> None:
    """Each metric is documented, a rule's own record, or one that its program has."""
    known = _documented() | _of_analytics() | OF_KSERVE | OF_EVERY_PROCESS
    for expression in [*(rule["expr"] for rule in rules()), *dashboard_queries()]:
        for name in _metrics(expression):
            assert name in known, f"{name} in {expression}"


def test_operations_names_only_what_exists() -> None:
    """Each alert and each metric that docs/operations.md names is there."""
    document = (ROOT / "docs" / "operations.md").read_text()
    assert set(re.findall(r"\bRevertRisk[A-Z]\w+", document)) == {alert["alert"] for alert in alerts()}
    known = _documented() | OF_KSERVE
    for name in re.findall(r"`((?:revertrisk|dispatcher|lake)_[a-z_]+)", document):
        assert SERIES_OF_A_HISTOGRAM.sub("", name) in known, name


def test_records_are_made_before_they_are_used() -> None:
    """Each recorded series that an alert or the dashboard reads has its recording rule."""
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    text = "".join((FILES / name).read_text() for name in ("alerts.yaml", *DASHBOARDS))
    assert set(re.findall(r"revertrisk:\w+:\w+", text)) == recorded


def test_the_scorer_alert_counts_every_failure_of_ours() -> None:
    """Its list of codes is that of all failures which answer 5xx; a caller's mistakes are not in it."""
    (alert,) = (alert for alert in alerts() if alert["alert"] == "RevertRiskScorerErrors")
    (listed,) = re.findall(r'outcome=~"([^"]+)"', alert["expr"])
    ours = {error.code for error in _subclasses(ServiceError) if error.status >= 500}
    # A batch of which nothing was scored may be all the callers' own doing.
    assert set(listed.split("|")) == ours - {NothingScoredError.code}


def _documented() -> set[str]:
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("metrics.md", "dispatcher.md", "lake.md"))
    return set(re.findall(r"^\| `((?:revertrisk|dispatcher|lake)_\w+)`", pages, re.MULTILINE))


def _of_analytics() -> set[str]:
    registry = CollectorRegistry()
    WatchMetrics(registry)
    registry.register(OutcomeGauges())
    return {name for family in registry.collect() for name in (family.name, f"{family.name}_total")}


def _metrics(expression: str) -> set[str]:
    without_labels = re.sub(
        r"\{[^}]*\}", "", re.sub(r"\b(?:by|on|ignoring|without)\s*\([^)]*\)", "", expression)
    )
    without_records = re.sub(r"revertrisk:\w+:\w+", "", without_labels)
    return {SERIES_OF_A_HISTOGRAM.sub("", name) for name in METRIC.findall(without_records)}


def _subclasses(error: type[ServiceError]) -> set[type[ServiceError]]:
    return {error}.union(*(_subclasses(child) for child in error.__subclasses__()))


def _seconds(duration: str) -> float:
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", duration))
