"""docs/operations.md, as somebody follows it at night: its commands, paths, links and metrics exist."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

from model_server.settings import Settings
from revertrisk.cli.app import app

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT = (ROOT / "docs" / "operations.md").read_text()
METRIC = re.compile(r"\b(?:revertrisk|dispatcher|lake)_[a-z_]+\b")
IN_CAPITALS = re.compile(r"`([A-Z][A-Z_]{3,})[`=]")
OF_OTHERS = {"STREAM", "EVENTGATE", "REVISION", "NAME", "CONTAINER", "ALERT", "RULE", "TORCH_INDEX_URL"}
"""What stands in capitals and is no setting of the server."""
OF_THE_NETWORK = {
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "AWS_CA_BUNDLE",
    "KAFKA_SSL_CA_LOCATION",
}
"""What the other programs read, or another program's clients would."""
OF_THE_LAKE = {"ACTOR_KEY_DAYS"}
"""What docs/lake.md explains."""


def fenced() -> Iterator[str]:
    """Yield the command lines of the document, each with its continuations."""
    for block in re.findall(r"^ *```\n(.*?)^ *```", DOCUMENT, re.MULTILINE | re.DOTALL):
        yield from (line.strip() for line in block.replace("\\\n", " ").splitlines())


def test_commands_of_ours_have_the_flags_that_they_are_given() -> None:
    """Each command line that starts a program of ours is one that it takes: flags known, and all needed ones there."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]  # a group, as it has commands
    found = 0
    for line in fenced():
        start = re.search(rf"(?:^|-- +)revertrisk ({'|'.join(commands)})\b(.*)", line)
        if start is None:
            continue
        found += 1
        command, words = commands[start[1]], shlex.split(start[2])
        while hasattr(command, "commands"):
            command = command.commands[words.pop(0)]
        parameters = command.params
        given = {word.split("=")[0] for word in words if word.startswith("--")}
        assert given <= {option for parameter in parameters for option in parameter.opts}
        for parameter in parameters:
            assert not parameter.required or set(parameter.opts) & given, f"{line}: {parameter.opts}"
    assert found


def test_targets_of_make_exist() -> None:
    """Each `make` that the document asks for is in the Makefile."""
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z-]+)", DOCUMENT)) <= targets


def test_files_exist() -> None:
    """Each file of the project that is named is there."""
    paths = set(re.findall(r"(?<![\w/.])((?:charts|requirements|\.pipeline)/[\w./*-]*\w)", DOCUMENT))
    assert paths
    for path in paths:
        assert list(ROOT.glob(path)), path
    for page in re.findall(r"`([A-Za-z-]+\.md)`", DOCUMENT):
        assert (ROOT / "docs" / page).exists(), page


def test_metrics_in_queries_exist() -> None:
    """Each metric in a query is documented."""
    pages = "".join((ROOT / "docs" / name).read_text() for name in ("metrics.md", "dispatcher.md", "lake.md"))
    for line in fenced():
        for name in METRIC.findall(line):
            assert f"| `{re.sub(r'_(?:bucket|count|sum)$', '', name)}`" in pages, name


def test_settings_exist() -> None:
    """Each variable is one of the server's, or of those that other programs read."""
    settings = {name.upper() for name in Settings.model_fields}
    assert set(IN_CAPITALS.findall(DOCUMENT)) - OF_OTHERS - OF_THE_NETWORK - OF_THE_LAKE <= settings
    assert all(f"`{name}`" in (ROOT / "docs" / "lake.md").read_text() for name in OF_THE_LAKE)


@pytest.mark.parametrize("page", ["metrics.md", "configuration.md", "errors.md", "dispatcher.md"])
def test_it_says_where_the_rest_is(page: str) -> None:
    """Whoever needs a metric, a setting, an error or a flag is told which page has them all."""
    assert f"`{page}`" in DOCUMENT
