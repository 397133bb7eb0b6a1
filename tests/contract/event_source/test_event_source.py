"""What every EventSource must do, whatever it reads from."""

import asyncio
import io
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import orjson
import pytest

from revertrisk.streams import (
    JsonlSource,
    RawRecord,
    RecordSource,
    SourcedEvent,
    UnreadableReason,
    UnreadableRecord,
)
from tests.contract.event_source.conftest import ENDING, RESUMING, Kind

ending = pytest.mark.parametrize("kind", ENDING, indirect=True)
resuming = pytest.mark.parametrize("kind", RESUMING, indirect=True)
Read = list[SourcedEvent | UnreadableRecord]


@asynccontextmanager
async def opened(kind: Kind, records: Sequence[bytes]) -> AsyncIterator[RecordSource]:
    source = kind.open(records)
    try:
        yield source
    finally:
        await source.close()


async def read(kind: Kind, source: RecordSource, count: int) -> Read:
    """Read so many records, and make sure that there are no more where a source can tell."""
    found: Read = []
    async with aclosing(source.events()) as records:
        while len(found) < count:
            found.append(await anext(records))
        if kind.ends:
            assert [record async for record in records] == []
    return found


def encoded(events: Sequence[Any]) -> list[bytes]:
    return [orjson.dumps(event) for event in events]


def numbers(records: Read) -> list[int]:
    return [record.event["number"] for record in records if isinstance(record, SourcedEvent)]


async def test_every_event_is_yielded_once_and_in_order(kind: Kind) -> None:
    """What goes in comes out, whole and in order."""
    events = [{"number": number, "text": "ä\u2028\n" * (number % 7)} for number in range(5000)]
    async with opened(kind, encoded(events)) as source:
        records = await read(kind, source, len(events))
    assert [record.event for record in records if isinstance(record, SourcedEvent)] == events


async def test_records_are_the_bytes_of_the_events(kind: Kind) -> None:
    """A reader without need of Python objects gets the same records at the same positions, broken ones too."""
    lines = [*encoded([{"number": number} for number in range(300)]), b'{"n":', b"[1]", b'{"n": 2}']
    async with opened(kind, lines) as source, aclosing(source.records()) as records:
        found = [await anext(records) for _ in lines]
    async with opened(kind, lines) as source:
        events = await read(kind, source, len(lines))
    assert [record.raw for record in found if isinstance(record, RawRecord)] == lines
    assert [record.position.offset for record in found] == [event.position.offset for event in events]


async def test_offsets_rise_within_a_partition(kind: Kind) -> None:
    """A position says where to go on, so no two are the same and later ones are larger."""
    async with opened(kind, encoded([{"number": number} for number in range(300)])) as source:
        records = await read(kind, source, 300)
    assert len({record.position.partition for record in records}) == 1
    assert all(a.position.offset < b.position.offset for a, b in pairwise(records))


async def test_what_is_no_event_is_reported_in_its_place(kind: Kind) -> None:
    """A broken record neither stops the reading nor vanishes: it comes out with its bytes and the reason."""
    broken = [b'{"n":', b"[1]", b"\xff\xfe" if kind.keeps_bytes else b"tru", b"NaN"]
    async with opened(kind, [b'{"n":1}', *broken, b'{"n":2}']) as source:
        records = await read(kind, source, 6)
    assert [getattr(record, "reason", None) for record in records] == [
        None,
        UnreadableReason.INVALID_JSON,
        UnreadableReason.NOT_AN_OBJECT,
        UnreadableReason.INVALID_JSON,
        UnreadableReason.INVALID_JSON,
        None,
    ]
    assert [record.raw for record in records if isinstance(record, UnreadableRecord)] == broken


async def test_what_is_nested_too_deep_to_be_written_again_is_no_event(kind: Kind) -> None:
    """Whatever is handed on as an event can be written again, inside of another document too."""
    nested = [b'{"x":' + b"[" * depth + b"]" * depth + b"}" for depth in (199, 200, 300, 1000)]
    flat = b'{"x":[' + b",".join([b"[]"] * 300) + b"]}"
    async with opened(kind, [flat, *nested]) as source:
        records = await read(kind, source, 5)
    reasons = [getattr(record, "reason", None) for record in records]
    assert reasons == [None, None, *[UnreadableReason.TOO_NESTED] * 3]
    assert all(
        orjson.dumps({"event": record.event}) for record in records if isinstance(record, SourcedEvent)
    )


@ending
async def test_no_records_are_an_end_like_any_other(kind: Kind) -> None:
    """An empty source ends at once."""
    async with opened(kind, []) as source:
        assert await read(kind, source, 0) == []


async def test_a_reader_may_stop_at_any_record(kind: Kind) -> None:
    """Leaving after one record leaves nothing open behind."""
    records = encoded([{"number": number, "text": "x" * 500} for number in range(2000)])
    async with opened(kind, records) as source, aclosing(source.events()) as events:
        assert isinstance(await anext(events), SourcedEvent)


async def test_every_yielded_position_may_be_committed(kind: Kind) -> None:
    """A source takes note of a commit while it is being read, and after that."""
    async with opened(kind, encoded([{"number": number} for number in range(10)])) as source:
        async with aclosing(source.events()) as events:
            first, second = await anext(events), await anext(events)
            await source.commit(first.position)
        await source.commit(second.position)


async def test_closing_needs_no_reading_and_may_be_repeated(kind: Kind) -> None:
    """Whatever has become of a source, it can be closed."""
    async with opened(kind, encoded([{"number": 0}])) as source:
        await source.close()


@resuming
async def test_what_was_committed_does_not_come_again(kind: Kind) -> None:
    """A source that is opened again continues after the last commit, even if more had been read."""
    records = encoded([{"number": number} for number in range(100)])
    async with opened(kind, records) as source, aclosing(source.events()) as events:
        found = [await anext(events) for _ in range(60)]
        await source.commit(found[9].position)
        await source.commit(found[39].position)
    async with opened(kind, records) as source:
        assert numbers(await read(kind, source, 60)) == list(range(40, 100))


@resuming
async def test_what_was_not_committed_comes_again(kind: Kind) -> None:
    """Reading alone moves nothing."""
    records = encoded([{"number": number} for number in range(20)])
    for _ in range(2):
        async with opened(kind, records) as source:
            assert numbers(await read(kind, source, 20)) == list(range(20))


async def test_waiting_for_a_record_blocks_nothing_and_can_be_cancelled() -> None:
    """An idle pipe leaves the loop free, and a reader that waits in it is gone at once when cancelled."""
    reading, writing = os.pipe()
    source = JsonlSource("jsonl:-", partial(io.FileIO, reading))
    records = source.events()
    try:
        os.write(writing, b'{"n":1}\n')
        first = await anext(records)
        assert isinstance(first, SourcedEvent)
        assert first.event == {"n": 1}  # it came although the pipe is still open
        waiting = asyncio.ensure_future(anext(records))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not waiting.done()
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
    finally:
        os.close(writing)
