"""docs/alerts.md: its metrics and series are those of the program, its rules are YAML, and its examples are outputs."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from prometheus_client import CollectorRegistry

from revertrisk.alerts.events import read_event
from revertrisk.alerts.incidents import Series
from revertrisk.alerts.metrics import WatchMetrics
from revertrisk.alerts.settings import DEFAULT_MODEL, WatchSettings
from revertrisk.alerts.store import IN_MEMORY, Store
from revertrisk.alerts.watch import Watch

PAGE = Path(__file__).resolve().parents[3] / "docs" / "alerts.md"
EXAMPLES = re.compile(r"(<!-- make readme: messages -->\n)(.*?)(<!-- end -->)", re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page's program and the file that it writes."""
    folder = tmp_path_factory.mktemp("offline")
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert program.count("\n") <= 10
    (folder / "make_edits.py").write_text(program)
    with (folder / "edits.jsonl").open("wb") as file:
        subprocess.run([sys.executable, "make_edits.py"], cwd=folder, stdout=file, check=True)
    return folder


def surge(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SLACK_WEBHOOK_URL"}
    command = [sys.executable, "-m", "revertrisk.cli.app", "surge", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=True)


def test_the_surge_is_listed_offline(folder: Path) -> None:
    """The command shows the start and the end of the surge in the file of the program, as quoted."""
    (command, output), *_ = re.findall(
        r"^\$ revertrisk surge (replay .*)\n((?:[^$`].*\n)+)```", PAGE.read_text(), re.MULTILINE
    )
    assert surge(folder, *shlex.split(command)).stdout == output


def test_a_surge_before_the_first_start_is_in_the_log(folder: Path) -> None:
    """No message is sent about it, and the log says so, with the command that lists it."""
    ran = surge(folder, "run", "--source", "jsonl:edits.jsonl", "--state", "state")
    assert ran.stdout == ""
    quoted = "1 incident before the first start is not sent"
    assert f"`{quoted}`" in PAGE.read_text()
    assert f"{quoted}; `revertrisk surge replay` lists" in ran.stderr
    assert "1 series and 1 silence watch; each has a budget of 28 days; 1 series is provisional" in ran.stderr
    assert "has a budget of 14 days" not in ran.stderr
    assert "0 thresholds are extrapolated" in ran.stderr
    assert "14,266 events, 0 unreadable, 0 late" in ran.stderr


def test_the_messages_are_those_of_the_surge(folder: Path) -> None:
    """The start and the end are what a webhook receives; ``make readme`` writes them anew."""
    with Store(IN_MEMORY) as store:
        watch = Watch(WatchSettings(receivers=("webhook",)), store, live_since=0, now=0.0)
        for line in (folder / "edits.jsonl").read_bytes().splitlines():
            watch.take(read_event(orjson.loads(line), DEFAULT_MODEL), "p", 0.0)
        watch.save()
        store.commit()
        messages = [each.document for each in store.outgoing("webhook")]
    assert [message["kind"] for message in messages] == ["start", "end"]
    wanted = "\n".join(f"```json\n{as_json(message)}\n```\n" for message in messages)
    if "UPDATE_README" in os.environ:
        PAGE.write_text(EXAMPLES.sub(lambda found: f"{found[1]}{wanted}{found[3]}", PAGE.read_text()))
    (found,) = EXAMPLES.findall(PAGE.read_text())
    assert found[1] == wanted


def as_json(message: Mapping[str, Any]) -> str:
    """Return a document with a line for each field and for each page."""
    pages = ",\n    ".join(json.dumps(page) for page in message["pages"])
    fields = [
        f'"{name}": ' + (f"[\n    {pages}\n  ]" if name == "pages" else json.dumps(value))
        for name, value in message.items()
    ]
    return "{\n  " + ",\n  ".join(fields) + "\n}"


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
