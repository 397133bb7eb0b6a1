"""The Blubber files: keys that Blubber knows, files that exist, and the Dockerfile's own stages.

Blubber's published schema lets unknown keys pass. The table below, made from its configuration reference for v4,
does not, so a mistyped key is found here and not in a build.
"""

import re
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
    "command": [TEXT],
    "script": TEXT,
    "caches": [(TEXT, {})],
    "mounts": [(TEXT, {})],
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
    assert local <= {"dispatcher/rules"}


def test_base_images_have_a_version(blubberfile: dict[str, Any]) -> None:
    """The base is a version that stays the same."""
    assert re.search(r":[\w.-]*\d{8}$", blubberfile["base"])


def test_local_files_exist(blubberfile: dict[str, Any]) -> None:
    """Whatever is taken from the source tree is there."""
    for variant in blubberfile["variants"].values():
        for builder in variant.get("builders", []):
            for path in builder["custom"]["requirements"]:
                assert (ROOT / path).exists(), path
        for copy in variant.get("copies", []):
            if copy["from"] == "local":
                assert (ROOT / copy["source"]).exists(), copy["source"]
            else:
                assert copy["from"] in blubberfile["variants"]


def test_the_pipelines_name_what_exists() -> None:
    """Each pipeline builds variants of a Blubber file that has them, and each file has its pipeline."""
    pipelines = yaml.safe_load((PIPELINE / "config.yaml").read_text())["pipelines"]
    assert sorted(pipeline["blubberfile"] for pipeline in pipelines.values()) == FILES
    for pipeline in pipelines.values():
        variants = yaml.safe_load((PIPELINE / pipeline["blubberfile"]).read_text())["variants"]
        assert {stage["build"] for stage in pipeline["stages"]} <= variants.keys()


@pytest.mark.parametrize("image", ["server", "dispatcher", "mocks"])
def test_the_dockerfile_has_the_same_stages(image: str) -> None:
    """Both install the same locked dependencies and begin with the same program."""
    document = yaml.safe_load((PIPELINE / image / "blubber.yaml").read_text())
    dockerfile = (ROOT / "Dockerfile").read_text()
    (stage,) = re.findall(rf"^FROM build AS build-{image}\n(.*?)^FROM", dockerfile, re.MULTILINE | re.DOTALL)
    lock = f"requirements/locked-{image}.txt"
    assert lock in stage
    assert lock in document["variants"]["build"]["builders"][0]["custom"]["requirements"]
    assert document["variants"]["production"]["entrypoint"][0] == "revertrisk"
    assert 'ENTRYPOINT ["revertrisk"]' in dockerfile
