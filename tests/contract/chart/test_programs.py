"""What the chart starts takes the arguments that it is given, and reads the rules that it is given."""

from pathlib import Path
from typing import Any

import typer.main

from revertrisk.cli.app import app
from revertrisk.dispatcher.rule_language.rule_file import load_rules, parse_rules

ROOT = Path(__file__).resolve().parents[3]
RULES_IN_THE_IMAGE = "/srv/revertrisk/rules/"
Manifest = dict[str, Any]


def started(rendered: list[Manifest]) -> list[list[str]]:
    """Return the arguments of each program that is started with some."""
    return [
        container["args"]
        for manifest in rendered
        if manifest["kind"] == "Deployment"
        for container in manifest["spec"]["template"]["spec"]["containers"]
        if "args" in container
    ]


def test_programs_have_the_flags_that_they_are_given(rendered: list[Manifest]) -> None:
    """The first arguments name a command of ours; flags that this command has follow, all needed ones among them."""
    for arguments in started(rendered):
        command: Any = typer.main.get_command(app)
        flags = list(arguments)
        while hasattr(command, "commands"):
            command = command.commands[flags.pop(0)]
        given = {flag.split("=", 1)[0] for flag in flags}
        assert given <= {option for parameter in command.params for option in parameter.opts}
        assert all(not parameter.required or set(parameter.opts) & given for parameter in command.params)


def test_dispatchers_have_rules_that_work(rendered: list[Manifest]) -> None:
    """A rule of the image is in the image, and one in the values is read as the dispatcher will read it."""
    inline = {
        m["metadata"]["name"]: m["data"]["rules.yaml"] for m in rendered if "rules.yaml" in m.get("data", {})
    }
    for text in inline.values():
        assert parse_rules(text, name="rules.yaml", target="http://server")
    for command, *flags in started(rendered):
        if command != "dispatch":
            continue
        options = dict(flag.removeprefix("--").split("=", 1) for flag in flags)
        if options["rule"].startswith(RULES_IN_THE_IMAGE):
            name = options["rule"].removeprefix(RULES_IN_THE_IMAGE)
            assert load_rules(ROOT / "revertrisk" / "dispatcher" / "rules" / name, target=options["target"])
        else:
            assert inline
