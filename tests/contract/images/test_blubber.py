"""The Blubber files: keys that Blubber knows, files that exist, and the Dockerfile's own stages.

Blubber's JSON Schema is in its own repository and in no package registry, so it cannot be fetched here; besides, it
lets unknown keys pass. The table below has the keys and types of that schema (v4, as of Blubber 1.5.0) that these
files may use, and lets none pass, so a mistyped key is found here and not in a build.
"""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
PIPELINE = ROOT / ".pipeline"
FILES = sorted(path.relative_to(PIPELINE).as_posix() for path in PIPELINE.glob("*/blubber.yaml"))

Keys = dict[str, Any]
TEXT, WHOLE, YES_NO = str, int, bool
COPY: Keys = {"from": TEXT, "source": TEXT, "destination": TEXT, "exclude": [TEXT]}
CUSTOM: Keys = {
    "requirements": [(TEXT, COPY)],
    "command": ([TEXT], TEXT),
    "script": TEXT,
}
COMMON: Keys = {
    "base": TEXT,
    "apt": {"packages": [TEXT]},
    "arguments": {"*": TEXT},
    "lives": {"as": TEXT, "uid": WHOLE, "gid": WHOLE, "in": TEXT},
    "runs": {"as": TEXT, "uid": WHOLE, "gid": WHOLE, "environment": {"*": TEXT}, "insecurely": YES_NO},
    "builders": [{"custom": CUSTOM}],
    "entrypoint": [TEXT],
}
VARIANT: Keys = {**COMMON, "includes": [TEXT], "copies": [(TEXT, COPY)]}
BLUBBERFILE: Keys = {**COMMON, "version": TEXT, "variants": {"*": VARIANT}}
HAS_ALL_OF_THEM = (1, 5)
"""The first Blubber that knows every key of the table: 1.3 brought `script`, 1.5 `arguments`."""


@pytest.fixture(params=FILES)
def blubberfile(request: pytest.FixtureRequest) -> dict[str, Any]:
    """One of the Blubber files."""
    document: dict[str, Any] = yaml.safe_load((PIPELINE / request.param).read_text())
    return document


def unknown(document: Any, keys: Any, path: str = "") -> Iterator[str]:
    """Yield where a document has a key or a type that the table has not."""
    match keys, document:
        case tuple(), _:
            if all(list(unknown(document, form, path)) for form in keys):
                yield f"{path}: fits none of its forms"
        case dict(), dict():
            for name, part in document.items():
                if name in keys or "*" in keys:
                    yield from unknown(part, keys.get(name, keys.get("*")), f"{path}.{name}")
                else:
                    yield f"{path}.{name}: unknown"
        case list(), list():
            for index, part in enumerate(document):
                yield from unknown(part, keys[0], f"{path}[{index}]")
        case _ if type(document) is not keys:
            yield f"{path}: expected {getattr(keys, '__name__', type(keys).__name__)}"


def test_blubber_knows_every_key(blubberfile: dict[str, Any]) -> None:
    """No key is mistyped and no value has a wrong type."""
    assert list(unknown(blubberfile, BLUBBERFILE)) == []
    assert blubberfile["version"] == "v4"


@pytest.mark.parametrize("file", FILES)
def test_the_frontend_is_new_enough(file: str) -> None:
    """The first line asks for a version of Blubber that has all the keys, and stays the same."""
    first = (PIPELINE / file).read_text().splitlines()[0]
    version = re.fullmatch(r"# syntax=\S+/blubber/buildkit:v(\d+)\.(\d+)\.\d+", first)
    assert version, first
    assert tuple(map(int, version.groups())) >= HAS_ALL_OF_THEM


def test_the_table_finds_a_mistyped_key(blubberfile: dict[str, Any]) -> None:
    """What the test above relies on: a wrong key deep inside is named by its path."""
    blubberfile["variants"]["production"]["runs"]["insecurly"] = False
    assert list(unknown(blubberfile, BLUBBERFILE)) == [".variants.production.runs.insecurly: unknown"]


def test_there_are_three_variants(blubberfile: dict[str, Any]) -> None:
    """Each image is built, tested and shipped, and what is included exists."""
    variants = blubberfile["variants"]
    assert variants.keys() == {"build", "test", "production"}
    for variant in variants.values():
        assert set(variant.get("includes", [])) <= variants.keys()


def test_production_is_small_and_without_privileges(blubberfile: dict[str, Any]) -> None:
    """No compiler, nothing of the source tree but rules, and no privileges in what is shipped."""
    production = blubberfile["variants"]["production"]
    assert production["runs"]["insecurely"] is False
    assert "includes" not in production
    assert set(production["apt"]["packages"]) <= {"ca-certificates", "python3"}
    local = {copy["source"] for copy in production["copies"] if copy["from"] == "local"}
    assert local <= {"revertrisk/dispatcher/rules"}


def test_base_images_have_a_version(blubberfile: dict[str, Any]) -> None:
    """The base is a version that stays the same."""
    assert re.search(r":[\w.-]*\d{8}$", blubberfile["base"])


def builders(blubberfile: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all builders, in the order in which the variants have them."""
    return [
        builder["custom"]
        for variant in blubberfile["variants"].values()
        for builder in variant.get("builders", [])
    ]


def test_local_files_exist(blubberfile: dict[str, Any]) -> None:
    """Whatever is taken from the source tree is there."""
    for builder in builders(blubberfile):
        for path in builder["requirements"]:
            assert (ROOT / path).exists(), path
    for variant in blubberfile["variants"].values():
        for copy in variant.get("copies", []):
            if copy["from"] == "local":
                assert (ROOT / copy["source"]).exists(), copy["source"]
            else:
                assert copy["from"] in blubberfile["variants"]


def test_builders_have_what_they_name(blubberfile: dict[str, Any]) -> None:
    """A script reads no file that its builder or one before it was not given, and each builder is a script."""
    given: set[str] = set()
    for builder in builders(blubberfile):
        given.update(builder["requirements"])
        assert "command" not in builder
        assert set(re.findall(r"requirements/[\w-]+\.txt", builder["script"])) <= given


def test_builders_write_only_where_they_may(blubberfile: dict[str, Any]) -> None:
    """Builders are not root: they make files in the folder that is theirs, and in /tmp."""
    for builder in builders(blubberfile):
        script = builder["script"].removeprefix("#!/bin/sh\n")
        for path in re.findall(r"(?<![\w.}/])/[\w./-]+", script):
            assert path.startswith((blubberfile["lives"]["in"], "/tmp/")), path  # noqa: S108 - in a container


def test_the_wheel_gets_all_of_its_packages(blubberfile: dict[str, Any]) -> None:
    """Each package that the wheel is made of is copied before it is built."""
    (building,) = (builder for builder in builders(blubberfile) if "pip wheel" in builder["script"])
    assert wheel_packages() <= set(building["requirements"])


def test_the_gpu_image_differs_by_its_torch_only() -> None:
    """The same version of torch from another index, over the same locked dependencies."""
    cpu, gpu = (
        yaml.safe_load((PIPELINE / folder / "blubber.yaml").read_text())
        for folder in ("server", "server_gpu")
    )
    index = [file["variants"]["build"]["arguments"].pop("TORCH_INDEX_URL") for file in (cpu, gpu)]
    assert index[0].endswith("/cpu")
    assert index[0] != index[1]
    assert f"ARG TORCH_INDEX_URL={index[0]}\n" in (ROOT / "Dockerfile").read_text()
    assert f"| `{index[1]}` |" in (ROOT / "docs" / "operations.md").read_text()
    for file in (cpu, gpu):
        del file["variants"]["test"]
    assert cpu == gpu


def test_entrypoints_are_programs_of_ours(blubberfile: dict[str, Any]) -> None:
    """What is shipped starts the command that the package installs."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert blubberfile["variants"]["production"]["entrypoint"][0] in scripts


def wheel_packages() -> set[str]:
    """Return the folders that the wheel is made of."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_the_pipelines_name_what_exists() -> None:
    """Each pipeline builds variants of a Blubber file that has them, and each file has its pipeline."""
    pipelines = yaml.safe_load((PIPELINE / "config.yaml").read_text())["pipelines"]
    assert sorted(pipeline["blubberfile"] for pipeline in pipelines.values()) == FILES
    for pipeline in pipelines.values():
        variants = yaml.safe_load((PIPELINE / pipeline["blubberfile"]).read_text())["variants"]
        assert {stage["build"] for stage in pipeline["stages"]} <= variants.keys()


@pytest.mark.parametrize("image", ["server", "dispatcher", "mocks", "analytics"])
def test_the_dockerfile_has_the_same_stages(image: str) -> None:
    """Both install the same locked dependencies and begin with the same program."""
    document = yaml.safe_load((PIPELINE / image / "blubber.yaml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    (stage,) = re.findall(rf"^FROM base AS build-{image}\n(.*?)^FROM", dockerfile, re.MULTILINE | re.DOTALL)
    lock = f"requirements/locked-{image}.txt"
    assert lock in stage
    assert lock in document["variants"]["build"]["builders"][0]["custom"]["requirements"]
    assert document["variants"]["production"]["entrypoint"][0] == "revertrisk"
    assert 'ENTRYPOINT ["revertrisk"]' in dockerfile
