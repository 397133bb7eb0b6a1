"""Reading the stream over HTTP, through cuts, refusals and restarts."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path

import aiohttp
import orjson
import pytest

from mock_eventgate import Options, listening
from revertrisk.consumer import Consumer, Delivery, StreamRefusedError, read_eventstreams
from tests.fakes.clients import STREAM
from tests.fakes.scripted_http import Answer, Misbehaviour, Reply, ScriptedServer, Seen, scripted_server
from tests.unit.consumer.prediction_events import Event, make_event

TOPIC = f"eqiad.{STREAM}"
ROOT = Path(__file__).resolve().parents[3]
KILLED = """
import json, os, signal, sys
from pathlib import Path
from revertrisk.consumer import Consumer, Delivery

log, checkpoint, survives = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Consumer(checkpoint, commit_every=4) as consumer:
    lines = log.read_text().splitlines()
    places = range(int(consumer.resume_at or 0), len(lines))
    for _ in consumer.new_predictions(Delivery(json.loads(lines[place]), str(place + 1)) for place in places):
        survives -= 1
        if survives == 0:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with scripted_server() as server:
        yield server


def token(milliseconds: int) -> str:
    return orjson.dumps([{"topic": TOPIC, "partition": 0, "timestamp": milliseconds}]).decode()


def sse(rev_id: int, milliseconds: int) -> bytes:
    """Return one event as EventStreams writes it; ``milliseconds`` is the time after it."""
    data = orjson.dumps(make_event(revision__rev_id=rev_id))
    return b"event: message\nid: %b\ndata: %b\n\n" % (token(milliseconds).encode(), data)


def stream(body: bytes) -> Reply:
    return Reply(body=body, headers={"content-type": "text/event-stream"})


def in_turn(*answers: Answer) -> Callable[[Seen], Answer]:
    """Answer each request with the next answer."""
    coming = iter(answers)
    return lambda _: next(coming)


async def revisions(deliveries: AsyncIterator[Delivery], count: int) -> list[int]:
    """Return the next so many revisions."""
    found: list[int] = []
    while len(found) < count:
        found.append((await anext(deliveries)).event["revision"]["rev_id"])
    return found


async def test_reading_goes_on_after_every_kind_of_end(
    server: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    """A response that ends, a reset, a 503 and a 429 are waited out, and reading continues after the last event."""
    server.script = in_turn(
        stream(sse(1, 100_001) + sse(2, 100_002)),
        Misbehaviour.RESET,
        Reply(503),
        Reply(429),
        Misbehaviour.GIBBERISH,
        stream(sse(3, 100_003)[:-1]),  # cut before it is complete: no event
        stream(sse(3, 100_003)),
        stream(sse(4, 100_004)),
    )
    reading = read_eventstreams(session, f"{server.url}/v2/stream/{STREAM}", first_wait=0.001)
    async with aclosing(reading) as deliveries:
        assert await revisions(deliveries, 4) == [1, 2, 3, 4]
    places = [seen.headers.get("Last-Event-ID") for seen in server.seen]
    assert places == [None, *[token(40_002)] * 6, token(40_003)]
    assert {seen.headers["Accept"] for seen in server.seen} == {"text/event-stream"}


@pytest.mark.parametrize("status", [400, 403, 404])
async def test_a_refusal_is_the_end(
    server: ScriptedServer, session: aiohttp.ClientSession, status: int
) -> None:
    """A stream that does not exist, or a place that cannot be read, is an error that somebody sees."""
    server.script = in_turn(Reply(status))
    with pytest.raises(StreamRefusedError, match=str(status)):
        await anext(read_eventstreams(session, f"{server.url}/v2/stream/no.such"))


async def test_the_first_failure_is_a_warning(
    server: ScriptedServer, session: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    """An outage has one warning, the next one has another; the usual end of a connection has none."""
    caplog.set_level(logging.INFO, "revertrisk.streams")
    server.script = in_turn(
        Reply(503),
        Reply(429),
        stream(sse(1, 100_001)),
        stream(b":ok\n\n"),
        Reply(503),
        Reply(503),
        stream(sse(2, 100_002)),
    )
    reading = read_eventstreams(session, f"{server.url}/v2/stream/{STREAM}", first_wait=0.001)
    async with aclosing(reading) as deliveries:
        assert await revisions(deliveries, 2) == [1, 2]
    levels = [record.levelname for record in caplog.records if "; again in " in record.getMessage()]
    assert levels == ["WARNING", "INFO", "INFO", "INFO", "WARNING", "INFO"]


async def test_what_is_not_json_is_delivered_and_counted(
    server: ScriptedServer, session: aiohttp.ClientSession
) -> None:
    """A broken event neither ends the reading nor disappears."""
    server.script = in_turn(stream(b"id: [1]\ndata: {\n\n" + sse(1, 5)))
    async with aclosing(read_eventstreams(session, server.url)) as deliveries:
        with Consumer() as consumer:
            for _ in range(2):
                consumer.take(await anext(deliveries))
            assert (consumer.tally()["invalid"], consumer.tally()["new"]) == (1, 1)


@pytest.mark.parametrize("event_ids", ["offset", "timestamp"])
async def test_a_restarted_consumer_misses_nothing(
    session: aiohttp.ClientSession, tmp_path: Path, event_ids: str
) -> None:
    """E51: killed in the middle of a millisecond and resumed from its checkpoint, it has each prediction once."""
    log = [make_event(revision__rev_id=rev_id) for rev_id in range(1, 31)]  # all of the same millisecond
    async with listening(options=Options(event_ids=event_ids)) as url:
        await post(session, url, log)
        since_ever = f"{url}/v2/stream/{STREAM}?since=0"
        found: list[int] = []
        for stop_after in (1, 10, 30):
            with Consumer(tmp_path / "predictions.sqlite", commit_every=1) as consumer:
                reading = read_eventstreams(session, since_ever, consumer.resume_at)
                async with aclosing(consumer.follow(reading)) as predictions:
                    while len(found) < stop_after:
                        found.append((await anext(predictions)).rev_id)
                consumer.commit()
                assert consumer.tally()["new"] == len(found)
        assert found == list(range(1, 31))


def test_a_killed_consumer_ends_up_as_if_nothing_had_happened(tmp_path: Path) -> None:
    """SIGKILL between any two commits loses nothing and counts nothing twice."""
    log, checkpoint = tmp_path / "log.jsonl", tmp_path / "predictions.sqlite"
    events = [make_event(revision__rev_id=1 + number // 2) for number in range(60)]  # each comes twice
    log.write_bytes(b"".join(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE) for event in events))
    statuses = []
    for survives in (1, 3, 8, 5, 0):
        command = [sys.executable, "-c", KILLED, str(log), str(checkpoint), str(survives)]
        statuses.append(subprocess.run(command, cwd=ROOT, check=False).returncode)
    assert statuses == [*[-signal.SIGKILL] * 4, 0]
    with Consumer(checkpoint) as consumer:
        assert consumer.resume_at == "60"
        assert (consumer.tally()["new"], consumer.tally()["duplicate"]) == (30, 30)
        assert [row.rev_id for row in consumer.pages()] == [30]


async def test_d3_what_an_idle_topic_brings_while_stopped_comes(
    session: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A topic that was empty before the consumer was stopped, and again after it came back, is read from its start."""
    streams = [f"mediawiki.page_revert_risk_{name}prediction_change.v1" for name in ("", "multilingual_")]
    found: list[int] = []
    rev_ids = iter(range(1, 10))

    async with listening(options=Options(event_ids="timestamp")) as url:

        async def said(stream: str) -> None:
            event = make_event(meta__stream=stream, revision__rev_id=next(rev_ids))
            del event["meta"]["dt"]  # the gate's own time: the place of an empty topic is a time
            await post(session, url, [event])

        async def run(first: str) -> None:
            with Consumer(tmp_path / "predictions.sqlite") as consumer:
                reading = read_eventstreams(
                    session, f"{url}/v2/stream/{','.join(streams)}", consumer.resume_at
                )
                async with aclosing(consumer.follow(reading)) as predictions:
                    coming = asyncio.ensure_future(anext(predictions))
                    await said(first)
                    found.append((await coming).rev_id)
                    consumer.commit()
                # "The end" would be the end at the time of the next connection.
                assert all("timestamp" in place for place in orjson.loads(consumer.resume_at or ""))

        await run(streams[0])
        await run(streams[0])  # the other topic is still empty
        await said(streams[1])
        with Consumer(tmp_path / "predictions.sqlite") as consumer:
            reading = read_eventstreams(session, f"{url}/v2/stream/{','.join(streams)}", consumer.resume_at)
            async with aclosing(consumer.follow(reading)) as predictions:
                found.append((await anext(predictions)).rev_id)
    assert found == [1, 2, 3]


async def post(session: aiohttp.ClientSession, gate: str, events: list[Event]) -> None:
    async with session.post(f"{gate}/v1/events", json=events) as answer:
        assert answer.status == 201, await answer.text()
