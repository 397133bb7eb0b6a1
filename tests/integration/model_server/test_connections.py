"""Connections are kept: TLS and TCP set-up per event is what makes such services slow."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from revertrisk.cli.programs import running
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.wikis import page, serving_wikis
from tests.integration.model_server.test_every_wikipedia import edit_on

EVENTS = 500
AGENT = "tests/1.0 (https://example.org/tests; tests@example.org)"


@pytest.fixture(scope="module")
def own_gate(logs: Path) -> Iterator[str]:
    with running(["mock-eventgate", "--port", "0"], logs / "own-gate.log") as program:
        yield program.url


async def test_500_events_take_one_connection_to_each_upstream(
    client: Client, start_server: StartServer, own_gate: str
) -> None:
    """One after the other, over as many wikis; with our User-Agent on both (E43)."""
    pages = {"enwiki": [page(number, 1000 + number, 5000 + number) for number in range(1, EVENTS + 1)]}
    with (
        serving_wikis(pages) as wiki,
        start_server(
            WIKI_URL=wiki, EVENTGATE_URL=own_gate, EVENTGATE_STREAM=STREAM, USER_AGENT=AGENT
        ) as program,
    ):
        # The start-up check of the stream is a connection of its own, before the first event.
        await client.forget(own_gate)
        for number in range(1, EVENTS + 1):
            event = edit_on("enwiki", "en.wikipedia.org")
            event["page"] |= {"page_id": number, "page_title": f"Page_{number}"}
            event["revision"] |= {"rev_id": 5000 + number, "rev_parent_id": 1000 + number}
            assert (await client.predict(program.url, {"event": event})).outcome == "produced"
        stats = {
            name: await client.get(f"{url}/_mock/stats")
            for name, url in {"gate": own_gate, "wiki": wiki}.items()
        }
    assert stats["gate"]["accepted"] == {STREAM: EVENTS}
    assert stats["wiki"]["requests"] == EVENTS
    assert {name: found["connections"] for name, found in stats.items()} == {"gate": 1, "wiki": 1}
    assert {name: set(found["user_agents"]) for name, found in stats.items()} == {
        "gate": {AGENT},
        "wiki": {AGENT},
    }
