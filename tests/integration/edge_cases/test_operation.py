"""Starting, stopping, too much work, and what operators see."""

import asyncio
import http.client
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import aiohttp
import orjson
import pytest

from revertrisk.cli.programs import Program
from tests.fakes.clients import FAILURE_KEYS, MODEL, STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import HIDDEN_TEXT, MARKER, EditedWikis
from tests.fakes.refused_start import refused_start
from tests.fakes.stage import Stage, on_stage
from tests.integration.edge_cases.rows import LIMITS

NOWHERE = "http://127.0.0.1:9"
QUEUE = 4
WIKI_SHARE = 3
"""Of four places, those that one wiki gets."""
OUTCOMES = "revertrisk_requests_total"


async def calls_in_flight(client: Client, wikis: EditedWikis, count: int) -> None:
    """Wait until the MediaWiki has so many requests that it has not answered."""
    while (await client.get(f"{wikis.url}/_mock/stats"))["in_flight"] < count:
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("stream", "said"),
    [("no.such.stream", "no stream of this name"), ("eventgate.test.event", "takes schema test/event")],
)
def test_e04_stream_that_the_gate_does_not_take_stops_the_start(
    edge_gate: str, stream: str, said: str
) -> None:
    """If the gate's stream configuration lacks the stream or has another schema for it, the server does not start."""
    assert said in refused_start(EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=stream)


def test_e06_gate_without_stream_stops_the_start() -> None:
    """`EVENTGATE_URL` without `EVENTGATE_STREAM`, or the reverse, stops the start; the error names the missing one."""
    assert "EVENTGATE_STREAM" in refused_start(EVENTGATE_URL=NOWHERE)
    assert "EVENTGATE_URL" in refused_start(EVENTGATE_STREAM=STREAM)


async def test_e06_neither_gate_nor_stream_is_a_scorer_that_says_so(
    client: Client, start_server: StartServer, wikis: EditedWikis, replies: list[Reply]
) -> None:
    """Without both, the server scores and emits nothing.

    The log says so at the start, and so does each answer to an event.
    """
    with start_server(WIKI_URL=wikis.url, **LIMITS) as program:
        replies.append(await client.predict(program.url, {"event": wikis.plain_edit()}, reemit=False))
        assert (replies[0].status, replies[0].outcome) == (200, "scored_only")
        assert "scores only" in program.log.read_text()


@pytest.mark.parametrize("datacentre", ["eqiad", "codfw"])
def test_e07_topic_in_the_streams_place_stops_the_start(datacentre: str) -> None:
    """A topic name in `EVENTGATE_STREAM` stops the start; the error names the stream to use."""
    said = refused_start(EVENTGATE_URL=NOWHERE, EVENTGATE_STREAM=f"{datacentre}.{STREAM}")
    assert f"use {STREAM}" in said


async def test_e45_sigterm_lets_work_in_flight_end_and_serves_during_the_delay(
    client: Client, start_server: StartServer, wikis: EditedWikis, edge_gate: str, replies: list[Reply]
) -> None:
    """After SIGTERM the server is not ready.

    It answers what is in flight and what comes during the delay, and exits with 0.
    """
    await client.forget(edge_gate)
    with start_server(
        WIKI_URL=wikis.url,
        EVENTGATE_URL=edge_gate,
        EVENTGATE_STREAM=STREAM,
        **LIMITS | {"SHUTDOWN_DELAY_SECONDS": "60", "AIOHTTP_CLIENT_TIMEOUT": "5", "REQUEST_DEADLINE": "10"},
    ) as program:
        async with client.session.put(f"{wikis.url}/_mock/faults", json=[{"kind": "delay", "seconds": 3600}]):
            pass
        in_flight = asyncio.create_task(
            client.predict(program.url, {"event": wikis.plain_edit()}, reemit=False)
        )
        await calls_in_flight(client, wikis, 1)
        program.process.send_signal(signal.SIGTERM)
        while "code" not in (ready := await client.get(f"{program.url}/v2/health/ready")):
            await asyncio.sleep(0.01)
        assert ready["code"] == "not_ready"
        async with client.session.delete(f"{wikis.url}/_mock/faults"):
            pass
        replies.append(await in_flight)
        replies.append(await client.predict(program.url, {"event": wikis.plain_edit()}, reemit=False))
        assert [reply.outcome for reply in replies] == ["produced", "produced"]
        assert replies[1].headers["connection"] == "close"
        program.process.send_signal(signal.SIGTERM)  # a second one ends the delay
        assert await asyncio.to_thread(program.process.wait, 30) == 0
    assert len(await client.accepted(edge_gate)) == 2


@pytest.fixture
async def narrow_stage(
    client: Client, start_server: StartServer, wikis: EditedWikis, edge_gate: str, replies: list[Reply]
) -> AsyncIterator[Stage]:
    """A server with four places that waits long for MediaWiki."""
    limits = LIMITS | {
        "QUEUE_LIMIT": str(QUEUE),
        "AIOHTTP_CLIENT_TIMEOUT": "30",
        "REQUEST_DEADLINE": "60",
    }
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=STREAM, **limits
    ) as program:
        async with on_stage(client, program.url, program.log, wikis, edge_gate) as stage:
            stage.replies = replies
            yield stage


async def test_e46_overload_is_503_at_once_and_health_stays_quick(narrow_stage: Stage) -> None:
    """A wiki that does not answer takes its share of `QUEUE_LIMIT` and no more.

    Other wikis and health answer as before.
    """
    stage = narrow_stage
    await stage.wiki_faults({"kind": "delay", "seconds": 3600, "wiki_id": "enwiki"})
    held = []
    for number in range(1, WIKI_SHARE + 1):
        held.append(asyncio.create_task(stage.deliver(stage.wikis.plain_edit())))
        await calls_in_flight(stage.client, stage.wikis, number)
    refused = await stage.deliver(stage.wikis.plain_edit())
    assert (refused.status, refused.body["code"]) == (503, "overloaded")
    assert (await stage.deliver(stage.wikis.event(1, "dewiki"))).outcome == "produced"
    for path in ("/v2/health/live", "/v2/health/ready", f"/v1/models/{MODEL}", "/metrics"):
        async with stage.client.session.get(stage.server + path) as answer:
            assert answer.status == 200
    assert not any(task.done() for task in held), "they wait, and nobody else waited for them"
    await stage.wiki_faults()
    assert {(await task).outcome for task in held} == {"produced"}
    assert len(await stage.wiki_calls()) == WIKI_SHARE + 1


async def test_e47_workers_on_one_port_are_counted_together(
    client: Client, start_server: StartServer, wikis: EditedWikis, edge_gate: str, replies: list[Reply]
) -> None:
    """Any worker's `/metrics` counts the requests of all; a worker that dies ends the server with status 1."""
    with start_server(
        WIKI_URL=wikis.url, EVENTGATE_URL=edge_gate, EVENTGATE_STREAM=STREAM, WORKERS="2", **LIMITS
    ) as program:
        while program.log.read_bytes().count(b'"Listening"') < 2:
            await asyncio.sleep(0.05)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            fresh = Client(session)  # each request on a connection of its own: to any of the workers
            replies += [
                await fresh.predict(program.url, {"event": wikis.plain_edit()}, reemit=False)
                for _ in range(30)
            ]
            async with session.get(f"{program.url}/metrics") as answer:
                assert f'{OUTCOMES}{{outcome="produced"}} {len(replies)}.0' in await answer.text()
        assert {reply.outcome for reply in replies} == {"produced"}
        lines = [line for line in program.log.read_bytes().splitlines() if b'"message":"predict"' in line]
        served_by = {orjson.loads(line)["process"]["pid"] for line in lines}
        assert (len(lines), len(served_by)) == (len(replies), 2)
        os.kill(served_by.pop(), signal.SIGKILL)
        assert await asyncio.to_thread(program.process.wait, 30) == 1


@pytest.fixture(scope="module")
def public_server(start_server: StartServer) -> Iterator[Program]:
    """A server that would ask the public wikis, and is asked for nothing here."""
    with start_server(KEEP_ALIVE_SECONDS="2") as program:
        yield program


def test_e43_default_user_agent_for_public_wikis_is_a_warning_at_the_start(public_server: Program) -> None:
    """A server that asks public wikis with the default `USER_AGENT` warns at the start."""
    assert "USER_AGENT is the default" in public_server.log.read_text()


def test_e48_idle_connection_is_kept_as_long_as_the_setting_says(public_server: Program) -> None:
    """An idle connection is closed after `KEEP_ALIVE_SECONDS` and not before."""
    connection = http.client.HTTPConnection(public_server.url.removeprefix("http://"), timeout=30)
    with closing(connection):
        connection.request("GET", "/v2/health/live")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"live":true}')
        assert connection.sock is not None
        connection.sock.settimeout(1.0)
        with pytest.raises(TimeoutError):
            connection.sock.recv(1)  # still open after a second
        connection.sock.settimeout(30)
        assert connection.sock.recv(1) == b""


async def test_e49_log_has_one_line_a_request_and_nothing_personal(stage: Stage) -> None:
    """The log has one line for each request, without titles, names, comments or texts."""
    event = stage.wikis.plain_edit()
    await stage.deliver(event, **{"X-Request-Id": "edge-case-49"})
    await stage.deliver(stage.wikis.event(HIDDEN_TEXT))
    await stage.deliver(event | {"dt": MARKER})
    await stage.deliver(event | {"$schema": f"/{MARKER}/1.0.0"})
    await stage.ask({"lang": MARKER, "rev_id": 1})
    await stage.ask(MARKER.encode())
    for path in (f"/{MARKER}", f"/v1/models/{MARKER}"):
        async with stage.client.session.get(stage.server + path) as answer:
            assert MARKER not in await answer.text()
            assert (await answer.json()).keys() == FAILURE_KEYS
    await stage.wiki_faults({"kind": "html"})
    await stage.deliver(stage.wikis.plain_edit())
    lines = await stage.log_lines()
    assert MARKER not in await stage.log_text()
    assert [line["labels"]["outcome"] for line in lines] == [
        "produced",
        "skipped:revision_hidden",
        "invalid_event",
        "unsupported_schema",
        "unknown_wiki",
        "invalid_json",
        "mediawiki_unavailable",
    ]
    first = lines[0]
    assert first["http"]["request"]["id"] == "edge-case-49"
    assert first["labels"].keys() >= {"wiki_id", "rev_id", "outcome", "fetch_ms", "score_ms", "emit_ms"}


async def test_e54_outcomes_and_the_time_of_the_last_accepted_event_are_metrics(stage: Stage) -> None:
    """Each request is counted once by its outcome.

    A gauge has the time of the last accepted event, and neither readiness nor liveness depends on it.
    """
    before = (await stage.metrics()).get("revertrisk_last_accepted_event_timestamp_seconds", 0)
    await stage.deliver(stage.wikis.plain_edit())
    after = (await stage.metrics())["revertrisk_last_accepted_event_timestamp_seconds"]
    assert after > before
    await stage.deliver(stage.wikis.event(HIDDEN_TEXT))
    await stage.gate_faults({"kind": "status", "status": 503})
    await stage.deliver(stage.wikis.plain_edit())
    counted = await stage.counted()
    for outcome in ("produced", "skipped:revision_hidden", "eventgate_unavailable"):
        assert counted[f'{OUTCOMES}{{outcome="{outcome}"}}'] == 1
    assert (await stage.metrics())["revertrisk_last_accepted_event_timestamp_seconds"] == after
    assert await stage.client.get(f"{stage.server}/v2/health/ready") == {"ready": True}
