import asyncio

import pytest

from revertrisk.dispatcher.executor import Ordering


async def test_turns_of_a_key_follow_each_other_and_others_do_not_wait() -> None:
    """Within a rule and a key one at a time, in the order of asking; without a key, at once."""
    ordering = Ordering()
    first_may_end = asyncio.Event()
    entered: list[str] = []

    async def take_turn(name: str, rule: str, key: str | None, until: asyncio.Event | None = None) -> None:
        async with ordering.turn(rule, key):
            entered.append(name)
            if until is not None:
                await until.wait()

    tasks = [
        asyncio.create_task(take_turn("first", "r", "k", first_may_end)),
        asyncio.create_task(take_turn("second", "r", "k")),
        asyncio.create_task(take_turn("third", "r", "k")),
        asyncio.create_task(take_turn("other key", "r", "l")),
        asyncio.create_task(take_turn("other rule", "s", "k")),
        asyncio.create_task(take_turn("no key", "r", None)),
    ]
    for _ in range(10):
        await asyncio.sleep(0)
    assert entered == ["first", "other key", "other rule", "no key"]
    first_may_end.set()
    await asyncio.gather(*tasks)
    assert entered[4:] == ["second", "third"]


async def test_a_turn_that_fails_lets_the_next_one_in() -> None:
    """Nobody waits for ever."""
    ordering = Ordering()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with ordering.turn("r", "k"):
                _ = 1 // 0
