"""EventStreams through all its disconnects."""

import asyncio
import json
import random
import re
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from mock_eventgate import Options, listening
from revertrisk.dispatcher import DispatchSettings, dispatch
from revertrisk.streams import EventSource, SourcedEvent, SourceError
from revertrisk.streams.base import MAX_KEPT_BYTES
from revertrisk.streams.checkpoints import CheckpointFile
from revertrisk.streams.eventstreams import EventStreamsSource
from revertrisk.streams.sse import MAX_EVENT_BYTES
from tests.fakes.dispatchers import StartDispatcher
from tests.fakes.event_stream import TOPIC, EventStream
from tests.fakes.loopback import serving
from tests.fakes.scripted_http import ScriptedServer
from tests.fakes.tcp_proxies import CuttingProxy, proxying
from tests.integration.dispatcher.workplace import RULE, Workplace

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
CUTS = 50


def numbered(count: int) -> list[bytes]:
    return [
        json.dumps({"meta": {}, "number": number, "text": "x" * (number % 300)}).encode()
        for number in range(count)
    ]


def source(url: str, **changes: float) -> EventStreamsSource:
    return EventStreamsSource(
        f"{url}/v2/stream/x", user_agent="test/1", since=SINCE, first_pause_s=0, **changes
    )


async def first(stream: EventStreamsSource, count: int) -> list[int]:
    async with aclosing(stream.events()) as events:
        found = [await anext(events) for _ in range(count)]
    return [record.event["number"] for record in found if isinstance(record, SourcedEvent)]


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_however_often_the_connection_is_cut(seed: int) -> None:
    """Fifty cuts at random places, in the middle of events too, and every event comes exactly once and in order."""
    dice = random.Random(seed)  # noqa: S311 (no secret)
    stream = EventStream(numbered(3000), cuts=iter([dice.randrange(1, 15_000) for _ in range(CUTS)]))
    with serving(stream.app()) as url:
        assert await first(source(url), 3000) == list(range(3000))
    assert len(stream.requests) == CUTS + 1
    assert stream.user_agents == {"test/1"}


@pytest.mark.parametrize("event_ids", ["timestamp", "offset"])
async def test_the_mock_eventgate_can_be_followed_through_every_cut(
    model_server: ScriptedServer, tmp_path: Path, event_ids: str
) -> None:
    """Fifty random cuts between the dispatcher and the mock's EventStreams, while events are being accepted.

    With timestamps as ids, which Wikimedia's has, events come again after a cut, and are known by their id.
    """
    (tmp_path / "rule.yaml").write_text(
        "rules: [{name: r, topic: mediawiki.page_revert_risk_prediction_change.v1, concurrency: 20, "
        "exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}}]"
    )
    dice = random.Random(event_ids)  # noqa: S311 (no secret)
    stop = asyncio.Event()
    async with (
        listening(options=Options(event_ids=event_ids)) as gate,
        proxying(
            proxy := CuttingProxy(gate, iter([dice.randrange(200, 40_000) for _ in range(CUTS)]))
        ) as url,
        aiohttp.ClientSession() as session,
    ):
        settings = DispatchSettings(
            source=f"eventstreams:{url}/v2/stream/mediawiki.page_revert_risk_prediction_change.v1",
            rule_file=tmp_path / "rule.yaml",
            target=model_server.url,
            dead_letters=tmp_path / "dead.jsonl",
            since=SINCE,
        )
        running = asyncio.create_task(dispatch(settings, stop=stop, wrap=without_pauses))
        for start in range(0, 2000, 50):
            async with session.post(
                f"{gate}/v1/events", json=[prediction(number) for number in range(start + 1, start + 51)]
            ) as answer:
                assert answer.status == 201
        while len(model_server.seen) < 2000:
            await asyncio.sleep(0.02)
        stop.set()
        summary = await running
    assert proxy.connections > CUTS
    assert sorted(seen.json["event"]["revision"]["rev_id"] for seen in model_server.seen) == list(
        range(1, 2001)
    )
    assert summary.outcomes["produced"] == 2000
    assert set(summary.outcomes) <= ({"produced", "duplicate"} if event_ids == "timestamp" else {"produced"})


def without_pauses(stream: EventSource, _: object) -> EventSource:
    assert isinstance(stream, EventStreamsSource)
    stream.first_pause_s = 0
    return stream


def prediction(number: int) -> dict[str, Any]:
    return {
        "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "changelog_kind": "update",
        "dt": "2026-01-31T12:00:00Z",
        "meta": {
            "stream": "mediawiki.page_revert_risk_prediction_change.v1",
            "dt": f"2026-01-31T12:00:{number // 40:02}.{number // 4 % 10}00Z",  # four of each time
            "id": f"id-{number}",
            "domain": "nn.wikipedia.org",
        },
        "page": {"namespace_id": 0, "page_id": 12, "page_title": "Fjell", "is_redirect": False},
        "page_change_kind": "edit",
        "revision": {"rev_id": number, "rev_dt": "2026-01-31T12:00:00Z"},
        "wiki_id": "nnwiki",
    }


async def test_every_byte_is_a_place_where_a_connection_may_be_cut() -> None:
    """Cut after one byte, after two, and so on through two whole events: nothing is lost or repeated."""
    stream = EventStream(numbered(40))
    cuts = range(1, 2 * len(stream.written(0)) + 1)
    stream.cuts = iter(cuts)
    with serving(stream.app()) as url:
        assert await first(source(url), 40) == list(range(40))


async def test_a_client_says_where_to_begin_until_it_has_an_id() -> None:
    """Connections that end before the first event cost nothing: each begins at the same time again."""
    stream = EventStream(numbered(3))
    stream.cuts = iter([1, 2, len(stream.written(0)) + len(stream.written(1)) + 1])
    with serving(stream.app()) as url:
        assert await first(source(url), 3) == [0, 1, 2]
    since = "2026-01-01T00:00:00.000Z"
    assert stream.requests[:3] == [(None, since)] * 3
    event_id, no_since = stream.requests[3]
    assert event_id is not None
    assert (json.loads(event_id)[0]["offset"], no_since) == (1, None)


async def test_a_connection_that_brings_nothing_is_given_up() -> None:
    """A silent server is asked again after the idle timeout, from where it fell silent."""
    stream = EventStream(numbered(3))
    with serving(stream.app()) as url:
        async with aclosing(source(url, idle_timeout_s=0.2).events()) as events:
            for _ in range(3):
                await anext(events)
            # The open connection has passed its end, so only a new one brings it.
            stream.events.append(numbered(4)[3])
            record = await anext(events)
    assert isinstance(record, SourcedEvent)
    assert record.event["number"] == 3
    assert len(stream.requests) >= 2


async def test_a_server_that_is_busy_is_asked_again() -> None:
    """429 and 5xx pass, and a Retry-After is waited for."""
    stream = EventStream(numbered(1), statuses=iter([(429, {"retry-after": "1"}), (503, {}), (500, {})]))
    with serving(stream.app()) as url:
        started = asyncio.get_running_loop().time()
        assert await first(source(url), 1) == [0]
        assert asyncio.get_running_loop().time() - started >= 1
    assert len(stream.requests) == 4


async def test_connections_are_told() -> None:
    """Each that opens and each that ends; one that the server refuses did not open."""
    told: list[str] = []
    stream = EventStream(numbered(1), statuses=iter([(503, {})]))
    with serving(stream.app()) as url:
        reader = EventStreamsSource(
            f"{url}/v2/stream/x",
            user_agent="test/1",
            since=SINCE,
            first_pause_s=0,
            on_reconnect=lambda: told.append("ended"),
            on_open=lambda: told.append("opened"),
        )
        assert await first(reader, 1) == [0]
    assert told == ["ended", "opened"]


@pytest.mark.parametrize("status", [400, 404, 301, 204])
async def test_a_refusal_is_an_error(status: int) -> None:
    """A stream that does not exist will not exist when asked again."""
    stream = EventStream([], statuses=iter([(status, {"location": "/elsewhere"})]))
    with serving(stream.app()) as url:
        address = re.escape(f"{url}/v2/stream/x")
        said = rf"the server has no such stream, or refuses it \({status}\): {address}"
        with pytest.raises(SourceError, match=f"^{said}"):
            await first(source(url), 1)


async def test_a_server_that_is_not_there_yet_is_waited_for() -> None:
    """A refused connection is a disconnect like any other."""
    reader = EventStreamsSource(
        "http://127.0.0.1:9/v2/stream/x", user_agent="test/1", since=SINCE, first_pause_s=0.001
    )
    async with aclosing(reader.events()) as events:
        waiting = asyncio.ensure_future(anext(events))
        done, _ = await asyncio.wait({waiting}, timeout=0.2)
        assert not done
        waiting.cancel()
        await asyncio.wait({waiting})


async def test_a_first_beginning_outlives_a_crash(tmp_path: Path) -> None:
    """Who dies before the first commit begins again where it began at first, not at the newest event."""
    stream = EventStream(numbered(2))
    checkpoints = CheckpointFile(tmp_path / "checkpoints")
    with serving(stream.app()) as url:
        for since in (SINCE, None):
            reader = EventStreamsSource(
                f"{url}/v2/stream/x", user_agent="test/1", since=since, checkpoint=checkpoints.of("x")
            )
            assert await first(reader, 2) == [0, 1]
    checkpoints.close()
    assert {since for _, since in stream.requests} == {"2026-01-01T00:00:00.000Z"}


async def test_d9_a_large_event_is_a_dead_letter_and_reading_goes_on(
    model_server: ScriptedServer, workplace: Workplace, tmp_path: Path
) -> None:
    """D9: with its beginning and its place in the stream; the next run begins behind it."""
    first, last = numbered(2)
    stream = EventStream([first, b'{"text": "%b"}' % (b"x" * MAX_EVENT_BYTES), last])
    workplace.write([], RULE.replace("match: {wiki_id: /wiki$/}", ""))
    with serving(stream.app()) as url:
        settings = workplace.settings(
            model_server.url,
            source=f"eventstreams:{url}/v2/stream/x",
            since=SINCE,
            checkpoint=tmp_path / "checkpoint",
            limit=3,
        )
        summary = await dispatch(settings)
    assert summary.outcomes == {"produced": 2, "given_up:record_too_long": 1}
    (letter,) = workplace.dead_letters()
    assert json.loads(letter["place"]) == [{"topic": TOPIC, "partition": 0, "offset": 1}]
    assert letter["raw"] == '{"text": "' + "x" * (len(letter["raw"]) - 10)
    assert len(letter["raw"]) == MAX_KEPT_BYTES


async def test_a_killed_dispatcher_goes_on_where_it_was(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """Killed in the middle and started again on the same checkpoint: all events are handled, few of them twice."""
    (tmp_path / "rule.yaml").write_text(
        "rules: [{name: r, topic: t, concurrency: 5, "
        "exec: {method: post, uri: '{{globals.target}}/p', body: {event: '{{message}}'}}}]"
    )
    stream = EventStream(numbered(2000))
    with serving(stream.app()) as url:
        settings = {
            "checkpoint": str(tmp_path / "checkpoints"),
            "since": "2026-01-01T00:00:00+00:00",
        }
        where = f"eventstreams:{url}/v2/stream/x"
        doomed = await start_dispatcher(model_server.url, where, **settings)
        await model_server.arrived(1000)
        await doomed.kill()
        second = await start_dispatcher(model_server.url, where, **settings)
        while len({seen.json["event"]["number"] for seen in model_server.seen}) < 2000:
            await asyncio.sleep(0.05)
        status, summary, log = await second.stop()
    assert (status, log) == (0, "")
    assert set(summary["outcomes"]) == {"produced"}
