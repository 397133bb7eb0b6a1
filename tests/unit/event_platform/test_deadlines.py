"""One timer ends every wait at its own deadline, and none before."""

import asyncio

import pytest

from event_platform.deadlines import Deadlines


class Waits:
    """Waits that a `Deadlines` watches, each to be ended so many seconds from now."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.deadlines = Deadlines()

    def begin(self, seconds: float) -> asyncio.Future[None]:
        wait: asyncio.Future[None] = self.loop.create_future()
        self.deadlines.watch(wait, self.loop.time() + seconds)
        return wait


@pytest.fixture
async def waits() -> Waits:
    return Waits()


@pytest.mark.parametrize("order", [(0.02, 0.04, 60), (60, 0.04, 0.02), (0.04, 60, 0.02), (0.04, 0.02, 60)])
async def test_each_wait_ends_at_its_own_deadline(waits: Waits, order: tuple[float, ...]) -> None:
    """Whichever came first."""
    began = waits.loop.time()
    begun = {seconds: waits.begin(seconds) for seconds in order}
    with pytest.raises(TimeoutError):
        await begun[0.02]
    assert waits.loop.time() - began >= 0.015
    assert not begun[0.04].done()
    with pytest.raises(TimeoutError):
        await begun[0.04]
    assert waits.loop.time() - began >= 0.035
    assert not begun[60].done()


async def test_what_has_ended_or_is_forgotten_is_let_be(waits: Waits) -> None:
    """Only waits that are still going on are told."""
    ended, forgotten, watched = (waits.begin(0.01) for _ in range(3))
    ended.set_result(None)
    waits.deadlines.forget(forgotten)
    with pytest.raises(TimeoutError):
        await watched
    assert ended.result() is None
    assert not forgotten.done()


async def test_a_deadline_that_has_passed_ends_the_wait(waits: Waits) -> None:
    """Nobody waits for what can no longer come in time."""
    with pytest.raises(TimeoutError):
        await waits.begin(-1)


async def test_it_starts_again_after_a_pause(waits: Waits) -> None:
    """With nothing to watch there is no timer, until there is again."""
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await waits.begin(0.01)


async def test_nothing_is_kept_of_a_wait_that_is_over(waits: Waits) -> None:
    """A thousand waits leave no trace in memory."""
    for _ in range(1000):
        waits.deadlines.forget(waits.begin(60))
    with pytest.raises(TimeoutError):
        await waits.begin(0.01)
    assert not waits.deadlines._waits  # noqa: SLF001 - memory has no public face
