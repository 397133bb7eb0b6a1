"""The capacity table of docs/operations.md: made of the benchmark's figures, and the chart's replicas fit it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "charts" / "tools" / "capacity.py"
OPERATIONS = ROOT / "docs" / "operations.md"
PRODUCTION = ROOT / "charts" / "revertrisk" / "examples" / "values" / "production.yaml"
FIGURES = """
| model | MediaWiki / EventGate ms | concurrency | ours req/s | ours CPU us (compute) |
| --- | --- | --- | --- | --- |
| no model | 0 / 0 | 32 | 900 | 1000 |
| revertrisk-a | 50 / 50 | 32 | 700 | 1200 (100) |
| revertrisk-a | 0 / 0 | 32 | 40 | 2449 (459) |

| model | MB |
| --- | --- |
| revertrisk-a | 370 |
"""


def write(operations: Path, performance: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), "--operations", str(operations)]
    if performance is not None:
        command += ["--performance", str(performance)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def rows(text: str) -> list[list[str]]:
    """Return the cells of the capacity table, without its head."""
    table = text.split("capacity.py writes from here -->\n")[1].split("<!--", maxsplit=1)[0].strip()
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def test_what_is_committed_is_what_the_command_writes(tmp_path: Path) -> None:
    """The table in docs/operations.md is that of the figures in docs/performance.md."""
    path = tmp_path / "operations.md"
    path.write_text(re.sub(r"\| \d+ MB \|", "| 0 MB |", OPERATIONS.read_text()))
    answer = write(path)
    assert answer.returncode == 0, answer.stderr
    assert path.read_text() == OPERATIONS.read_text(), "run charts/tools/capacity.py"


def test_pods_are_reckoned_with_headroom(tmp_path: Path) -> None:
    """Half the load of a core, one pod more than needed, and at least three: 16 and 30 edits/s at 40/s a core."""
    performance, operations = tmp_path / "performance.md", tmp_path / "operations.md"
    performance.write_text(FIGURES)
    operations.write_text("a\n<!-- charts/tools/capacity.py writes from here -->\nold\n<!-- to here -->\nb\n")
    assert write(operations, performance).returncode == 0
    text = operations.read_text()
    assert rows(text) == [
        ["`revertrisk-a`", "2.4 ms", "40", "3 pods (1 would do)", "3 pods (2 would do)", "370 MB"]
    ]
    assert text.startswith("a\n<!--")
    assert text.endswith("<!-- to here -->\nb\n")


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ("nothing", "model, MB"),
        (
            FIGURES.replace("| revertrisk-a | 370 |", "| revertrisk-b | 370 |"),
            "no memory figure of revertrisk-a",
        ),
    ],
)
def test_figures_that_are_missing_are_named(tmp_path: Path, figures: str, said: str) -> None:
    """A benchmark without the figures is an error that says which, and the document stays as it was."""
    performance, operations = tmp_path / "performance.md", tmp_path / "operations.md"
    performance.write_text(figures)
    operations.write_text(OPERATIONS.read_text())
    answer = write(operations, performance)
    assert answer.returncode == 1
    assert said in answer.stderr
    assert operations.read_text() == OPERATIONS.read_text()


def test_production_has_as_many_pods_as_the_table_says() -> None:
    """Each producer of the production example has at least the pods that its model needs at the peak."""
    values = yaml.safe_load(PRODUCTION.read_text())
    at_least = values["inference"]["predictor"]["config"]["minReplicas"]
    table = {row[0].strip("`"): row for row in rows(OPERATIONS.read_text())}
    for service in values["inference_services"].values():
        if service["role"] == "producer":
            model = next(e["value"] for e in service["predictor"]["custom_env"] if e["name"] == "MODEL_NAME")
            pods = int(table[model][4].split()[0])
            assert service["predictor"].get("config", {}).get("minReplicas", at_least) >= pods


def test_a_pod_has_room_for_what_the_server_held() -> None:
    """The memory that the chart asks for is above what the benchmark saw, with room for longer texts."""
    values = yaml.safe_load((ROOT / "charts" / "revertrisk" / "values.yaml").read_text())
    resources = values["inference"]["predictor"]["container"]["resources"]
    assert resources["requests"]["memory"] == "1Gi"
    for row in rows(OPERATIONS.read_text()):
        assert int(row[5].split()[0]) * 2 < 1074
