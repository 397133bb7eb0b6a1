"""docs/commands.md is what the commands say of themselves; ``make readme`` writes it anew."""

import inspect
import os
from collections.abc import Iterator
from enum import EnumType
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer

from revertrisk.cli.app import app

PAGE = Path(__file__).resolve().parents[3] / "docs" / "commands.md"
UPDATING = "UPDATE_README" in os.environ
BEGINNING = """# Commands

What `revertrisk COMMAND --help` says. This page is written by `make readme`, from the program itself.

Settings of the server that have no flag come from the environment: see [configuration](configuration.md).

"""


def written() -> str:
    """Return the page as it must be."""
    group = typer.main.get_command(app)
    commands = dict(sorted(flat(group)))
    overview = [
        f"| [`{name}`](#revertrisk-{name.replace(' ', '-')}) | {paragraphs(command)[0]} |"
        for name, command in commands.items()
    ]
    parts = [
        BEGINNING + "\n".join(["| command | what it does |", "| --- | --- |", *overview]),
        *(section(name, command) for name, command in commands.items()),
    ]
    return "\n\n".join(parts) + "\n"


def flat(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each command with its name, those of a group behind the group's."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from flat(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def section(name: str, command: Any) -> str:
    flags = [
        f"| {usage(flag)} | {default(flag)} | {cell(flag.help)} |"
        for flag in command.params
        if flag.name != "help"
    ]
    table = ["| flag | default | meaning |", "| --- | --- | --- |", *flags] if flags else ["It has no flags."]
    return "\n\n".join([f"## revertrisk {name}", *paragraphs(command), "\n".join(table)])


def paragraphs(command: Any) -> list[str]:
    text = inspect.cleandoc(command.help).split("\f")[0]
    return [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]


def usage(flag: Any) -> str:
    if flag.param_type_name == "argument":
        return f"`{flag.metavar or flag.name.upper()}`"
    name = " / ".join([*flag.opts, *flag.secondary_opts])
    return f"`{name}`" if flag.is_flag else f"`{name} {flag.metavar or value_of(flag)}`"


def value_of(flag: Any) -> str:
    """Say what kind of value a flag takes, or which ones."""
    kind = flag.type_descriptor.annotation
    if isinstance(kind, EnumType):
        return "\\|".join(str(member.value) for member in kind)
    if get_origin(kind) is Literal:
        return "\\|".join(get_args(kind))
    return {int: "NUMBER", float: "NUMBER", Path: "PATH"}.get(kind, "TEXT")


def default(flag: Any) -> str:
    if flag.required:
        return "needed"
    value = flag.default
    is_told = value is not None and value != [] and not isinstance(value, bool)
    return f"`{getattr(value, 'value', value)}`" if is_told else ""


def cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")


def test_each_command_is_documented_as_it_is() -> None:
    """Every command of ``revertrisk --help``, and every flag with its default and its meaning; and no other."""
    if UPDATING:
        PAGE.write_text(written())
    assert PAGE.read_text() == written()
