"""Every real page_change event of the captures has the outcome that the design demands (DESIGN 3)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.wikis import page, serving_wikis

CAPTURE = "page_change_1.12.0_capture_2026-09-27.jsonl"
OUTCOMES = {
    f"{CAPTURE}:1 create on Commons": "skipped:not_wikipedia",
    f"{CAPTURE}:2 move": "skipped:null_edit",
    f"{CAPTURE}:3 edit": "produced",
    f"{CAPTURE}:4 delete of a talk page": "skipped:page_change_kind",
    "liftwing_page_change_enwiki_2025-10-29.json": "produced",
    "liftwing_page_change_wikidata_2026-06-22.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-create.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-delete.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-edit.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-page-suppress.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-undelete.json": "skipped:not_wikipedia",
    "wdqs_page_change_item-visibility-change.json": "skipped:not_wikipedia",
}


@pytest.fixture(scope="module")
def server(start_server: StartServer, gate: str) -> Iterator[str]:
    """A producer over made-up texts for the scorable events."""
    pages = {
        "enwiki": [
            page(18612929, 1377037470, 1377038042, title="Drumcree conflict"),
            page(70793851, 1319295223, 1319367938, title="Anees (musician)"),
        ]
    }
    with (
        serving_wikis(pages) as wiki,
        start_server(WIKI_URL=wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM) as program,
    ):
        yield program.url


def body_of(shared: Path, case: str) -> dict[str, Any]:
    name, _, line = case.partition(":")
    content = (shared / "data/events" / name).read_bytes()
    if line:
        content = content.splitlines()[int(line.split()[0]) - 1]
    body: dict[str, Any] = orjson.loads(content)
    return body


def test_no_captured_page_change_event_is_left_out(shared: Path) -> None:
    """The table covers every capture of a page_change event."""
    names = {path.name for path in (shared / "data/events").glob("*page_change*")}
    assert names == {case.partition(":")[0] for case in OUTCOMES}


@pytest.mark.parametrize(("case", "outcome"), OUTCOMES.items(), ids=list(OUTCOMES))
async def test_a_real_event_has_the_outcome_that_is_due(
    client: Client, server: str, empty_gate: str, shared: Path, case: str, outcome: str
) -> None:
    """Wrapped or bare, of any 1.x schema."""
    reply = await client.predict(server, body_of(shared, case))
    assert (reply.status, reply.outcome) == (200, outcome)
    assert len(await client.accepted(empty_gate)) == (outcome == "produced")


async def test_another_kind_of_event_is_refused(client: Client, server: str, shared: Path) -> None:
    """A recentchange event is no page_change event, whoever sent it here."""
    event = orjson.loads((shared / "data/events/kafka-connect-sse_recentchange_2019-03-04.json").read_bytes())
    reply = await client.predict(server, {"event": event})
    assert (reply.status, reply.body["code"]) in {(400, "unsupported_schema"), (400, "invalid_event")}
