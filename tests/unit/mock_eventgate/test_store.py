import gc
import tracemalloc
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from mock_eventgate.store import EventStore, stream_name
from mock_eventgate.streams import StreamConfigs
from mock_eventgate.verdicts import Accepted, Refused

STREAMS = StreamConfigs.default()
ONE = "mediawiki.page_revert_risk_prediction_change.v1"
OTHER = "mediawiki.page_revert_risk_multilingual_prediction_change.v1"
NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def accepted(stream: str = ONE, **event: Any) -> Accepted:
    """Return an accepted event."""
    configured = STREAMS.get(stream)
    assert configured is not None
    return Accepted(configured, event, orjson.dumps(event), None, 1_769_860_800_000)


def store(**bounds: int) -> EventStore:
    """Return a store that keeps 1,000 events or a megabyte unless told otherwise."""
    return EventStore(datacentre="eqiad", **({"max_events": 1000, "max_bytes": 1 << 20} | bounds))


def test_offsets_count_within_a_topic() -> None:
    """Offsets are counted by topic, the sequence over all of them."""
    events = store()
    for stream in (ONE, OTHER, ONE):
        events.produce(accepted(stream), NOW)
    assert [(event.topic, event.offset, event.sequence) for event in events.produced.after(0)] == [
        (f"eqiad.{ONE}", 0, 1),
        (f"eqiad.{OTHER}", 0, 2),
        (f"eqiad.{ONE}", 1, 3),
    ]


def test_count_is_bounded() -> None:
    """Over the bound the oldest are dropped and counted, and offsets go on."""
    events = store(max_events=2)
    for _ in range(5):
        events.produce(accepted(), NOW)
    assert [event.offset for event in events.produced.after(0)] == [3, 4]
    assert events.produced.dropped == 3


def test_bytes_are_bounded() -> None:
    """The bytes of the events kept stay within the bound, even where one event is larger than it."""
    events = store(max_bytes=100)
    for size in (40, 40, 40, 200, 50):
        events.produce(accepted(text="x" * (size - len(b'{"text":""}'))), NOW)
    assert [len(event.value) for event in events.produced.after(0)] == [50]
    assert events.produced.dropped == 4


@pytest.mark.parametrize(("after", "expected"), [(0, [4, 5]), (3, [4, 5]), (4, [5]), (5, []), (99, [])])
def test_after(after: int, expected: list[int]) -> None:
    """A reader continues after the last sequence that it saw, whether or not that event is still there."""
    events = store(max_events=2)
    for _ in range(5):
        events.produce(accepted(), NOW)
    assert [event.sequence for event in events.produced.after(after)] == expected


def test_following_while_events_arrive() -> None:
    """A reader in the middle of the log sees what is added, and skips what is dropped."""
    events = store(max_events=3)
    for _ in range(3):
        events.produce(accepted(), NOW)
    seen = []
    for event in events.produced.after(0):
        seen.append(event.sequence)
        if event.sequence == 1:
            for _ in range(2):
                events.produce(accepted(), NOW)
    assert seen == [1, 3, 4, 5]


def test_offsets_for_times() -> None:
    """Of each topic asked for, the first event at or after the time counts, although later ones may be older."""
    events = store()
    for time, stream in ((10, ONE), (30, ONE), (20, ONE), (5, OTHER), (40, OTHER)):
        events.produce(replace(accepted(stream), timestamp=time), NOW)
    one, other = f"eqiad.{ONE}", f"eqiad.{OTHER}"
    assert events.offsets_for_times({one: 15, other: 0}) == {one: 1, other: 0}
    assert events.offsets_for_times({one: 31, other: 40}) == {other: 1}
    assert events.offsets_for_times({"eqiad.no.such": 0}) == {}
    assert (events.end_offset(one), events.end_offset(other), events.end_offset("eqiad.no.such")) == (3, 2, 0)


def test_memory_does_not_grow() -> None:
    """Once the bounds are reached, any number of further events takes no more memory."""
    events = store(max_events=100)

    def fill(count: int) -> int:
        for number in range(count):
            events.produce(accepted(number=number), NOW)
            events.refuse(Refused("error", {"n": number}, {"message": "no"}), NOW)
        gc.collect()
        traced = tracemalloc.take_snapshot().filter_traces(ours)
        return sum(each.size for each in traced.traces)

    # Threads of other tests allocate too.
    ours = [tracemalloc.Filter(True, "*/mock_eventgate/*"), tracemalloc.Filter(True, __file__)]
    tracemalloc.start()
    try:
        first = fill(1_000)
        assert fill(15_000) < first + 10_000
    finally:
        tracemalloc.stop()


def test_refused_events_are_bounded() -> None:
    """Refused events are bounded likewise."""
    events = store(max_events=1)
    for number in (1, 2):
        events.refuse(Refused("error", {"n": number}, {"message": "no"}), NOW)
    kept = [orjson.loads(orjson.dumps(event.as_json())) for event in events.refused.after(0)]
    assert kept == [
        {
            "sequence": 2,
            "received": "2026-01-31T12:00:00.000Z",
            "stream": None,
            "entry": {"status": "error", "event": {"n": 2}, "context": {"message": "no"}},
        }
    ]
    assert events.refused.dropped == 1


@pytest.mark.parametrize(
    ("event", "name"),
    [({"meta": {"stream": "s"}}, "s"), ({"meta": {"stream": 1}}, None), ({"meta": []}, None), ([], None)],
)
def test_stream_name(event: Any, name: str | None) -> None:
    """The stream of an event is read without trusting its shape."""
    assert stream_name(event) == name
