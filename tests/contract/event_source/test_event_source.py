"""What every EventSource must do, whatever it reads from."""

import asyncio
import gzip
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from dispatcher.sources import (
    EventSource,
    JsonlSource,
    SourcedEvent,
    UnreadableReason,
    UnreadableRecord,
)

Records = Sequence[bytes]
Make = Callable[[Records], EventSource]


def joined(records: Records) -> bytes:
    return b"".join(record + b"\n" for record in records)


def as_plain(records: Records) -> bytes:
    return joined(records)


def as_gzip(records: Records) -> bytes:
    """Two members, as `cat a.gz b.gz` makes them."""
    half = len(records) // 2
    return gzip.compress(joined(records[:half])) + gzip.compress(joined(records[half:]))


def as_zstandard(records: Records) -> bytes:
    """Two frames, as `cat a.zst b.zst` makes them."""
    half = len(records) // 2
    return zstandard.compress(joined(records[:half])) + zstandard.compress(joined(records[half:]))


ENCODINGS = [as_plain, as_gzip, as_zstandard]


@pytest.fixture(params=[(kind, encode) for kind in ("file", "pipe") for encode in ENCODINGS], ids=str)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Return a function that makes a source of the given records."""
    kind, encode = request.param
    feeders: list[threading.Thread] = []

    def make_file(records: Records) -> EventSource:
        path = tmp_path / "events"
        path.write_bytes(encode(records))
        return JsonlSource.from_path(str(path))

    def make_pipe(records: Records) -> EventSource:
        reading, writing = os.pipe()

        def feed() -> None:
            with suppress(BrokenPipeError), open(writing, "wb", buffering=0) as pipe:  # noqa: PTH123 (a descriptor)
                pipe.write(encode(records))

        feeders.append(threading.Thread(target=feed))
        feeders[-1].start()
        return JsonlSource("jsonl:-", partial(io.FileIO, reading))

    yield make_file if kind == "file" else make_pipe
    for feeder in feeders:
        feeder.join()


async def read(source: EventSource) -> list[SourcedEvent | UnreadableRecord]:
    async with aclosing(source.events()) as records:
        return [record async for record in records]


def encoded(events: Sequence[Any]) -> Records:
    return [orjson.dumps(event) for event in events]


async def test_every_event_is_yielded_once_and_in_order(make: Make) -> None:
    """What goes in comes out, whole and in order."""
    events = [{"number": number, "text": "ä\u2028\n" * (number % 7)} for number in range(5000)]
    records = await read(make(encoded(events)))
    assert [record.event for record in records if isinstance(record, SourcedEvent)] == events


async def test_offsets_rise_within_a_partition(make: Make) -> None:
    """A position says where to go on, so no two are the same and later ones are larger."""
    records = await read(make(encoded([{"number": number} for number in range(300)])))
    assert len({record.position.partition for record in records}) == 1
    assert all(a.position.offset < b.position.offset for a, b in pairwise(records))


async def test_what_is_no_event_is_reported_in_its_place(make: Make) -> None:
    """A broken record neither stops the reading nor vanishes: it comes out with its bytes and the reason."""
    records = await read(make([b'{"n":1}', b'{"n":', b"[1]", b"\xff\xfe", b"NaN", b'{"n":2}']))
    assert [getattr(record, "reason", None) for record in records] == [
        None,
        UnreadableReason.INVALID_JSON,
        UnreadableReason.NOT_AN_OBJECT,
        UnreadableReason.INVALID_JSON,
        UnreadableReason.INVALID_JSON,
        None,
    ]
    raw = [record.raw for record in records if isinstance(record, UnreadableRecord)]
    assert raw == [b'{"n":', b"[1]", b"\xff\xfe", b"NaN"]


async def test_no_records_are_an_end_like_any_other(make: Make) -> None:
    """An empty source ends at once."""
    assert await read(make([])) == []


async def test_a_reader_may_stop_at_any_record(make: Make) -> None:
    """Leaving after one record leaves nothing open behind."""
    source = make(encoded([{"number": number, "text": "x" * 500} for number in range(2000)]))
    async with aclosing(source.events()) as records:
        async for record in records:
            assert isinstance(record, SourcedEvent)
            break


async def test_every_yielded_position_may_be_committed(make: Make) -> None:
    """A source takes note of a commit while it is being read."""
    source = make(encoded([{"number": number} for number in range(10)]))
    async with aclosing(source.events()) as records:
        async for record in records:
            await source.commit(record.position)


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
