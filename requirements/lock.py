#!/usr/bin/env python3
"""Lock what each image installs: exact versions with the hashes of all their files, from the index.

`make lock` runs it, after a change of pyproject.toml. uv resolves and asks the index for hashes; what it writes is
installed by pip with ``--require-hashes``.

torch is left out, though not what its CPU build needs: its builds differ by index (CPU, CUDA, ROCm) and so do
their hashes. Images install it last, by its version in constraints.txt, from the index that they are given: the CPU
build finds everything that it needs already there, and a GPU build brings its runtime libraries.
"""

import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from uv import find_uv_bin

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
CONSTRAINTS = HERE / "constraints.txt"
IMAGES = {
    "server": ("serve",),
    "dispatcher": ("kafka",),
    "mocks": (),
    "analytics": ("alerts", "kafka", "lake", "reports"),
}
"""The extras of pyproject.toml that each image needs; the basic dependencies it gets anyway."""
PYTHON = "3.11"
HEADER = (
    "# Made by requirements/lock.py. Install with pip --require-hashes --no-deps; torch is apart, by version."
)


def main() -> int:
    """Write every lock file."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    for image, extras in IMAGES.items():
        _lock(HERE / f"locked-{image}.txt", list(_requirements(project["project"], extras)))
    _lock(HERE / "locked-build.txt", project["build-system"]["requires"])
    return 0


def _requirements(project: dict[str, object], extras: tuple[str, ...]) -> Iterator[str]:
    """Yield the requirements of some extras, with those that they take from the project's other extras."""
    optional = project["optional-dependencies"]
    dependencies = project["dependencies"]
    if not isinstance(optional, dict) or not isinstance(dependencies, list):
        raise TypeError("pyproject.toml: expected [project] with dependencies and optional-dependencies")
    yield from dependencies
    waiting = list(extras)
    while waiting:
        for text in optional[waiting.pop()]:
            requirement = Requirement(text)
            if requirement.name == project["name"]:
                waiting.extend(requirement.extras)
            elif requirement.name == "torch":
                yield from _needed_by_torch()
            else:
                yield text


def _needed_by_torch() -> Iterator[str]:
    """Yield what a build of torch for CPUs needs; the installed one may ask for CUDA packages as well."""
    for text in requires("torch") or []:
        requirement = Requirement(text)
        if requirement.name.startswith(("cuda-", "nvidia-", "triton")):
            continue
        if requirement.marker is None or requirement.marker.evaluate({"extra": "", "python_version": PYTHON}):
            yield requirement.name


def _lock(output: Path, requirements: list[str]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "wanted.in"
        wanted.write_text("\n".join(requirements) + "\n")
        apart = Path(scratch) / "apart.txt"
        apart.write_text("torch ; python_version < '3'\n")
        command = [
            find_uv_bin(),
            "pip",
            "compile",
            "--quiet",
            "--no-header",
            "--no-annotate",
            "--generate-hashes",
        ]
        command += ["--python-version", PYTHON, "--constraint", str(CONSTRAINTS), "--override", str(apart)]
        answer = subprocess.run([*command, str(wanted)], check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603
    output.write_text(f"{HEADER}\n{answer.stdout}")


if __name__ == "__main__":
    sys.exit(main())
