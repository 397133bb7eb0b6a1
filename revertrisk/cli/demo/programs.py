"""The programs of the demo, with their ports and settings."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from model_server.settings import Settings
from revertrisk.cli.programs import LOOPBACK, Program, ProgramError, running
from revertrisk.event_platform.streams import PREDICTION_STREAMS


@dataclass(frozen=True, slots=True)
class DemoModel:
    """A model that the demo serves, and its usual port."""

    name: str
    port: int


MODELS = (
    DemoModel("revertrisk-language-agnostic", 8080),
    DemoModel("revertrisk-multilingual", 8082),
)


THRESHOLD = 0.07
"""The dashboard's threshold: 15 % of good edits score higher. All sample edits with a risk over 0.5 were reverted."""


class Starter:
    """Starts programs on their usual ports, or on free ones; they are stopped when ``stack`` is closed."""

    def __init__(self, stack: ExitStack, folder: Path, say: Callable[[str], None]) -> None:
        """``folder`` is for log files; ``say`` writes a line for the user."""
        self.stack = stack
        self._folder = folder
        self._say = say

    def mediawiki(self) -> str:
        """Start the mock MediaWiki and return its address. Raises ProgramError, like the other methods."""
        return self._start("mock MediaWiki", 8193, ["mock-mediawiki", "--port"])

    def eventgate(self, diff_base: str | None = None) -> str:
        """Start the mock EventGate and return its address."""
        links = [] if diff_base is None else ["--diff-base", diff_base]
        return self._start("mock EventGate", 8192, ["mock-eventgate", *links, "--port"])

    def servers(self, gate: str, environment: dict[str, str]) -> dict[str, str]:
        """Start a server for each model, and return the addresses by model name."""
        return {
            model.name: self._start(
                model.name,
                model.port,
                ["serve", "--http-port"],
                HTTP_HOST=LOOPBACK,
                ENABLE_GRPC="false",
                MODEL_NAME=model.name,
                EVENTGATE_URL=gate,
                EVENTGATE_STREAM=PREDICTION_STREAMS[model.name],
                SHUTDOWN_DELAY_SECONDS="0",
                LOG_FORMAT="ecs",
                **environment,
            )
            for model in MODELS
        }

    def dashboard(self, sources: Sequence[str], targets: Mapping[str, str], wiki: str, lake: Path) -> str:
        """Start the dashboard and return its address; the lake can be made later."""
        flags = [f"--source={source}" for source in sources]
        flags += [f"--explain-by={model}={target}" for model, target in targets.items()]
        arguments = [
            "dashboard",
            *flags,
            f"--diff-base={wiki}",
            f"--lake={lake}",
            f"--threshold={THRESHOLD}",
            "--port",
        ]
        return self._start("dashboard", 8194, arguments)

    def _start(self, name: str, wanted_port: int, arguments: Sequence[str], **environment: str) -> str:
        """Start a program; the last of ``arguments`` is the flag for its port."""

        def start(port: int) -> Program:
            log = self._folder / f"{name}.log"
            settings = _clean_environment() | environment
            return self.stack.enter_context(running([*arguments, str(port)], log, settings))

        self._say(f"Starting {name} …")
        try:
            program = start(0 if _listens(wanted_port) else wanted_port)
        except ProgramError:
            program = start(0)  # the port was taken between the check and the start
        moved = "" if program.url.endswith(f":{wanted_port}") else f" (port {wanted_port} is taken)"
        self._say(f"  {name} listens on {program.url}{moved}")
        return program.url


def _listens(port: int) -> bool:
    """Whether a program listens on the port. It connects and does not bind, which could make another demo fail."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _clean_environment() -> dict[str, str]:
    """Return the server's settings that are set in this environment, as empty: the demo must not depend on them."""
    return {name.upper(): "" for name in Settings.model_fields if name.upper() in os.environ}
