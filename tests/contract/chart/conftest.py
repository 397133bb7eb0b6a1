"""The real helm, and what it renders of each set of example values."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.fakes.installed import installed

ROOT = Path(__file__).resolve().parents[3]
CHART = ROOT / "charts" / "revertrisk"
VALUES = CHART / "examples" / "values"
EXAMPLES = {
    "minikube": ("minikube.yaml", ()),
    "staging": ("staging.yaml", ()),
    "production": ("production.yaml", ()),
    "production without KServe": ("production.yaml", ("--set", "kserve.enabled=false")),
    "staging on OpenShift": ("staging.yaml", ("--values", str(VALUES / "openshift.yaml"))),
    "production without KServe on OpenShift": (
        "production.yaml",
        ("--set", "kserve.enabled=false", "--values", str(VALUES / "openshift.yaml")),
    ),
}

Manifest = dict[str, Any]
Helm = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Run helm, from $HELM, .venv/bin or the path."""
    binary = os.environ.get("HELM") or installed("helm", "charts/tools/get_helm.py .venv/bin")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)

    return run


@pytest.fixture(scope="session")
def promtool() -> str:
    """Where promtool is: it checks alerts and runs their unit tests."""
    return installed("promtool", "charts/tools/get_promtool.sh .venv/bin")


def documents(text: str) -> list[Manifest]:
    """Read what helm rendered."""
    return [document for document in yaml.safe_load_all(text) if document]


@pytest.fixture(scope="session", params=EXAMPLES)
def example(request: pytest.FixtureRequest) -> str:
    """The name of a set of values."""
    return str(request.param)


@pytest.fixture(scope="session")
def example_values(example: str) -> list[str]:
    """What helm needs to hear to take the example's values."""
    file, more = EXAMPLES[example]
    return ["--values", str(VALUES / file), *more]


@pytest.fixture(scope="session")
def rendered(helm: Helm, example_values: list[str]) -> list[Manifest]:
    """Everything that the example deploys."""
    answer = helm("template", "revertrisk", str(CHART), "--namespace", "ml", *example_values)
    assert answer.returncode == 0, answer.stderr
    return documents(answer.stdout)


@pytest.fixture
def render(helm: Helm, tmp_path: Path) -> Callable[[Manifest], subprocess.CompletedProcess[str]]:
    """Render the chart with values given as a dictionary."""

    def with_values(values: Manifest) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "values.yaml"
        path.write_text(
            json.dumps(values)
        )  # PyYAML leaves text without quotes that Go reads as a number: 1e3
        return helm("template", "revertrisk", str(CHART), "--namespace", "ml", "--values", str(path))

    return with_values
