"""Real programs on loopback whose predictions are then read from the stream, as its users do."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.programs import Program
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import MODEL, STREAM, StartServer

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


@pytest.fixture(scope="package")
def server(start_server: StartServer, gate: str, sample_wiki: str) -> Iterator[Program]:
    """The model server with the shipped model, on its own stream."""
    with start_server(WIKI_URL=sample_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM) as program:
        yield program


@pytest.fixture(scope="package")
def other_server(
    start_server: StartServer, gate: str, sample_wiki: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Program]:
    """A second server whose model has another name and version, on the stream of that model."""
    folder = tmp_path_factory.mktemp("artifact") / OTHER_MODEL
    shutil.copytree(ROOT / "revertrisk/scoring/artifacts" / MODEL, folder)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata |= {"name": OTHER_MODEL, "version": "revertrisk-events-10"}
    (folder / "metadata.json").write_text(json.dumps(metadata))
    with start_server(
        MODEL_NAME=OTHER_MODEL,
        MODEL_PATH=str(folder),
        WIKI_URL=sample_wiki,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=OTHER_STREAM,
    ) as program:
        yield program
