"""Each image's programs start with what its lock file installs, and with nothing else."""

import os
import subprocess
import sys
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
ALONE = """
import sys

class OnlyWhatIsLocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

absent = set(sys.argv.pop(1).split(","))
sys.meta_path.insert(0, OnlyWhatIsLocked())
from revertrisk.cli.app import main
main()
"""
"""The command, with modules taken away as if they were not installed."""
PROGRAMS = {
    "mock EventGate": ("mocks", ["mock-eventgate", "--help"], ""),
    "mock MediaWiki": ("mocks", ["mock-mediawiki", "--help"], ""),
    "sample events": ("mocks", ["page-changes", "--limit", "3"], '"page_change_kind"'),
    "dispatcher": (
        "dispatcher",
        [
            "dispatch",
            "--source=jsonl:-",
            f"--rule={ROOT / 'revertrisk' / 'dispatcher' / 'rules' / 'revertrisk-language-agnostic.yaml'}",
            "--dry-run",
        ],
        "",
    ),
    "dispatcher on Kafka": (
        "dispatcher",
        [
            "dispatch",
            "--source=kafka:topic",
            f"--rule={ROOT / 'revertrisk' / 'dispatcher' / 'rules' / 'revertrisk-language-agnostic.yaml'}",
            "--target=http://127.0.0.1:1",
        ],
        "bootstrap.servers",
    ),
    "redrive": ("dispatcher", ["redrive", "--help"], ""),
    "server": ("server", ["serve", "--help"], ""),
}


@cache
def absent_from(image: str) -> set[str]:
    """Return the top-level modules that are installed here and not in the image."""
    text = (ROOT / "requirements" / f"locked-{image}.txt").read_text()
    locked = {
        canonicalize_name(Requirement(line.removesuffix("\\")).name)
        for line in text.splitlines()
        if line[:1].isalnum()
    }
    ours = {"revertrisk-events", *(["torch"] if image == "server" else [])}
    return {
        module
        for module, distributions in packages_distributions().items()
        if module.isidentifier() and not {canonicalize_name(name) for name in distributions} & (locked | ours)
    }


def run_alone(image: str, arguments: list[str], cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run the command with what an image has; no import fails."""
    absent = absent_from(image)
    assert "pytest" in absent
    assert ("numpy" in absent) == (image not in {"server", "analytics"})
    answer = subprocess.run(
        [sys.executable, "-c", ALONE, ",".join(absent), *arguments],
        input="",
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert "ModuleNotFoundError" not in answer.stderr, answer.stderr
    assert "No module named" not in answer.stderr, answer.stderr
    return answer


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_starts_with_what_its_image_has(program: str) -> None:
    """It says what it should, and no import fails."""
    image, arguments, said = PROGRAMS[program]
    answer = run_alone(image, arguments)
    assert said in answer.stdout + answer.stderr
    assert answer.returncode == (2 if said == "bootstrap.servers" else 0), answer.stderr


def test_the_analytics_image_writes_and_asks_a_lake(tmp_path: Path) -> None:
    """It makes a lake in a folder, reads Kafka and knows object stores; `sql` answers from it."""
    run = ["lake", "run", "--key-file=key"]
    assert run_alone("analytics", [*run, "--source=jsonl:-", "--to=lake"], tmp_path).returncode == 0
    kafka = run_alone("analytics", [*run, "--source=kafka:topic", "--to=lake"], tmp_path)
    assert (kafka.returncode, "bootstrap.servers" in kafka.stderr) == (2, True)
    query = "SELECT count(*) AS predictions FROM prediction"
    asked = run_alone("analytics", ["sql", "--lake=lake", "--format=csv", query], tmp_path)
    assert asked.stdout == "predictions\n0\n", asked.stderr
    refused = run_alone("analytics", ["sql", "--lake=s3://bucket", query], tmp_path)
    assert (refused.returncode, "expected s3://BUCKET/PREFIX" in refused.stderr) == (78, True)
    assert not {"fsspec", "obstore"} & absent_from("analytics")
