"""docs/reports.md: its commands give what it shows, and docs/metrics.md lists the gauges."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from revertrisk.cli.app import app
from revertrisk.reports.gauges import OutcomeGauges
from tests.fakes.outcome_lake import edits, events_of, list_bots, new_lake

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

DOCS = Path(__file__).resolve().parents[3] / "docs"
PAGE = DOCS / "reports.md"
CONSOLE = re.compile(r"^```console\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
HEAD = re.compile(r" \| head -(\d+)$")
DAYS = 40
COMMANDS = [block.splitlines()[0] for block in CONSOLE.findall(PAGE.read_text())]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the lake of the examples."""
    folder = tmp_path_factory.mktemp("reports")
    list_bots(new_lake(folder, events_of(edits(8_000), until_s=DAYS * 86_400.0)))
    before = Path.cwd()
    os.chdir(folder)
    yield folder
    os.chdir(before)


@pytest.mark.ci("examples")
@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_gives_what_it_shows(folder: Path, command: str) -> None:
    """Each command is run as it stands; ``make readme`` writes the outputs anew."""
    most = HEAD.search(command)
    arguments = shlex.split(HEAD.sub("", command).removeprefix("$ revertrisk "))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    lines = [line.rstrip() for line in result.stdout.splitlines()]
    shown = "\n".join(lines[: int(most[1])] if most else lines)
    text = PAGE.read_text()
    block = re.compile(rf"(?<=^```console\n){re.escape(command)}\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)
    wanted = block.sub(lambda _: f"{command}\n{shown}\n", text)
    if "UPDATE_README" in os.environ:
        PAGE.write_text(wanted)
        return
    assert text == wanted


def test_each_gauge_is_documented() -> None:
    """docs/metrics.md has every gauge of `outcomes --serve`, and none that is not there."""
    gauges: Collector = OutcomeGauges()
    listed = re.findall(r"^\| `(outcomes_\w+)`", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(family.name for family in gauges.collect())
