"""Faults on demand, seen from the producer's side of the socket."""

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate, prediction

BROKER_FAILURE = "Local: Broker transport failure"


async def post_raw(gate: Gate, event: Any) -> bytes:
    """Post an event over a bare socket and return everything that comes back until the server closes."""
    address = urlsplit(gate.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        body = json.dumps(event).encode()
        writer.write(
            b"POST /v1/events HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize("status", [200, 204, 304, 404, 429, 502, 503, 504])
async def test_status(gate: Gate, status: int) -> None:
    """Any status but 500 is a proxy's plain answer without Retry-After, and nothing is produced."""
    await gate.set_faults({"kind": "status", "status": status, "next": 1})
    async with gate.session.post(f"{gate.url}/v1/events", json=prediction()) as answer:
        assert answer.status == status
        assert "Retry-After" not in answer.headers
        assert await answer.text() == ("" if status in (204, 304) else "upstream request failed\n")
    assert await gate.produced() == []
    assert await gate.post(prediction()) == 201
    stats = await gate.read("stats")
    assert stats["faults"] == {"status": 1}
    assert stats["answers"] == {"201": 1, str(status): 1}


async def test_broker_failure(gate: Gate) -> None:
    """A 500 is EventGate's own: each valid event errored with what librdkafka says."""
    await gate.set_faults({"kind": "status", "status": 500})
    event, invalid = prediction(), prediction(wiki_id=5)  # type: ignore[arg-type]  # invalid on purpose
    event["meta"]["request_id"] = "r"
    async with gate.session.post(f"{gate.url}/v1/events", json=[event, invalid]) as answer:
        assert (answer.status, answer.reason) == (
            500,
            "2 out of 2 events had failures and were not accepted. (1 invalid and 1 errored).",
        )
        body = await answer.json()
    assert body["error"] == [{"status": "error", "event": event, "context": {"message": BROKER_FAILURE}}]
    assert [entry["context"]["errorsText"] for entry in body["invalid"]] == ["'.wiki_id' should be string"]
    assert (await gate.read(f"events?stream={ONE}"))["events"] == []


async def test_partial(gate: Gate) -> None:
    """Of several events every second one is refused as by Kafka, and the answer is a 207 that says which."""
    await gate.set_faults({"kind": "partial"})
    events = [prediction(wiki_id=f"w{number}") for number in range(5)]
    async with gate.session.post(f"{gate.url}/v1/events", json=events) as answer:
        assert (answer.status, answer.reason) == (
            207,
            "3 out of 5 events were accepted, but 2 failed (0 invalid and 2 errored).",
        )
        body = await answer.json()
    assert body["invalid"] == []
    assert [entry["event"]["wiki_id"] for entry in body["error"]] == ["w1", "w3"]
    assert {entry["context"]["message"] for entry in body["error"]} == {BROKER_FAILURE}
    assert await gate.produced() == ["w0", "w2", "w4"]
    assert await gate.post(prediction()) == 201


async def test_delay(gate: Gate) -> None:
    """A delayed answer is the usual one, and the event is there before it."""
    await gate.set_faults({"kind": "delay", "seconds": 0.01, "next": 1}, {"kind": "delay", "seconds": 3600})
    assert await gate.post(prediction(wiki_id="w0")) == 201
    late = asyncio.create_task(gate.post(prediction(wiki_id="w1")))
    await gate.fired("delay", 2)
    assert await gate.produced() == ["w0", "w1"]
    assert not late.done()
    await gate.clear_faults()
    assert await late == 201


@pytest.mark.parametrize(
    ("kind", "produced", "replace"),
    [("hang", [], False), ("hang", [], True), ("accept_then_hang", ["nnwiki"], False)],
)
async def test_hang(gate: Gate, kind: str, produced: list[str], replace: bool) -> None:
    """No answer comes, produced or not by the kind; other requests are served; it ends with the fault."""
    await gate.set_faults({"kind": kind, "next": 1})
    hanging = asyncio.create_task(gate.post(prediction()))
    await gate.fired(kind)
    assert await gate.produced() == produced
    assert await gate.post(prediction(wiki_id="next")) == 201
    assert not hanging.done()
    await (gate.set_faults({"kind": "reset", "rate": 0}) if replace else gate.clear_faults())
    with pytest.raises(aiohttp.ClientError):
        await hanging
    assert (await gate.read("stats"))["answers"] == {"201": 1}
    assert await gate.produced() == [*produced, "next"]


@pytest.mark.parametrize("kind", ["hang", "accept_then_hang", "delay"])
async def test_a_client_that_gives_up_leaves_nothing_behind(gate: Gate, kind: str) -> None:
    """When the client of a hanging request goes, the request ends."""
    fault: dict[str, Any] = {"kind": kind}
    await gate.set_faults(fault | {"seconds": 3600} if kind == "delay" else fault)
    before = len(asyncio.all_tasks())
    async with aiohttp.ClientSession() as leaving:
        clients = [asyncio.create_task(Gate(leaving, gate.url).post(prediction())) for _ in range(20)]
        await gate.fired(kind, 20)
        assert len(asyncio.all_tasks()) >= before + 20
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
    while len(asyncio.all_tasks()) > before:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("kind", "produced"), [("reset", []), ("accept_then_reset", ["nnwiki"])])
async def test_reset(gate: Gate, kind: str, produced: list[str]) -> None:
    """The connection is reset without a byte of an answer, before or after producing."""
    await gate.set_faults({"kind": kind, "next": 2})
    with pytest.raises(ConnectionResetError):
        await post_raw(gate, prediction())
    with pytest.raises(aiohttp.ClientError):
        await gate.post(prediction())
    assert await gate.produced() == produced * 2
    assert await gate.post(prediction()) == 201
    stats = await gate.read("stats")
    assert (stats["faults"], stats["answers"]) == ({kind: 2}, {"201": 1})


@pytest.mark.parametrize(
    ("fault", "produced"),
    [
        ({"kind": "hang"}, []),
        ({"kind": "accept_then_hang"}, ["w0", "w1"]),
        ({"kind": "status", "status": 500}, []),
        ({"kind": "partial"}, ["w0"]),
    ],
)
async def test_hasty_does_not_wait_for_kafka(gate: Gate, fault: Any, produced: list[str]) -> None:
    """A hasty request is answered 202 whatever is the matter with Kafka."""
    await gate.set_faults(fault)
    assert await gate.post([prediction(wiki_id="w0"), prediction(wiki_id="w1")], "?hasty=true") == 202
    assert await gate.produced() == produced


async def test_only_the_streams_own_events(gate: Gate) -> None:
    """A fault for a stream leaves the others alone; a hasty request does not get past a proxy either."""
    await gate.set_faults({"kind": "status", "status": 503, "stream": OTHER})
    assert await gate.post(prediction(ONE)) == 201
    assert await gate.post(prediction(OTHER)) == 503
    assert await gate.post(prediction(OTHER), "?hasty=true") == 503
    assert await gate.post([prediction(ONE), prediction(OTHER)]) == 503


async def test_only_requests_with_events(gate: Gate) -> None:
    """What carries no event to produce is answered as ever; the readiness probe carries one."""
    await gate.set_faults({"kind": "status", "status": 503})
    for data in (b"", b"[]", b"{}"):
        async with gate.session.post(f"{gate.url}/v1/events", data=data) as answer:
            assert answer.status == 400
    for path, status in (("/_info", 200), ("/v1/stream-configs", 200), ("/v1/_test/events", 503)):
        async with gate.session.get(gate.url + path) as answer:
            assert answer.status == status


async def test_set_read_and_clear(gate: Gate) -> None:
    """PUT replaces the faults, POST adds one, GET shows them with their counts, DELETE lifts them."""
    url = f"{gate.url}/_mock/faults"
    await gate.set_faults({"kind": "hang", "rate": 0.0})
    async with gate.session.post(url, json={"kind": "status", "status": 502, "next": 3}) as answer:
        assert answer.status == 201
    assert await gate.post(prediction()) == 502
    expected = [
        {"kind": "hang", "rate": 0.0, "seed": 0, "fired": 0},
        {"kind": "status", "status": 502, "next": 2, "fired": 1},
    ]
    assert await gate.read("faults") == expected
    await gate.set_faults({"kind": "reset", "rate": 0.5})
    assert [fault["kind"] for fault in await gate.read("faults")] == ["reset"]
    await gate.clear_faults()
    assert await gate.read("faults") == []


@pytest.mark.parametrize(
    ("method", "data", "complaint"),
    [
        (
            "PUT",
            b'[{"kind":"hang"},{"kind":"hang","seed":-1}]',
            "[1].seed: expected at least 0",
        ),
        ("POST", b'{"kind":"hang","rate":2}', "rate: expected at most 1"),
        ("POST", b"hang", "body: expected JSON"),
        ("PUT", b"[" + b" " * 200_000 + b"]", "body: expected at most 102400 bytes"),
    ],
)
async def test_bad_faults(gate: Gate, method: str, data: bytes, complaint: str) -> None:
    """A bad document is a 400 that names the field, and leaves the faults in force as they were."""
    await gate.set_faults({"kind": "reset", "rate": 0})
    async with gate.session.request(method, f"{gate.url}/_mock/faults", data=data) as answer:
        assert answer.status == 400
        assert await answer.json() == {"error": complaint}
    assert [fault["kind"] for fault in await gate.read("faults")] == ["reset"]


async def test_forgetting_events_keeps_the_faults(gate: Gate) -> None:
    """A reset of events and counts forgets how often faults struck, not the faults."""
    await gate.set_faults({"kind": "status", "status": 503})
    await gate.post(prediction())
    await gate.forget()
    assert (await gate.read("stats"))["faults"] == {}
    assert await gate.post(prediction()) == 503
