"""The EventGate client against a real HTTP server that answers as EventGate does, and as it should not."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest
from aiohttp import web

from revertrisk.event_platform.eventgate import (
    EventGateClient,
    GateRejectedError,
    GateUnavailableError,
    intake_url,
)
from tests.fakes.http import in_a_minute, open_http

EVENT = {"$schema": "/s/1.0.0", "meta": {"stream": "s", "id": "1"}}
Answer = web.Response | Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Gives its answers in turn, the last one for ever, and keeps what it was sent."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.clients: list[Any] = []
        """The other end of the connection of each."""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        assert request.transport is not None
        self.clients.append(request.transport.get_extra_info("peername"))
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, web.Response):
            return web.Response(status=answer.status, reason=answer.reason, body=answer.body)
        return await answer(request)


@asynccontextmanager
async def client_of(gate: Gate, **options: Any) -> AsyncIterator[EventGateClient]:
    app = web.Application()
    app.router.add_post("/v1/events", gate.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    try:
        async with open_http() as http:
            yield EventGateClient(
                http, f"http://127.0.0.1:{port}", **{"timeout": 5.0, "user_agent": "tests"} | options
            )
    finally:
        await runner.cleanup()


def refusal(status: int, /, **entries: Any) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(entries))


def error_entry(message: str) -> dict[str, Any]:
    return {"status": "error", "event": EVENT, "context": {"message": message}}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://gate:8192", "http://gate:8192/v1/events"),
        ("http://gate:8192/", "http://gate:8192/v1/events"),
        ("https://gate/v1/events", "https://gate/v1/events"),
        ("https://gate/intake/analytics", "https://gate/intake/analytics"),
    ],
)
def test_a_url_without_a_path_means_v1_events(url: str, expected: str) -> None:
    """The walk-through's EVENTGATE_URL has no path."""
    assert intake_url(url) == expected


async def test_an_accepted_event_was_sent_once_as_json() -> None:
    """201 is the one answer that accepts; hasty is never asked for."""
    gate = Gate(web.Response(status=201))
    async with client_of(gate) as client:
        await client.produce(EVENT, in_a_minute())
    assert [orjson.loads(body) for body in gate.bodies] == [EVENT]
    assert gate.headers[0]["Content-Type"] == "application/json"


async def test_a_transient_failure_is_sent_again_byte_for_byte() -> None:
    """E2: the same body, so the same meta.id, once more."""
    gate = Gate(
        refusal(500, error=[error_entry("Local: Broker transport failure")]), web.Response(status=201)
    )
    async with client_of(gate) as client:
        await client.produce(EVENT, in_a_minute())
    assert gate.bodies[0] == gate.bodies[1]


async def test_u2_the_second_try_uses_a_new_connection() -> None:
    """The first one's may lead to a host that has gone; the next event may use the new one."""
    gate = Gate(web.Response(status=201), web.Response(status=503), web.Response(status=201))
    async with client_of(gate) as client:
        for _ in range(3):
            await client.produce(EVENT, in_a_minute())
    first, failed, again, last = gate.clients
    assert first == failed != again == last


async def test_a_gate_that_stays_away_is_unavailable() -> None:
    """Two tries, then the caller decides."""
    gate = Gate(web.Response(status=503))
    async with client_of(gate) as client:
        with pytest.raises(GateUnavailableError, match="status_503"):
            await client.produce(EVENT, in_a_minute())
    assert len(gate.bodies) == 2


async def test_no_try_begins_after_the_deadline() -> None:
    """What is left of the request's time bounds the tries, not their number."""
    gate = Gate(web.Response(status=503))
    async with client_of(gate, attempts=1000) as client:
        # The last try may be cut off by the deadline.
        with pytest.raises(GateUnavailableError, match=r"status_503|timeout"):
            await client.produce(EVENT, asyncio.get_running_loop().time() + 0.5)
    assert 1 <= len(gate.bodies) < 1000


@pytest.mark.parametrize("status", [301, 401, 404, 429, 500, 502, 504])
async def test_an_answer_that_eventgate_would_not_give_may_pass(status: int) -> None:
    """A proxy without a route, during a deployment, says nothing of our event."""
    gate = Gate(web.Response(status=status, body=b"<html>"), web.Response(status=201))
    async with client_of(gate) as client:
        await client.produce(EVENT, in_a_minute())
    assert len(gate.bodies) == 2


async def test_a_refusal_is_read_to_its_end() -> None:
    """The reason may stand behind a long echo of the event, and come in pieces."""

    async def in_pieces(request: web.Request) -> web.StreamResponse:
        body = orjson.dumps({"padding": "x" * 300_000, "error": [error_entry("s is not configured.")]})
        response = web.StreamResponse(status=500, headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        for start in range(0, len(body), 50_000):
            await response.write(body[start : start + 50_000])
        return response

    async with client_of(Gate(in_pieces)) as client:
        with pytest.raises(GateRejectedError, match="stream_not_configured"):
            await client.produce(EVENT, in_a_minute())


async def test_a_timeout_may_have_produced() -> None:
    """With Kafka down EventGate hangs, and the event may still arrive later."""

    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(3600)
        raise AssertionError

    async with client_of(Gate(hang), timeout=0.2) as client:
        with pytest.raises(GateUnavailableError) as caught:
            await client.produce(EVENT, in_a_minute())
    assert caught.value.maybe_produced


async def test_a_refused_connection_has_not_produced() -> None:
    """Nobody listened, so nothing was taken."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    async with open_http() as http:
        gone = EventGateClient(http, f"http://127.0.0.1:{port}", user_agent="tests", timeout=1.0)
        with pytest.raises(GateUnavailableError, match="connection_failed") as caught:
            await gone.produce(EVENT, in_a_minute())
    assert not caught.value.maybe_produced


async def test_an_invalid_event_is_rejected_without_retry_and_without_its_values() -> None:
    """E3: keyword and data path say enough; the event is on EventGate's own error stream."""
    entry = {
        "status": "invalid",
        "event": EVENT,
        "context": {
            "errors": [
                {"keyword": "type", "dataPath": ".page.page_id", "message": "should be integer"},
                {"keyword": "required", "dataPath": ""},
            ],
            "errorsText": "'.page.page_id' should be integer",
        },
    }
    gate = Gate(refusal(400, invalid=[entry]))
    async with client_of(gate) as client:
        with pytest.raises(GateRejectedError) as caught:
            await client.produce(EVENT, in_a_minute())
    assert caught.value.faults == ("type at .page.page_id", "required at /")
    assert len(gate.bodies) == 1


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal(500, error=[error_entry("event 1 … s is not configured.")]), "stream_not_configured"),
        (
            refusal(
                500,
                error=[
                    error_entry(
                        "event 1 of schema at /a/1.0.0 destined to stream s is not allowed in stream; "
                        "schema title must be b."
                    )
                ],
            ),
            "schema_not_allowed_in_stream",
        ),
        (refusal(500, error=[error_entry("Failed loading schema at /a/1.0.0")]), "schema_not_found"),
        (refusal(500, error=[error_entry("Broker: Message size too large")]), "event_too_large"),
        (
            refusal(500, status=500, type="internal_error", title="PayloadTooLargeError"),
            "PayloadTooLargeError",
        ),
        (web.Response(status=202), "status_202"),
        (web.Response(status=413), "status_413"),
    ],
    ids=lambda case: case if isinstance(case, str) else "",
)
async def test_a_configuration_fault_is_final(answer: web.Response, reason: str) -> None:
    """E4, E5: EventGate says 500 for a stream that is not configured; no retry mends that, nor a 202."""
    gate = Gate(answer)
    async with client_of(gate) as client:
        with pytest.raises(GateRejectedError) as caught:
            await client.produce(EVENT, in_a_minute())
    assert caught.value.reason == reason
    assert len(gate.bodies) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"invalid": [7]}', b'{"error": [null]}']
)
async def test_an_answer_that_is_not_eventgates_is_no_crash(body: bytes) -> None:
    """Whatever stands between us and the gate may answer in its own way."""
    async with client_of(Gate(web.Response(status=500, body=body)), attempts=1) as client:
        with pytest.raises((GateUnavailableError, GateRejectedError)):
            await client.produce(EVENT, in_a_minute())
