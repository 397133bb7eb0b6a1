"""Real programs on loopback whose predictions are then read from the stream, as its users do."""

import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.programs import Program, running
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import MODEL, STREAM

Event = dict[str, Any]

OTHER_MODEL = "revertrisk-multilingual"
OTHER_STREAM = "mediawiki.page_revert_risk_multilingual_prediction_change.v1"
ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Samples:
    """The sample pages and their page_change events, oldest first."""

    history: SampleHistory
    events: list[Event]


@pytest.fixture(scope="package")
def samples() -> Samples:
    wikis = WikiTable.load()
    history = SampleHistory.shipped(wikis)
    return Samples(history, list(page_changes(history, wikis)))


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture(scope="package")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="package")
def gate(logs: Path) -> Iterator[str]:
    with running(["mock-eventgate", "--port", "0"], logs / "gate.log") as program:
        yield program.url


@pytest.fixture(scope="package")
def wiki(logs: Path) -> Iterator[str]:
    with running(["mock-mediawiki", "--port", "0"], logs / "wiki.log") as program:
        yield program.url


@pytest.fixture(scope="package")
def environment(gate: str, wiki: str) -> dict[str, str]:
    return {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "ENABLE_GRPC": "false",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "LOG_FORMAT": "ecs",
        "WIKI_URL": wiki,
        "EVENTGATE_URL": gate,
    }


@pytest.fixture(scope="package")
def server(environment: dict[str, str], logs: Path) -> Iterator[Program]:
    """The model server with the shipped model, on its own stream."""
    with running(["serve"], logs / "server.log", environment | {"EVENTGATE_STREAM": STREAM}) as program:
        yield program


@pytest.fixture(scope="package")
def other_server(
    environment: dict[str, str], logs: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A second server whose model has another name and version, on the stream of that model."""
    folder = tmp_path_factory.mktemp("artifact") / OTHER_MODEL
    shutil.copytree(ROOT / "revertrisk/scoring/artifacts" / MODEL, folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata |= {"name": OTHER_MODEL, "version": "revertrisk-events-10"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    settings = {"MODEL_NAME": OTHER_MODEL, "MODEL_PATH": str(folder), "EVENTGATE_STREAM": OTHER_STREAM}
    with running(["serve"], logs / "other-server.log", environment | settings) as program:
        yield program
