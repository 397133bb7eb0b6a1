"""The mock EventGate as a program that a test can stop and start again at the same address."""

import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import urllib3

from tests.integration.mock_eventgate.gate_client import ONE, OTHER, prediction

COMMAND = (sys.executable, "-m", "revertrisk.cli.app", "mock-eventgate")
ROOT = Path(__file__).resolve().parents[3]
AGNOSTIC, MULTILINGUAL = "revertrisk-language-agnostic", "revertrisk-multilingual"
STREAMS = {AGNOSTIC: ONE, MULTILINGUAL: OTHER}


class GateProgram:
    """A mock EventGate in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        self._port = "0"
        self.start()

    def start(self) -> None:
        """Start it, at the port that it had before if there was one, and wait until it listens."""
        self._process = subprocess.Popen(
            [*COMMAND, "--port", self._port, *self._arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().decode().split()[-1]
        self._port = self.url.rpartition(":")[2]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def post(self, *events: Any) -> int:
        """Post events in one request and return the status."""
        return urllib3.request("POST", f"{self.url}/v1/events", json=list(events)).status

    def forget(self) -> None:
        """Empty it."""
        assert urllib3.request("DELETE", f"{self.url}/_mock/events").status == 204


def scored(rev_id: int, risk: float, model: str = AGNOSTIC, **changes: Any) -> dict[str, Any]:
    """Return a valid event with a model's score of a revision."""
    event = prediction(STREAMS[model], **changes)
    event["revision"]["rev_id"] = rev_id
    event["predicted_classification"] = {
        "model_name": model,
        "model_version": "v7",
        "predictions": ["true" if risk >= 0.5 else "false"],
        "probabilities": {"true": risk, "false": 1 - risk},
    }
    return event
