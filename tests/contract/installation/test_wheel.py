"""The wheel and the source distribution: complete, nothing else in them, and the demo runs from the wheel alone."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.fakes.installed import installed

pytestmark = pytest.mark.ci("wheel")

ROOT = Path(__file__).resolve().parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
VERSION: str = PROJECT["project"]["version"]
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
NAME = f"revertrisk_events-{VERSION}"
MAX_BYTES = 8 * 1024 * 1024
"""The largest file is a model, and a shipped model stays below this."""


def build(source: Path, dist: Path, target: str) -> Path:
    """Build one distribution of a source tree with what is installed here, without the network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(dist)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = dist.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return built


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build(ROOT, folder, "sdist")) as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution, unpacked as pip does."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build(sdist, folder, "wheel")) as archive:
        archive.extractall(folder / "site-packages")  # noqa: S202 - built just now
    return folder / "site-packages"


def files(folder: Path) -> dict[str, bytes]:
    """Return path → content of all files in a folder, without what Python compiled."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_the_five_packages_with_all_their_files(wheel: Path) -> None:
    """Nothing is left out of a package, or is different, and nothing else comes at the top."""
    assert {path.name for path in wheel.iterdir()} == {*PACKAGES, f"{NAME}.dist-info"}
    for package in PACKAGES:
        assert files(wheel / package) == files(ROOT / package)


def test_the_source_distribution_has_what_the_wheel_is_made_of(sdist: Path) -> None:
    """And the texts that say what it is; no tests, no charts, nothing that lies in the folder by chance."""
    texts = {"CHANGELOG.md", "LICENSE", "PKG-INFO", "README.md", "pyproject.toml", ".gitignore"}
    assert {path.name for path in sdist.iterdir()} == {*PACKAGES, *texts}
    for package in PACKAGES:
        assert files(sdist / package) == files(ROOT / package)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a clone")
def test_distributions_are_of_the_repository_and_small(wheel: Path) -> None:
    """Each file is one that git keeps, and none is larger than a model may be."""
    git = installed("git", "apt-get install -y git")
    kept = subprocess.check_output([git, "ls-files", "-z", *PACKAGES], cwd=ROOT, text=True)
    for package in PACKAGES:
        for name, content in files(wheel / package).items():
            assert f"{package}/{name}" in kept.split("\0")
            assert len(content) <= MAX_BYTES, name


def run_from(wheel: Path, *arguments: str) -> str:
    """Run the command with the files of the wheel, in a folder that has none of ours, and return its output."""
    return subprocess.run(
        [sys.executable, "-m", "revertrisk.cli.app", *arguments],
        cwd="/",
        env=os.environ | {"PYTHONPATH": str(wheel), "PYTHONSAFEPATH": "1"},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def test_the_wheel_says_its_version(wheel: Path) -> None:
    """By the command, from the metadata of the wheel."""
    assert run_from(wheel, "--version") == f"revertrisk-events {VERSION}\n"


def test_the_demo_runs_from_the_wheel_in_any_folder(wheel: Path) -> None:
    """With the wheel's own models, schemas, rules, pages, samples and SQL."""
    said = run_from(wheel, "demo")
    assert re.search(r"^EventGate accepted \d+ predictions; 0 failed\.$", said, re.MULTILINE)
