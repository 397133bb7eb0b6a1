"""Of a call that fails only those fail whose own items are the cause, within twelve further calls."""

import asyncio
from collections.abc import Callable, Mapping

import pytest

from revertrisk.runtime.coalescing import Coalescer
from revertrisk.runtime.joined_call import MAX_HALVES, Again, RetryPlan
from tests.fakes.http import in_a_minute

MAX_CALLS = 3


class BadItemError(Exception):
    """An answer that is an error."""


class SilentError(Exception):
    """No answer in time."""


class BusyError(Exception):
    """The place takes nothing now."""


PLANS = {BadItemError: Again.HALVES, SilentError: Again.SINGLES, BusyError: Again.WHOLE}


class Place:
    """Looks items up, and fails for those that are bad; what is silent takes many turns."""

    def __init__(self, **bad: type[Exception]) -> None:
        self.bad = {int(name.removeprefix("n")): error for name, error in bad.items()}
        self.calls: list[list[int]] = []
        self.firsts: list[bool] = []
        self.under_way = self.most_under_way = 0
        self.fails: Callable[[int], type[Exception] | None] = lambda _: None
        """Whether a call fails whatever it asks for, by its number."""

    async def look_up(self, _: str, items: list[int], first: bool) -> Mapping[int, int]:
        self.calls.append(items)
        self.firsts.append(first)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            errors = [self.fails(len(self.calls)), *(self.bad.get(item) for item in items)]
            error = next(filter(None, errors), None)
            for _ in range(1000 if error is SilentError else 1):
                await asyncio.sleep(0)
            if error is not None:
                raise error
            return {item: item for item in items}
        finally:
            self.under_way -= 1

    def coalescer(self, max_calls: int = MAX_CALLS) -> Coalescer[str, int, int]:
        return Coalescer(
            self.look_up,
            max_items=50,
            max_size=1,
            max_calls=max_calls,
            again=lambda error: RetryPlan(PLANS.get(type(error), Again.NOTHING)),
        )


def edits(count: int) -> list[tuple[int, int]]:
    """A revision and its parent of each edit."""
    return [(2 * number, 2 * number + 1) for number in range(count)]


async def failed(
    coalescer: Coalescer[str, int, int], asked: list[tuple[int, ...]]
) -> dict[tuple[int, ...], type]:
    """Ask for everything at once, and return who failed, and by what; all others have what they asked for."""
    told = await asyncio.gather(
        *(coalescer.get("en", items, deadline=in_a_minute()) for items in asked), return_exceptions=True
    )
    errors: dict[tuple[int, ...], type] = {}
    for items, found in zip(asked, told, strict=True):
        if isinstance(found, BaseException):
            errors[items] = type(found)
        else:
            assert [found[item] for item in items] == list(items)
    await asyncio.sleep(0)
    assert not coalescer._groups  # noqa: SLF001 - memory has no public face
    return errors


@pytest.mark.parametrize("max_calls", [1, 3])
@pytest.mark.parametrize("bad", range(50))
async def test_h5_an_error_of_one_revision_fails_its_own_edit(bad: int, max_calls: int) -> None:
    """Of 25 edits, which one call can hold, whether it is the revision or its parent that is bad."""
    place = Place(**{f"n{bad}": BadItemError})
    edit = (bad // 2 * 2, bad // 2 * 2 + 1)
    assert await failed(place.coalescer(max_calls), edits(25)) == {edit: BadItemError}
    assert len(place.calls) <= 1 + MAX_HALVES
    assert place.most_under_way <= max_calls


@pytest.mark.parametrize("bad", range(50))
async def test_h5_twelve_further_calls_are_enough_for_fifty(bad: int) -> None:
    """As many as one call can hold, where each asks for one."""
    place = Place(**{f"n{bad}": BadItemError})
    assert await failed(place.coalescer(), [(item,) for item in range(50)]) == {(bad,): BadItemError}
    assert len(place.calls) <= 1 + MAX_HALVES


@pytest.mark.parametrize("max_calls", [1, 2, 3])
@pytest.mark.parametrize("bad", [0, 24, 49])
async def test_h5_a_silent_revision_is_found_by_asking_for_each_alone(bad: int, max_calls: int) -> None:
    """All others have their answers before it has been waited for a second time, if there are other places."""
    place = Place(**{f"n{bad}": SilentError})
    edit = (bad // 2 * 2, bad // 2 * 2 + 1)
    assert await failed(place.coalescer(max_calls), edits(25)) == {edit: SilentError}
    assert place.calls[0] == list(range(50))
    assert sorted(place.calls[1:]) == sorted(list(items) for items in edits(25))
    assert place.most_under_way <= max_calls


async def test_h5_two_silent_revisions_leave_a_place_for_the_others() -> None:
    """Of three calls at a time."""
    place = Place(n4=SilentError, n30=SilentError)
    assert await failed(place.coalescer(), edits(25)) == {(4, 5): SilentError, (30, 31): SilentError}


async def test_h5_two_bad_revisions_beside_each_other_are_found() -> None:
    """An edit and the next one on the same page share a revision, and fail together."""
    place = Place(n5=BadItemError)
    asked: list[tuple[int, ...]] = [(number, number + 1) for number in range(14)]
    assert await failed(place.coalescer(), asked) == {(4, 5): BadItemError, (5, 6): BadItemError}


async def test_h5_an_error_and_a_silence_in_one_call_are_both_found() -> None:
    """A part that gets no answer is asked for in singles, whatever the call failed of."""
    place = Place(n3=BadItemError)
    place.fails = lambda number: SilentError if number == 2 else None
    assert await failed(place.coalescer(), edits(16)) == {(2, 3): BadItemError}


async def test_h5_a_place_that_fails_whatever_is_asked_sees_no_more_calls_than_that() -> None:
    """An outage is not met with a flood of requests, and all are told."""
    place = Place()
    place.fails = lambda _: BadItemError
    assert await failed(place.coalescer(), edits(25)) == dict.fromkeys(edits(25), BadItemError)
    assert len(place.calls) == 1 + MAX_HALVES


async def test_h5_a_place_that_hangs_is_given_up_after_as_many_time_outs_as_may_run() -> None:
    """Of the others none is asked for but those that took the first ones' places."""
    place = Place()
    place.fails = lambda _: SilentError
    assert await failed(place.coalescer(), edits(25)) == dict.fromkeys(edits(25), SilentError)
    assert len(place.calls) <= 1 + MAX_CALLS + (MAX_CALLS - 1)


async def test_h5_a_busy_place_is_asked_for_the_whole_once_more() -> None:
    """Its answer is about none of the items, so it is passed on as it is."""
    place = Place()
    place.fails = lambda _: BusyError
    assert await failed(place.coalescer(), edits(25)) == dict.fromkeys(edits(25), BusyError)
    assert [len(items) for items in place.calls] == [50, 50]


async def test_h5_a_place_that_is_busy_with_a_part_is_left_alone() -> None:
    """The rest of the call is told the same, and not asked for."""
    place = Place(n0=BadItemError)
    place.fails = lambda number: BusyError if number >= 4 else None
    assert set((await failed(place.coalescer(max_calls=1), edits(24))).values()) == {BusyError}
    assert len(place.calls) == 4


async def test_h5_who_asks_for_the_same_is_not_asked_for_apart() -> None:
    """There is nothing to part: the call is made once more."""
    place = Place(n1=BadItemError)
    coalescer = place.coalescer()
    told = await asyncio.gather(
        *(coalescer.get("en", (0, 1), deadline=in_a_minute()) for _ in range(9)), return_exceptions=True
    )
    assert {type(error) for error in told} == {BadItemError}
    assert place.calls == [[0, 1], [0, 1]]


async def test_h5_who_has_gone_meanwhile_is_not_asked_for() -> None:
    """A part for which nobody waits is no call."""
    place = Place(n0=SilentError)
    coalescer = place.coalescer(max_calls=1)
    asked = [asyncio.create_task(coalescer.get("en", items, deadline=in_a_minute())) for items in edits(10)]
    while len(place.calls) < 2:
        await asyncio.sleep(0)
    for task in asked[2:]:
        task.cancel()
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(found) for found in told[:2]] == [SilentError, dict]
    assert place.calls[1:] == [[0, 1], [2, 3]]


async def test_h5_an_error_that_no_second_try_can_help_is_told_at_once() -> None:
    """A bug, or a pause that is too long for the request."""
    place = Place(n0=KeyError)
    assert set((await failed(place.coalescer(), edits(3))).values()) == {KeyError}
    assert len(place.calls) == 1


async def test_h5_what_waits_is_asked_for_after_the_parts() -> None:
    """A failure holds nobody up for longer than its own calls."""
    place = Place(n0=BadItemError)
    coalescer = place.coalescer(max_calls=1)
    first = asyncio.create_task(failed(coalescer, edits(2)))
    while not place.calls:
        await asyncio.sleep(0)
    assert list(await coalescer.get("en", (100,), deadline=in_a_minute())) == [100]
    assert await first == {(0, 1): BadItemError}
    assert place.calls == [[0, 1, 2, 3], [0, 1], [2, 3], [100]]


async def test_h5_the_first_calls_of_a_second_try_are_said_to_be() -> None:
    """For a new connection each, as many as run at a time; the others may use these."""
    place = Place(n0=SilentError)
    await failed(place.coalescer(), edits(10))
    assert place.firsts == [False, True, True, True] + [False] * 7
