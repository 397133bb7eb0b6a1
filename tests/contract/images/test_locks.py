"""The lock files hold everything that an image needs, at the versions that are tested, with hashes."""

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]
REQUIREMENTS = ROOT / "requirements"
EXTRAS = {
    "server": {"serve"},
    "dispatcher": {"kafka"},
    "mocks": set[str](),
    "analytics": {"alerts", "kafka", "lake", "reports"},
}
UNFROZEN = {"setuptools"}
"""What pip freeze, which makes constraints.txt, leaves out."""
CUDA = ("cuda-", "nvidia-", "triton")
"""What PyPI's torch needs, which may be the installed one, and the images' does not."""
IN_THE_IMAGES = {"python_version": "3.11", "python_full_version": "3.11.0"}
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """Return package → version of a requirements file."""
    text = (REQUIREMENTS / name).read_text()
    return {canonicalize_name(package): version for package, version in PINNED.findall(text)}


@pytest.mark.parametrize("image", [*EXTRAS, "build"])
def test_every_package_has_hashes(image: str) -> None:
    """pip --require-hashes accepts the file: each package has an exact version and at least one SHA-256."""
    text = (REQUIREMENTS / f"locked-{image}.txt").read_text()
    entries = [entry for entry in re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE) if "==" in entry]
    assert entries
    for entry in entries:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry.split("\n", maxsplit=1)[0]


@pytest.mark.parametrize("image", EXTRAS)
def test_locked_versions_are_the_tested_ones(image: str) -> None:
    """No image ships a version that the test environment does not have; `requirements/lock.py` brings it in line."""
    tested = pins("constraints.txt")
    locked = pins(f"locked-{image}.txt")
    assert {package: tested.get(package) for package in locked if package not in UNFROZEN} == {
        package: version for package, version in locked.items() if package not in UNFROZEN
    }


@pytest.mark.parametrize("image", EXTRAS)
def test_nothing_is_missing(image: str) -> None:
    """Installed with --no-deps, the file is complete: all that the image needs, directly and indirectly."""
    assert set(needed(EXTRAS[image])) - set(pins(f"locked-{image}.txt")) <= {"torch"}


@pytest.mark.parametrize("image", EXTRAS)
def test_nothing_is_too_much(image: str) -> None:
    """An image has what its own programs need: what reads the streams adds nothing to the server's."""
    assert set(pins(f"locked-{image}.txt")) <= set(needed(EXTRAS[image]))


@pytest.mark.parametrize("image", EXTRAS)
def test_torch_is_apart(image: str) -> None:
    """torch is locked by its version only, in constraints.txt, and so are no CUDA packages."""
    locked = pins(f"locked-{image}.txt")
    assert "torch" not in locked
    assert not any(package.startswith(CUDA) for package in locked)
    assert "torch" in pins("constraints.txt")


def needed(extras: set[str]) -> Iterator[str]:
    """Yield the packages that the project needs with some extras, as the installed packages say."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    waiting = list(extras)
    while waiting:
        for text in project["optional-dependencies"][waiting.pop()]:
            requirement = Requirement(text)
            if requirement.name == project["name"]:
                waiting.extend(requirement.extras)
            else:
                texts.append(text)
    seen: set[tuple[str, frozenset[str]]] = set()
    while texts:
        requirement = Requirement(texts.pop())
        name = canonicalize_name(requirement.name)
        key = (name, frozenset(requirement.extras))
        if key in seen:
            continue
        seen.add(key)
        yield name
        texts += _requires(name, requirement.extras)


def _requires(name: str, extras: set[str]) -> Iterator[str]:
    for text in requires(name) or []:
        requirement = Requirement(text)
        if name == "torch" and requirement.name.startswith(CUDA):
            continue
        if requirement.marker is None or any(
            requirement.marker.evaluate(IN_THE_IMAGES | {"extra": extra}) for extra in extras | {""}
        ):
            yield text
