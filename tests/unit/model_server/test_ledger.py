"""One piece of work for one key: recorded for a while, shared while it is being done."""

import asyncio

import pytest

from model_server.ledger import Ledger


class ManualClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Work:
    """Counts how often it is done; waits until it is let go."""

    def __init__(self) -> None:
        self.done = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self) -> int:
        await self.gate.wait()
        self.done += 1
        return self.done

    async def fail(self) -> int:
        await self.gate.wait()
        self.done += 1
        raise ConnectionError


async def test_a_recorded_result_is_not_worked_for_again() -> None:
    """E8: the dispatcher delivers twice, the work is done once."""
    ledger, work = Ledger[int](capacity=10, keep_s=60), Work()
    assert [await ledger.once("a", work) for _ in range(3)] == [1, 1, 1]
    assert await ledger.once("b", work) == 2


async def test_duplicates_at_the_same_time_share_the_work() -> None:
    """E9: one fetch, one forward pass, one emission."""
    ledger, work = Ledger[int](capacity=10, keep_s=60), Work()
    work.gate.clear()
    tasks = [asyncio.create_task(ledger.once("a", work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 5


async def test_a_failure_is_shared_and_forgotten() -> None:
    """Everybody who waited is told, and the next one tries afresh."""
    ledger, work = Ledger[int](capacity=10, keep_s=60), Work()
    work.gate.clear()
    tasks = [asyncio.create_task(ledger.once("a", work.fail)) for _ in range(3)]
    await asyncio.sleep(0)
    work.gate.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(result) for result in results] == [ConnectionError] * 3
    assert work.done == 1
    assert await ledger.once("a", work) == 2


async def test_a_follower_that_goes_away_does_not_stop_the_work() -> None:
    """Its caller's patience is its own."""
    ledger, work = Ledger[int](capacity=10, keep_s=60), Work()
    work.gate.clear()
    leader = asyncio.create_task(ledger.once("a", work))
    await asyncio.sleep(0)
    follower = asyncio.create_task(ledger.once("a", work))
    await asyncio.sleep(0)
    follower.cancel()
    work.gate.set()
    assert await leader == 1
    with pytest.raises(asyncio.CancelledError):
        await follower


async def test_again_does_the_work_again() -> None:
    """x-revertrisk-reemit asks for it."""
    ledger, work = Ledger[int](capacity=10, keep_s=60), Work()
    await ledger.once("a", work)
    assert await ledger.once("a", work, again=True) == 2


async def test_results_expire_and_are_bounded() -> None:
    """Memory holds so many results, for so long."""
    clock = ManualClock()
    ledger, work = Ledger[int](capacity=2, keep_s=60, clock=clock), Work()
    for key in ("a", "b", "c"):
        await ledger.once(key, work)
    assert await ledger.once("a", work) == 4
    assert await ledger.once("c", work) == 3
    clock.now = 61
    assert await ledger.once("c", work) == 5
