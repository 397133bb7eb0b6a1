"""`pyproject.toml` has the version; files that cannot refer to it repeat it, and `make readme` writes these anew."""

import os
import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
UPDATING = "UPDATE_README" in os.environ
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
IMAGE = r"\brevertrisk-(?:server|dispatcher|mocks|analytics)"
COPIES = {
    "Dockerfile": (r"^ARG VERSION=(\S+)$", 1),
    "charts/revertrisk/Chart.yaml": (r"^(?:version|appVersion): (\S+)$", 2),
    "charts/revertrisk/values.yaml": (rf'image: {IMAGE}\n *image_version: "(\S+)"$', 4),
    "charts/revertrisk/examples/manifests/redrive-job.yaml": (rf"{IMAGE}:(\S+)", 1),
    "charts/revertrisk/examples/values/minikube.yaml": (rf"{IMAGE}:(\S+)", 1),
    "model_server/openapi.yaml": (r"^info:\n  title: .*\n  version: (\S+)$", 1),
}
"""Of each file: what comes before and after a copy, and how many copies it has."""


@pytest.mark.parametrize("name", COPIES)
def test_copies_of_the_version_are_those_of_the_project(name: str) -> None:
    """The label of the images, the chart with its images, and the OpenAPI document."""
    pattern, count = COPIES[name]
    path = ROOT / name
    text = path.read_text()
    found = list(re.finditer(pattern, text, re.MULTILINE))
    if UPDATING:
        for match in reversed(found):
            text = text[: match.start(1)] + VERSION + text[match.end(1) :]
        path.write_text(text)
        return
    assert [match[1] for match in found] == [VERSION] * count


def test_no_other_file_names_a_version_of_an_image() -> None:
    """A new example of the chart or a document belongs into the table above."""
    texts = {
        str(path.relative_to(ROOT))
        for folder in (".pipeline", "charts", "docs")
        for path in (ROOT / folder).rglob("*.*")
        if path.suffix in {".md", ".sh", ".yaml"} and re.search(rf"{IMAGE}:\d", path.read_text())
    }
    assert texts <= COPIES.keys()


def test_the_installed_program_has_the_version() -> None:
    """What `--version`, the User-Agent and the start's log line say; `make dev` installs it anew after a change."""
    assert version("revertrisk-events") == VERSION


def test_the_changelog_begins_with_what_is_not_released_and_then_this_version() -> None:
    """Each release has a section with its version and its date, the newest first."""
    headings = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert re.fullmatch(rf"{re.escape(VERSION)} - \d{{4}}-\d\d-\d\d", headings[1])
