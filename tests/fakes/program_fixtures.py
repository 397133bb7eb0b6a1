"""Fixtures: the real programs on loopback, for the tests that watch them work together."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import aiohttp
import pytest

from revertrisk.cli.programs import Program, running
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.edited_wikis import EditedWikis, serving_edited_wikis
from tests.fakes.forked_server import running_server


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(session: aiohttp.ClientSession) -> Client:
    return Client(session)


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def start_server(logs: Path) -> StartServer:
    """Start model servers that listen on any free port, without gRPC and with a short shutdown."""
    defaults = {
        "HTTP_HOST": "127.0.0.1",
        "HTTP_PORT": "0",
        "ENABLE_GRPC": "false",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "LOG_FORMAT": "ecs",
    }

    def start(**environment: str) -> AbstractContextManager[Program]:
        log = logs / f"server-{len(list(logs.iterdir()))}.log"
        if "WORKERS" in environment:  # its workers begin as it does, as programs
            return running(["serve"], log, defaults | environment)
        return running_server(log, defaults | environment)

    return start


@pytest.fixture(scope="session")
def gate(logs: Path) -> Iterator[str]:
    with running(["mock-eventgate", "--port", "0"], logs / "gate.log") as program:
        yield program.url


@pytest.fixture
async def empty_gate(gate: str, client: Client) -> str:
    await client.forget(gate)
    return gate


@pytest.fixture(scope="session")
def sample_wiki(logs: Path) -> Iterator[str]:
    with running(["mock-mediawiki", "--port", "0"], logs / "wiki.log") as program:
        yield program.url


@pytest.fixture(scope="session")
def producer(start_server: StartServer, gate: str, sample_wiki: str) -> Iterator[str]:
    """A server that emits, over the sample pages."""
    with start_server(WIKI_URL=sample_wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM) as program:
        yield program.url


@pytest.fixture(scope="session")
def scorer(start_server: StartServer, sample_wiki: str) -> Iterator[str]:
    """A server that only scores."""
    with start_server(WIKI_URL=sample_wiki) as program:
        yield program.url


@pytest.fixture(scope="module")
def wikis() -> Iterator[EditedWikis]:
    with serving_edited_wikis() as served:
        yield served
