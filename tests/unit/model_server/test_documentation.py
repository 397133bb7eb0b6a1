"""Docs are tested: every setting and every metric is documented, and nothing else is."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from model_server.errors import UNSCORABLE_BECAUSE, every_code
from model_server.metrics import ServerMetrics
from model_server.settings import REMOVED_SETTINGS, Settings
from revertrisk.event_platform.page_change import SkipReason

DOCS = Path(__file__).resolve().parents[3] / "docs"
ROW = re.compile(r"^\| `(\w+)` \| ([^|]*) \|", re.MULTILINE)


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


def test_every_metric_is_documented() -> None:
    """Dashboards and alerts are written from this page."""
    registry = CollectorRegistry()
    ServerMetrics(registry)
    families = {
        f"{family.name}_total" if family.type == "counter" else family.name for family in registry.collect()
    }
    documented = set(re.findall(r"^\| `(revertrisk_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE))
    assert documented == families


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
