"""docs/architecture.md names what is there: packages with what they import, modules with their functions."""

import ast
import os
import re
from collections import defaultdict
from importlib import import_module
from pathlib import Path

import pytest
from grimp import build_graph

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs" / "architecture.md"
TOP = ("mock_eventgate", "mock_mediawiki", "model_server", "revertrisk", "schemas")
BLOCK = re.compile(r"(?<=<!-- packages -->\n).*?(?=<!-- /packages -->)", re.DOTALL)
STEP = re.compile(r"^\| [^|]+ \| `([\w/]+\.py)` \| ([^|]+) \|", re.MULTILINE)
PLACE = re.compile(r"`((?:model_server|revertrisk|charts|docs|mock_\w+|schemas|tests)/[\w./-]+)`")


def package_of(module: str) -> str:
    """Return the folder that a module belongs to: below ``revertrisk`` the second name."""
    parts = module.split(".")
    return "/".join(parts[:2]) if parts[0] == "revertrisk" and len(parts) > 1 else parts[0]


def packages() -> str:
    """Return the table of packages: the first sentence of each one's docstring, and what it imports."""
    graph = build_graph(*TOP)
    imported: dict[str, set[str]] = defaultdict(set)
    for importer in graph.modules:
        for other in graph.find_modules_directly_imported_by(importer):
            imported[package_of(importer)].add(package_of(other))
    names = sorted({package_of(module) for module in graph.modules} - {"revertrisk"})
    height = heights(names, imported)
    rows = [
        f"| `{name}/` | {purpose(name)} | {short(imported[name] - {name, 'revertrisk'})} |"
        for name in sorted(names, key=lambda name: (-height[name], name))
    ]
    return "\n".join(["", "| package | what it is | imports |", "| --- | --- | --- |", *rows, "", ""])


def short(names: set[str]) -> str:
    return ", ".join(sorted(name.removeprefix("revertrisk/") for name in names)) or "none of ours"


def heights(names: list[str], imported: dict[str, set[str]]) -> dict[str, int]:
    """Return the floor of each package: one above the highest that it imports."""
    found: dict[str, int] = {}

    def height(name: str) -> int:
        if name not in found:
            below = imported[name] & set(names) - {name}
            found[name] = 1 + max(map(height, below), default=-1)
        return found[name]

    for name in names:
        height(name)
    return found


def purpose(name: str) -> str:
    tree = ast.parse((ROOT / name / "__init__.py").read_text())
    text = (ast.get_docstring(tree) or "").split("\n\n")[0]
    return " ".join(text.split()).rstrip(".")


def test_the_packages_are_those_that_are_there() -> None:
    """Each with what it imports, from the top floor to the ground; ``make readme`` writes them anew."""
    if "UPDATE_README" in os.environ:
        PAGE.write_text(BLOCK.sub(lambda _: packages(), PAGE.read_text()))
    found = BLOCK.search(PAGE.read_text())
    assert found is not None
    assert found[0] == packages()


@pytest.mark.parametrize(("path", "names"), STEP.findall(PAGE.read_text()))
def test_each_step_is_a_function_that_is_there(path: str, names: str) -> None:
    """The tables of paths name modules and what is in them."""
    module = import_module(path.removesuffix(".py").replace("/", "."))
    for name in re.findall(r"`([\w.]+)`", names):
        found = module
        for part in name.split("."):
            found = getattr(found, part)
        assert callable(found)


def test_each_place_is_there() -> None:
    """Files and folders that the page names exist."""
    assert [place for place in PLACE.findall(PAGE.read_text()) if not (ROOT / place).exists()] == []
