from pathlib import Path
from typing import Any

import aiohttp

from mock_eventgate import Options, listening
from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate

TITLE = "mediawiki/page/prediction_classification_change"


async def ask(gate: Gate, query: str = "", status: int = 201) -> Any:
    """Ask for canary events."""
    async with gate.session.post(f"{gate.url}/_mock/canaries{query}") as answer:
        assert answer.status == status
        return await answer.json()


async def test_a_canary_on_each_stream(gate: Gate) -> None:
    """Each stream that has canary events gets one: its schema's first example, from the canary domain."""
    answer = await ask(gate)
    async with gate.session.get(f"{gate.url}/v1/stream-configs") as configs:
        streams = {name for name, config in (await configs.json()).items() if config["canary_events_enabled"]}
    events = {
        item["event"]["meta"]["stream"]: item["event"] for item in (await gate.read("events"))["events"]
    }
    assert len(streams) == 7
    assert set(events) == set(answer["produced"]) == streams
    assert answer["failed"] == {}
    for stream, event in events.items():
        assert event["meta"]["domain"] == "canary"
        assert event["meta"]["id"] == answer["produced"][stream]
        assert event["$schema"].startswith(f"/{TITLE}/")


async def test_canaries_of_some_streams(gate: Gate) -> None:
    """Only the streams asked for get one, also those that have none by themselves; each is an event of its own."""
    first = await ask(gate, f"?streams={ONE},eventgate.test.event")
    second = await ask(gate, f"?streams={ONE}")
    assert set(first["produced"]) == {ONE, "eventgate.test.event"}
    assert first["produced"][ONE] != second["produced"][ONE]
    assert (await gate.read(f"events?stream={OTHER}"))["events"] == []
    assert len((await gate.read(f"events?stream={ONE}"))["events"]) == 2


async def test_streams_that_do_not_exist(gate: Gate) -> None:
    """A stream that is not configured is refused, and nothing is produced."""
    for query in ("?streams=", f"?streams={ONE},no.such"):
        answer = await ask(gate, query, status=400)
        assert answer == {"error": "streams: expected names of configured streams, joined by commas"}
    assert await gate.produced() == []


async def test_faults_do_not_strike_canaries(gate: Gate) -> None:
    """Canaries come from within, past whatever is wrong on the way in."""
    await gate.set_faults({"kind": "hang"})
    assert set((await ask(gate, f"?streams={ONE}"))["produced"]) == {ONE}


async def test_a_stream_whose_schema_is_not_there(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A stream for which no canary can be made is named with the reason; the others get theirs."""
    path = tmp_path / "streams.yaml"
    path.write_text(f"one: {{schema_title: {TITLE}}}\nother: {{schema_title: no/such}}")
    async with listening(options=Options(stream_config=path)) as url:
        answer = await ask(Gate(session, url), status=500)
    assert set(answer["produced"]) == {"one"}
    assert answer["failed"] == {"other": "no schema at /no/such/latest"}
