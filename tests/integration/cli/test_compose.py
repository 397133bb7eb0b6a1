"""The compose file's commands, run as processes on loopback: what its containers would do, up to the predictions."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import typer
import urllib3
import yaml

from revertrisk.cli.app import app
from revertrisk.cli.programs import running

ROOT = Path(__file__).resolve().parents[3]
SERVICES: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
HERE = {"HTTP_HOST": "127.0.0.1", "HTTP_PORT": "0", "GRPC_PORT": "0", "LOG_FORMAT": "ecs"}
"""Where the server's image listens is no part of the compose file."""


@dataclass
class Network:
    """Stands for the network of the containers: each service's name is an address on loopback."""

    urls: dict[str, str] = field(default_factory=dict)

    def reached(self, text: str) -> str:
        """Return a command or a setting with the addresses of services as they are here."""
        for name, url in self.urls.items():
            for port in (8080, 8192, 8193):
                text = text.replace(f"http://{name}:{port}", url)
        return text


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Start what ``docker compose up`` starts, each after what it depends on."""
    logs = tmp_path_factory.mktemp("compose")
    network = Network()
    with ExitStack() as stack:
        for name, service in SERVICES.items():
            if "profiles" in service:
                continue
            assert set(service.get("depends_on", [])) <= network.urls.keys()
            command = [argument.replace("0.0.0.0", "127.0.0.1") for argument in service.get("command", [])]  # noqa: S104
            environment = {
                key: network.reached(value) for key, value in service.get("environment", {}).items()
            }
            if command:
                command += ["--port", "0"]
            else:  # the image's own
                command, environment = ["serve"], environment | HERE
            network.urls[name] = stack.enter_context(running(command, logs / name, environment)).url
        yield network


def test_commands_exist() -> None:
    """Each service runs a command of ``revertrisk``, with flags that it has."""
    group = typer.main.get_command(app)
    for service in SERVICES.values():
        text = " ".join(service.get("command", []))
        ours = text.split("revertrisk ")[1:] if "entrypoint" in service else [text]
        assert ours or service["entrypoint"][0] == "revertrisk"
        for words in map(str.split, ours):
            command: Any = group
            for word in words:  # the first may be a group's name
                command = getattr(command, "commands", {}).get(word, command)
            known = {name for each in command.params for name in each.opts}
            assert {word for word in words if word.startswith("--")} <= known


def test_the_health_check_is_true_of_a_ready_server(network: Network) -> None:
    """What Docker asks in the container succeeds once the server is ready, and fails where nothing listens."""
    command, *arguments = SERVICES["server"]["healthcheck"]["test"][1:]
    assert command == "python3"
    for address, succeeds in ((network.urls["server"], True), ("http://127.0.0.1:9", False)):
        asked = [argument.replace("http://127.0.0.1:8080", address) for argument in arguments]
        done = subprocess.run([sys.executable, *asked], capture_output=True, check=False)
        assert (done.returncode == 0) is succeeds, done.stderr


def test_the_dispatcher_brings_every_sample_edit_to_the_stream(network: Network, tmp_path: Path) -> None:
    """``docker compose run dispatcher`` gives nothing up, and the predictions are on the mock EventGate."""
    service = SERVICES["dispatcher"]
    [script] = service["command"]
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*service["entrypoint"], network.reached(script).replace("/tmp/", f"{tmp_path}/")],  # noqa: S108
        cwd=ROOT / "revertrisk" / "dispatcher",  # the image has its rules where it starts
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    produced = orjson.loads(done.stdout)["outcomes"]["produced"]
    stats = urllib3.request("GET", f"{network.urls['mock-eventgate']}/_mock/stats").json()
    stream = SERVICES["server"]["environment"]["EVENTGATE_STREAM"]
    assert stats["accepted"] == {stream: produced}
    assert produced > 100
