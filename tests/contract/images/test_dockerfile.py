"""The Dockerfile and the compose file name what exists, and ship no privileges."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from model_server.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
STAGE = re.compile(r"^FROM (\S+) AS (\S+)$", re.MULTILINE)
SHIPPED = ("server", "dispatcher", "mocks", "analytics")


def dockerfile() -> str:
    """Return the Dockerfile with its continued lines joined."""
    return (ROOT / "Dockerfile").read_text().replace("\\\n", " ")


def test_shipped_images_come_from_one_unprivileged_stage() -> None:
    """Each shipped stage builds on `runtime`, which ends as an ordinary user, and none of them runs a command."""
    parents = {name: parent for parent, name in STAGE.findall(dockerfile())}
    bodies = dict(zip(parents, re.split(STAGE.pattern, dockerfile(), flags=re.MULTILINE)[3::3], strict=True))
    assert "USER 65532:65532" in bodies["runtime"]
    for name in SHIPPED:
        assert parents[name] == "runtime"
        assert "USER" not in bodies[name]
        assert "RUN" not in bodies[name]


def test_a_bare_build_makes_the_server() -> None:
    """The last stage is the server's."""
    assert STAGE.findall(dockerfile())[-1][1] == "server"


def test_what_is_copied_exists_and_reaches_the_build() -> None:
    """Each path that a COPY takes from the source tree is there, and .dockerignore lets it through."""
    let_through = {
        line.removeprefix("!")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile(), re.MULTILINE):
        for source in line.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert source == "." or source.split("/")[0] in let_through


def test_the_wheel_gets_all_of_its_packages() -> None:
    """Each package that the wheel is made of is copied before it is built."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    copied = re.findall(r"^COPY (\w+) \1$", dockerfile(), re.MULTILINE)
    assert set(copied) == set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_the_wheel_brings_five_names_and_no_other() -> None:
    """What is installed beside other people's packages is what the user named, and one package for the rest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert set(packages) == {"mock_eventgate", "mock_mediawiki", "model_server", "revertrisk", "schemas"}
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == set(packages)


def test_dependencies_are_locked() -> None:
    """Outside the test stage pip installs from a hash-locked file, torch by its version, or our own wheel.

    Only torch may bring more, and only after the lock file, which has all that its CPU build needs.
    """
    shipping = dockerfile().split(" AS test\n")[0]
    installs = re.findall(r"pip install ([^&\n]*)", shipping)
    assert len(installs) == 10
    for before, arguments in pairwise(["", *installs]):
        if "^torch==" in arguments:
            assert "requirements/locked-server.txt" in before
        else:
            assert "--no-deps" in arguments
            assert any(part in arguments for part in ("--require-hashes", "dist/*.whl")), arguments


def test_what_was_installed_is_complete() -> None:
    """Each image's environment is checked for missing and clashing dependencies while it is built."""
    stages = re.findall(r"^FROM base AS build-\w+\n(.*?)(?=^FROM)", dockerfile(), re.MULTILINE | re.DOTALL)
    assert len(stages) == len(SHIPPED)
    assert all(stage.rstrip().endswith("pip check") or "pip check\n" in stage for stage in stages)


@pytest.mark.parametrize("label", ["title", "description", "licenses", "version", "revision"])
def test_images_carry_oci_labels(label: str) -> None:
    """An image says what it is, of which version and revision."""
    assert f"org.opencontainers.image.{label}=" in dockerfile()


def test_compose_names_what_exists() -> None:
    """The compose file builds stages that exist, sets settings that exist, and listens on loopback only."""
    services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    stages = {name for _, name in STAGE.findall(dockerfile())}
    settings = {name.upper() for name in Settings.model_fields}
    for service in services.values():
        assert service["build"]["target"] in stages
        assert service.get("environment", {}).keys() <= settings
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        assert service["read_only"] is True
        assert set(service.get("depends_on", [])) <= services.keys()


def test_compose_runs_the_analytics_only_when_asked() -> None:
    """Their services have the profile `analytics`, and what writes a lake keeps its key on a volume of its own."""
    document = yaml.safe_load((ROOT / "compose.yaml").read_text())
    analytics = {
        name: service
        for name, service in document["services"].items()
        if service["build"]["target"] == "analytics"
    }
    assert analytics.keys() == {"lake", "sql"}
    assert all(service["profiles"] == ["analytics"] for service in analytics.values())
    volumes = [volume.split(":") for volume in analytics["lake"]["volumes"]]
    assert {name for name, _ in volumes} == document["volumes"].keys()
    places = dict(volumes)
    assert f"{places['lake-key']}/lake" in analytics["lake"]["command"]
    assert places["lake"] in analytics["lake"]["command"]
