"""What only the mock can show: where accepted events went, what was refused, and who called."""

import asyncio
import copy
import json
from pathlib import Path

import aiohttp
import pytest

from mock_eventgate import Options, listening
from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate, prediction

ERRORS = "eventgate.error.validation"


INVALID = prediction(wiki_id=5)  # type: ignore[arg-type]  # invalid on purpose


async def test_topic_offset_and_timestamp(gate: Gate) -> None:
    """An accepted event lies in the topic of its datacentre and stream, at meta.dt, without a key."""
    event = prediction()
    event["meta"]["request_id"] = "r"
    await gate.post([event, event])
    stored = (await gate.read("events"))["events"]
    assert [item.pop("received")[:2] for item in stored] == ["20", "20"]
    assert stored == [
        {
            "sequence": offset + 1,
            "topic": f"eqiad.{ONE}",
            "partition": 0,
            "offset": offset,
            "timestamp": 1_769_860_801_250,
            "key": None,
            "event": event,
        }
        for offset in (0, 1)
    ]


async def test_filters(gate: Gate) -> None:
    """Events can be asked for by stream, wiki, revision and first offset."""
    other_revision = {"rev_id": 346, "rev_dt": "2026-01-31T12:00:00Z"}
    await gate.post(
        [
            prediction(),
            prediction(OTHER),
            prediction(wiki_id="svwiki"),
            prediction(),
            prediction(OTHER, revision=other_revision),
        ]
    )

    async def found(query: str) -> list[tuple[str, int]]:
        events = (await gate.read(f"events?{query}"))["events"]
        return [(item["event"]["wiki_id"], item["offset"]) for item in events]

    assert await found(f"stream={ONE}") == [("nnwiki", 0), ("svwiki", 1), ("nnwiki", 2)]
    assert await found(f"stream={OTHER}") == [("nnwiki", 0), ("nnwiki", 1)]
    assert await found("rev_id=346") == [("nnwiki", 1)]
    assert await found("rev_id=1") == []
    assert await found(f"stream={ONE}&wiki_id=nnwiki") == [("nnwiki", 0), ("nnwiki", 2)]
    assert await found(f"stream={ONE}&offset=1") == [("svwiki", 1), ("nnwiki", 2)]
    assert await found("wiki_id=no_such") == []
    await gate.post(INVALID)
    assert len((await gate.read("refused?rev_id=345"))["events"]) == 1
    assert (await gate.read("refused?rev_id=346"))["events"] == []


async def test_a_stream_that_is_not_configured_is_refused_with_the_known_names(gate: Gate) -> None:
    """A mistyped stream is an error and not an empty list; refused events can be of any stream."""
    error = (await gate.read("events?stream=no.such", status=400))["error"]
    assert error.startswith("stream: expected one of ")
    assert {ONE, OTHER, ERRORS} <= set(error.removeprefix("stream: expected one of ").split(", "))
    await gate.post(prediction("no.such"))
    assert len((await gate.read("refused?stream=no.such"))["events"]) == 1


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("events?newest=1", "stream, wiki_id, rev_id, after, limit, offset"),
        ("refused?newest=1", "stream, wiki_id, rev_id, after, limit"),
    ],
)
async def test_an_unknown_parameter_is_refused_with_the_known_ones(gate: Gate, path: str, known: str) -> None:
    """A mistyped filter is an error, and does not return everything."""
    assert await gate.read(path, status=400) == {"error": f"newest: is not known; expected one of {known}"}


async def test_following(gate: Gate) -> None:
    """A reader that passes next_after on as after sees every event once, whatever its limit."""
    await gate.post([prediction(wiki_id=f"w{number}") for number in range(5)])
    seen: list[str] = []
    after = 0
    for _ in range(4):
        page = await gate.read(f"events?limit=2&after={after}")
        seen += [item["event"]["wiki_id"] for item in page["events"]]
        after = page["next_after"]
    assert seen == ["w0", "w1", "w2", "w3", "w4"]
    await gate.post(prediction(wiki_id="w5"))
    [last] = (await gate.read(f"events?after={after}"))["events"]
    assert last["event"]["wiki_id"] == "w5"


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "limit=10001", "after=-1", "offset=1.5", "offset=", "rev_id=0"]
)
async def test_bad_query(gate: Gate, query: str) -> None:
    """A bad parameter is refused by name."""
    answer = await gate.read(f"events?{query}", status=400)
    assert answer["error"].startswith(f"{query.partition('=')[0]}: expected an integer from ")


async def test_only_the_valid_ones_are_produced(gate: Gate) -> None:
    """Of a mixed request the valid events are produced and the others kept as refused, with reasons."""
    assert await gate.post([INVALID, prediction(), {"no": "schema"}]) == 207
    [produced] = (await gate.read(f"events?stream={ONE}"))["events"]
    assert produced["event"]["wiki_id"] == "nnwiki"
    refused = (await gate.read("refused"))["events"]
    assert [(item["stream"], item["entry"]["status"]) for item in refused] == [
        (ONE, "invalid"),
        (None, "error"),
    ]
    assert refused[0]["entry"]["context"]["errorsText"] == "'.wiki_id' should be string"
    assert refused[1]["entry"]["event"] == {"no": "schema"}


async def test_hasty(gate: Gate) -> None:
    """A hasty answer says nothing, but the valid events are produced all the same."""
    assert await gate.post([INVALID, prediction()], "?hasty=true") == 202
    stats = await gate.read("stats")
    assert (stats["accepted"], stats["refused"], stats["hasty"]) == ({ONE: 1}, {ONE: 1}, {ONE: 2})


async def test_error_stream(gate: Gate) -> None:
    """An event that fails validation also appears on the error stream, as a valid /error/1.0.0 event."""
    event = copy.deepcopy(INVALID)
    event["meta"] |= {"uri": "not a uri", "request_id": "r-1"}
    await gate.post(event)
    (stored,) = (await gate.read(f"events?stream={ERRORS}"))["events"]
    assert stored["topic"] == f"eqiad.{ERRORS}"
    error = stored["event"]
    assert json.loads(error.pop("raw_event")) == event
    meta = error.pop("meta")
    assert meta | {"domain": "nn.wikipedia.org", "request_id": "r-1", "stream": ERRORS} == meta
    assert error == {
        "$schema": "/error/1.0.0",
        "emitter_id": "mock-eventgate",
        "error_type": "ValidationError",
        "errored_schema_uri": "/mediawiki/page/prediction_classification_change/1.3.0",
        "errored_stream_name": ONE,
        "message": "'.meta.uri' should match format \"uri-reference\", '.wiki_id' should be string",
    }


async def test_only_invalid_events_reach_the_error_stream(gate: Gate) -> None:
    """An event for a stream that is not configured appears on no stream; such names are counted as one."""
    strange = [prediction("no.such"), prediction("neither"), prediction(5)]  # type: ignore[arg-type]  # invalid on purpose
    assert await gate.post(strange) == 500
    assert (await gate.read("events"))["events"] == []
    assert (await gate.read("stats"))["refused"] == {"(unconfigured)": 3}


async def test_one_connection_for_500_events(gate: Gate) -> None:
    """Connections and User-Agents are counted: a client that keeps its connection shows as one, others as many."""
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector, headers={"User-Agent": "producer/1.0"}) as producer:
        client = Gate(producer, gate.url)
        await asyncio.gather(*(client.post(prediction()) for _ in range(500)))
        stats = await gate.read("stats")
    assert stats["connections"] == 1
    assert stats["user_agents"] == {"producer/1.0": 500}
    assert stats["requests"] == 500
    assert stats["answers"] == {"201": 500}
    assert stats["accepted"] == {ONE: 500}
    for _ in range(3):
        assert await gate.post(prediction(), Connection="close") == 201
    assert (await gate.read("stats"))["connections"] == 4


async def test_user_agents_are_bounded(gate: Gate) -> None:
    """However many names clients give themselves, a bounded number is kept."""
    for number in range(105):
        await gate.post(prediction(), **{"User-Agent": f"agent/{number}"})
    agents = (await gate.read("stats"))["user_agents"]
    assert len(agents) == 101
    assert agents["(other)"] == 5


async def test_headers_that_are_no_text(gate: Gate) -> None:
    """Bytes that are not UTF-8 are replaced, in the counts and in the event that gets its request id from a header."""
    event = prediction()
    body = json.dumps(event).encode()
    reader, writer = await asyncio.open_connection(*gate.url.removeprefix("http://").split(":"))
    writer.write(
        b"POST /v1/events HTTP/1.1\r\nHost: gate\r\nContent-Type: application/json\r\nConnection: close\r\n"
        b"User-Agent: a\xff\r\nX-Request-ID: r\xff\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 201")
    writer.close()
    assert (await gate.read("stats"))["user_agents"] == {"a\ufffd": 1}
    [item] = (await gate.read("events"))["events"]
    assert item["event"] == event | {"meta": event["meta"] | {"request_id": "r\ufffd"}}


async def test_memory_is_bounded(session: aiohttp.ClientSession) -> None:
    """The oldest events make room, and the reader is told how many it missed."""
    async with listening(options=Options(max_events=3)) as url:
        gate = Gate(session, url)
        await gate.post([prediction(wiki_id=f"w{number}") for number in range(5)])
        page = await gate.read("events")
        assert [item["offset"] for item in page["events"]] == [2, 3, 4]
        assert page["dropped"] == 2
        assert (await gate.read("stats"))["events"] == {"stored": 3, "dropped": 2}


async def test_reset(gate: Gate) -> None:
    """A reset forgets events, refusals and counts; offsets begin again."""
    await gate.post([prediction(), INVALID])
    await gate.forget()
    assert (await gate.read("events"))["events"] == []
    assert (await gate.read("refused"))["events"] == []
    stats = await gate.read("stats")
    assert (stats["requests"], stats["accepted"], stats["refused"]) == (0, {}, {})
    await gate.post(prediction())
    assert (await gate.read("events"))["events"][0]["offset"] == 0


async def test_stream_config_file(session: aiohttp.ClientSession, tmp_path: Path) -> None:
    """A configuration file replaces the default streams and may give an event a key."""
    path = tmp_path / "streams.yaml"
    title = "mediawiki/page/prediction_classification_change"
    path.write_text(f"mine: {{schema_title: {title}, message_key_fields: {{page: page.page_id}}}}")
    async with listening(options=Options(stream_config=path)) as url:
        gate = Gate(session, url)
        assert await gate.post(prediction()) == 500
        assert await gate.post(prediction("mine")) == 201
        assert (await gate.read("events"))["events"][0]["key"] == {"page": 12}


async def test_bodies_that_are_read_as_javascript_reads_them(gate: Gate) -> None:
    """UTF-16, a byte order mark and broken UTF-8 are text to EventGate."""
    text = json.dumps(prediction())
    for data, charset in (
        (text.encode("utf-16"), "utf-16"),
        (b"\xef\xbb\xbf" + text.encode(), "utf-8"),
        (text.encode().replace(b"Fjell", b"Fj\xffll"), "utf-8"),
    ):
        headers = {"Content-Type": f"application/json; charset={charset}"}
        async with gate.session.post(f"{gate.url}/v1/events", data=data, headers=headers) as answer:
            assert answer.status == 201
    titles = [item["event"]["page"]["page_title"] for item in (await gate.read("events"))["events"]]
    assert titles == ["Fjell", "Fjell", "Fj\ufffdll"]


@pytest.mark.parametrize(
    ("encoding", "data", "detail"),
    [
        ("identity", b"[" * 300 + b"]" * 300, ""),  # nested deeper than can be echoed
        ("identity", b"[" * 5000 + b"]" * 5000, ""),
        ("gzip", b"not gzip at all", "incorrect header check"),
        ("gzip", b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "unexpected end of file"),
        ("br", b"x", 'unsupported content encoding "br"'),
    ],
)
async def test_bodies_that_cannot_be_read(gate: Gate, encoding: str, data: bytes, detail: str) -> None:
    """What is nested too deeply or cannot be decompressed is answered in EventGate's way, not with aiohttp's page."""
    headers = {"Content-Type": "application/json", "Content-Encoding": encoding}
    async with gate.session.post(f"{gate.url}/v1/events", data=data, headers=headers) as answer:
        assert answer.status == 500
        problem = await answer.json()
    assert problem["type"] == "internal_error"
    assert not detail or problem["detail"] == detail
