"""One server between one wiki and one gate for all edge cases, and a record of what each test saw."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import orjson
import pytest

from revertrisk.cli.programs import Program, running
from tests.fakes.clients import STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import EditedWikis, serving_edited_wikis
from tests.fakes.stage import Stage, on_stage
from tests.integration.edge_cases.rows import LIMITS, RECORD_VARIABLE, Seen


@pytest.fixture(scope="package")
def wikis() -> Iterator[EditedWikis]:
    with serving_edited_wikis() as served:
        yield served


@pytest.fixture(scope="package")
def edge_gate(logs: Path) -> Iterator[str]:
    with running(["mock-eventgate", "--port", "0"], logs / "edge-gate.log") as program:
        yield program.url


@pytest.fixture(scope="package")
def edge_server(start_server: StartServer, wikis: EditedWikis, edge_gate: str) -> Iterator[Program]:
    """A producer with short time-outs."""
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=STREAM, **LIMITS
    ) as program:
        yield program


@pytest.fixture
async def stage(
    client: Client,
    edge_server: Program,
    wikis: EditedWikis,
    edge_gate: str,
    replies: list[Reply],
) -> AsyncIterator[Stage]:
    async with on_stage(client, edge_server.url, edge_server.log, wikis, edge_gate) as stage:
        stage.replies = replies
        yield stage


@pytest.fixture
def replies(request: pytest.FixtureRequest) -> Iterator[list[Reply]]:
    """What the test's requests were answered, written down for the document where that is asked for."""
    found: list[Reply] = []
    yield found
    record = os.environ.get(RECORD_VARIABLE)
    if record is not None:
        seen = Seen.of(request.node.originalname, request.node.path.name, found)
        with Path(record).open("ab") as out:
            out.write(orjson.dumps(seen, option=orjson.OPT_APPEND_NEWLINE))
