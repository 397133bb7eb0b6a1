"""The programs of the demo: which ones, on which ports, with which settings."""

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
"""Of the dashboard: 15 of 100 good edits score higher. All sample edits with a risk over 0.5 have been reverted."""


class Starter:
    """Starts programs that end with the stack, each on its usual port or a free one, and says where it listens."""

    def __init__(self, stack: ExitStack, folder: Path, say: Callable[[str], None]) -> None:
        """Take the folder of the logs, and what writes a line."""
        self.stack = stack
        self._folder = folder
        self._say = say

    def mediawiki(self) -> str:
        """Start the mock MediaWiki and return its address; raises ProgramError, as the others do."""
        return self._start("mock MediaWiki", 8193, ["mock-mediawiki", "--port"])

    def eventgate(self, diff_base: str | None = None) -> str:
        """Start the mock EventGate and return its address."""
        links = [] if diff_base is None else ["--diff-base", diff_base]
        return self._start("mock EventGate", 8192, ["mock-eventgate", *links, "--port"])

    def servers(self, gate: str, environment: dict[str, str]) -> dict[str, str]:
        """Start a server for each model, and return each one's address."""
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
        """Start the dashboard over streams, servers to ask for reasons, and a lake that may come later."""
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
        """Start a program; its arguments end with the flag of the port."""

        def start(port: int) -> Program:
            log = self._folder / f"{name}.log"
            settings = _clean_environment() | environment
            return self.stack.enter_context(running([*arguments, str(port)], log, settings))

        self._say(f"Starting {name} …")
        try:
            program = start(0 if _listens(wanted_port) else wanted_port)
        except ProgramError:
            program = start(0)  # another program may have taken the port meanwhile
        moved = "" if program.url.endswith(f":{wanted_port}") else f" (port {wanted_port} is taken)"
        self._say(f"  {name} listens on {program.url}{moved}")
        return program.url


def _listens(port: int) -> bool:
    """Whether a program listens on the port: asked without binding it, which would take it from another demo."""
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _clean_environment() -> dict[str, str]:
    """Blank the server's own variables: the demo must not depend on the user's environment."""
    return {name.upper(): "" for name in Settings.model_fields if name.upper() in os.environ}
