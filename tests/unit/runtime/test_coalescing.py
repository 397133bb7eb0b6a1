"""Look-ups of one wiki are joined without delaying any, and one that fails tells only its own callers."""

import asyncio
from collections.abc import Mapping

import pytest

from revertrisk.runtime.coalescing import Coalescer


class Source:
    """Looks numbers up: even ones are found, as themselves; calls wait until they are let go."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def look_up(self, wiki: str, items: list[int], again: bool) -> Mapping[int, int]:
        self.calls.append((wiki, sorted(items)))
        await self.gate.wait()
        if 13 in items:
            raise ConnectionError
        if 17 in items:
            raise asyncio.CancelledError
        return {item: item for item in items if item % 2 == 0}


@pytest.fixture
async def source() -> Source:
    return Source()


Numbers = Coalescer[str, int, int]


def coalescer_of(source: Source, max_items: int = 50, max_calls: int = 1, max_size: int = 1000) -> Numbers:
    return Coalescer(source.look_up, max_items=max_items, max_size=max_size, max_calls=max_calls)


async def get(
    coalescer: Numbers, wiki: str, *numbers: int, size: int = 0, seconds: float = 60
) -> dict[int, int]:
    """What was found of the numbers; what others asked for in the same call is left out."""
    deadline = asyncio.get_running_loop().time() + seconds
    found = await coalescer.get(wiki, numbers, deadline=deadline, size=size)
    return {number: found[number] for number in numbers if number in found}


async def test_what_is_asked_in_one_turn_goes_in_one_call(source: Source) -> None:
    """The instances of one request are fetched together."""
    coalescer = coalescer_of(source)
    found = await asyncio.gather(
        get(coalescer, "en", 2, 4), get(coalescer, "en", 4, 6), get(coalescer, "de", 2)
    )
    assert found == [{2: 2, 4: 4}, {4: 4, 6: 6}, {2: 2}]
    assert source.calls == [("en", [2, 4, 6]), ("de", [2])]


async def test_what_is_not_found_is_absent(source: Source) -> None:
    """A missing revision is no error."""
    assert await get(coalescer_of(source), "en", 1, 2) == {2: 2}


async def test_what_arrives_meanwhile_goes_together(source: Source) -> None:
    """Batches form out of what waits, and only then."""
    coalescer = coalescer_of(source)
    source.gate.clear()
    first = asyncio.create_task(get(coalescer, "en", 2))
    while not source.calls:
        await asyncio.sleep(0)
    later = [asyncio.create_task(get(coalescer, "en", number)) for number in (4, 6, 8)]
    await asyncio.sleep(0)
    source.gate.set()
    assert await asyncio.gather(first, *later) == [{2: 2}, {4: 4}, {6: 6}, {8: 8}]
    assert source.calls == [("en", [2]), ("en", [4, 6, 8])]


async def test_calls_are_bounded_in_items_and_number(source: Source) -> None:
    """A wiki sees at most so many calls at a time, of at most so many items."""
    coalescer = coalescer_of(source, max_items=2, max_calls=2)
    source.gate.clear()
    asked = [asyncio.create_task(get(coalescer, "en", number)) for number in range(0, 14, 2)]
    while len(source.calls) < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [len(items) for _, items in source.calls] == [2, 2]
    source.gate.set()
    assert len(await asyncio.gather(*asked)) == 7
    assert all(len(items) <= 2 for _, items in source.calls)


async def test_a_failure_reaches_those_who_shared_the_call_and_no_others(source: Source) -> None:
    """The next call is made as if nothing had happened."""
    coalescer = coalescer_of(source)
    first, second = await asyncio.gather(
        get(coalescer, "en", 2), get(coalescer, "en", 13), return_exceptions=True
    )
    assert isinstance(first, ConnectionError)
    assert isinstance(second, ConnectionError)
    assert await get(coalescer, "en", 2) == {2: 2}


async def test_a_call_that_is_cancelled_leaves_room_for_the_next(source: Source) -> None:
    """Who shared it is told, and what waits is asked for all the same."""
    coalescer = coalescer_of(source, max_items=1)
    cancelled, found = await asyncio.gather(
        get(coalescer, "en", 17), get(coalescer, "en", 2), return_exceptions=True
    )
    assert isinstance(cancelled, asyncio.CancelledError)
    assert found == {2: 2}
    await asyncio.sleep(0)
    assert not coalescer._groups  # noqa: SLF001 - memory has no public face


async def test_a_caller_that_goes_away_disturbs_nobody(source: Source) -> None:
    """A deadline of one request does not cancel the look-up that another shares."""
    coalescer = coalescer_of(source)
    source.gate.clear()
    impatient = asyncio.create_task(get(coalescer, "en", 2))
    patient = asyncio.create_task(get(coalescer, "en", 2))
    while not source.calls:
        await asyncio.sleep(0)
    impatient.cancel()
    source.gate.set()
    assert await patient == {2: 2}
    assert source.calls == [("en", [2])]


async def test_a_large_one_goes_alone(source: Source) -> None:
    """A page of two megabytes is waited for by nobody else."""
    coalescer = coalescer_of(source)
    asked = [
        get(coalescer, "en", 2, size=10),
        get(coalescer, "en", 4, size=5000),
        get(coalescer, "en", 6, size=10),
    ]
    assert await asyncio.gather(*asked) == [{2: 2}, {4: 4}, {6: 6}]
    assert source.calls == [("en", [2]), ("en", [4]), ("en", [6])]


async def test_the_deadline_of_one_is_not_that_of_the_others(source: Source) -> None:
    """Who waits too long is told so, and the call goes on."""
    coalescer = coalescer_of(source)
    source.gate.clear()
    patient = asyncio.create_task(get(coalescer, "en", 2))
    with pytest.raises(TimeoutError):
        await get(coalescer, "en", 2, seconds=0.01)
    source.gate.set()
    assert await patient == {2: 2}
    assert source.calls == [("en", [2])]


async def test_nothing_is_kept_of_a_group_that_is_done(source: Source) -> None:
    """A thousand wikis leave no trace in memory."""
    coalescer = coalescer_of(source)
    for number in range(1000):
        await get(coalescer, f"wiki{number}", 2)
    await asyncio.sleep(0)
    assert not coalescer._groups  # noqa: SLF001 - memory has no public face
