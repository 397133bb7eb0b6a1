"""Docs are tested: every setting and every metric is documented, and nothing else is."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from model_server.errors import UNSCORABLE_BECAUSE, every_code
from model_server.metrics import ServerMetrics
from model_server.settings import REMOVED_SETTINGS, Settings
from revertrisk.event_platform.page_change import SkipReason

DOCS = Path(__file__).resolve().parents[3] / "docs"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.MULTILINE)
METRIC_ROW = re.compile(r"^\| `(revertrisk_\w+)` \| (\w+) \|([^|]*)\|", re.MULTILINE)


def test_every_setting_is_documented_with_its_default() -> None:
    """A variable that cannot be found cannot be used."""
    documented = dict(ROW.findall((DOCS / "configuration.md").read_text()))
    assert documented.keys() == {name.upper() for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        shown = documented[name.upper()].strip("` ")
        default = field.default
        if name == "user_agent":
            assert shown == "names this project"
        elif default is None:
            assert shown == "unset", name
        else:
            assert shown == (str(default).lower() if isinstance(default, bool) else str(default)), name


def test_every_removed_setting_is_documented_with_what_holds_instead() -> None:
    """Whoever finds one in an old deployment can look it up."""
    documented = (DOCS / "configuration.md").read_text()
    for name, instead in REMOVED_SETTINGS.items():
        assert name.lower() not in Settings.model_fields
        assert f"- `{name}`: {instead}" in documented.replace("`QUEUE_LIMIT`", "QUEUE_LIMIT")


def server_metrics() -> list[Counter | Gauge | Histogram]:
    """Return the metrics of a server that has just started."""
    made = vars(ServerMetrics(CollectorRegistry())).values()
    return [each for each in made if isinstance(each, Counter | Gauge | Histogram)]


def test_every_metric_is_documented_with_its_type_and_labels() -> None:
    """Dashboards and alerts are written from this page."""
    documented = {
        name: (kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels in METRIC_ROW.findall((DOCS / "metrics.md").read_text())
    }
    found = {}
    for metric in server_metrics():
        (family,) = metric.describe()
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = (family.type, metric._labelnames)  # noqa: SLF001 - a metric without samples shows them nowhere else
    assert documented == found


def test_a_counter_with_labels_has_samples_from_the_start() -> None:
    """A series that begins with its first failure shows no increase, so the alert for it would stay silent."""
    for metric in server_metrics():
        (family,) = metric.collect()
        assert family.type != "counter" or family.samples, (
            f"{family.name}: give it its label values at the start"
        )


def test_runbook_for_skips_names_every_reason() -> None:
    """The list of RevertRiskSkipShare in docs/operations.md has each reason once, whatever made its share grow."""
    text = (DOCS / "operations.md").read_text()
    (section,) = re.findall(r"^### RevertRiskSkipShare\n(.*?)^### ", text, re.MULTILINE | re.DOTALL)
    items = re.findall(r"^- ((?:`\w+`(?:, )?)+):", section, re.MULTILINE)
    named = re.findall(r"`(\w+)`", "".join(items))
    assert sorted(named) == sorted(SkipReason), "a new reason needs its advice there"


def test_t6_every_skip_reason_has_its_sentence_and_its_row() -> None:
    """T6: a direct call for a revision that is skipped is refused with both."""
    assert list(UNSCORABLE_BECAUSE) == list(SkipReason)
    lines = (DOCS / "errors.md").read_text().splitlines()
    codes = [line.split("|")[1] for line in lines if re.match(r"\| `[^|]*\| 422 \|", line)]
    of_a_wiki = {SkipReason.UNKNOWN_WIKI}  # a direct call names no host: 400, in a row of its own
    assert re.findall(r"`(\w+)`", "".join(codes)) == [
        reason for reason in SkipReason if reason not in of_a_wiki
    ]


def test_every_error_code_is_documented() -> None:
    """Callers branch on codes, so each has its row."""
    rows = [
        line.split("|")[1] for line in (DOCS / "errors.md").read_text().splitlines() if line.startswith("| `")
    ]
    assert {code for row in rows for code in re.findall(r"`(\w+)`", row)} == every_code()
