import gc
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from mock_eventgate.gate import Gate
from mock_eventgate.store import EventStore
from mock_eventgate.streams import StreamConfigs
from mock_eventgate.verdicts import GateJudge
from revertrisk.event_platform.schemas import SchemaRepository

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


def traffic(number: int) -> list[Any]:
    """Return a request whose every name is one that was never seen before."""
    meta = {"stream": "eventgate.test.event", "id": f"id-{number}", "domain": f"d{number}.example.org"}
    return [
        {"$schema": "/test/event/1.0.0", "meta": meta, "test": f"text {number}"},
        {"$schema": "/test/event/1.0.0", "meta": meta, "test": number},
        {"$schema": "/test/event/1.0.0", "meta": {"stream": f"stream-{number}"}},
        {"$schema": f"/schema-{number}/1.0.0", "meta": meta},
        {f"field-{number}": number},
    ]


def test_memory_does_not_grow() -> None:
    """Whatever is posted, accepted, invalid or unheard of, the gate stays within its bounds."""
    streams = StreamConfigs.default()
    gate = Gate(
        GateJudge(SchemaRepository(), streams, max_message_bytes=10_000, now=lambda: NOW),
        streams,
        lambda: EventStore(datacentre="eqiad", max_events=50, max_bytes=1 << 20),
        lambda: NOW,
    )

    def post(count: int, start: int) -> int:
        for number in range(start, start + count):
            gate.process(traffic(number), request_id=f"request-{number}", hasty=number % 2 == 0)
        gc.collect()
        # The interpreter's own table of interned strings may double just now; pathlib is who fills it.
        snapshot = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(False, "*pathlib.py")])
        return sum(trace.size for trace in snapshot.traces)

    tracemalloc.start()
    try:
        # First until the caches of dates and names, of 1,000 entries each, are full: how full the tests before have
        # left them is no growth.
        sizes = [post(1200, start=0)] + [post(300, start=start) for start in (1200, 1500, 1800)]
        # What leaks does so each time; a table that the interpreter enlarges does so once.
        assert min(after - before for before, after in pairwise(sizes)) < 10_000, sizes
    finally:
        tracemalloc.stop()
