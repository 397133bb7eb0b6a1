"""Many events at once: bounds, order, events that come twice, and what waits behind something slow."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from revertrisk.dispatcher import RetrySchedule
from revertrisk.dispatcher.client import ServiceAnswer, ServiceClient, new_session
from revertrisk.dispatcher.deadletters import DeadLetterFile
from revertrisk.dispatcher.executor import Executor
from revertrisk.dispatcher.pipeline import DispatchPipeline
from revertrisk.dispatcher.recent import RecentIds
from revertrisk.dispatcher.rule_language.request import Request
from revertrisk.dispatcher.rule_language.rule_file import load_rules
from revertrisk.streams import JsonlSource, Position, SourcedEvent
from tests.fakes.scripted_http import PRODUCED, Reply, ScriptedServer, Seen
from tests.integration.dispatcher.workplace import RULE, STREAM, Workplace, event


@pytest.mark.parametrize(("override", "most"), [(None, 5), (1, 1), (12, 12)])
async def test_a_rules_requests_are_bounded(
    model_server: ScriptedServer, workplace: Workplace, override: int | None, most: int
) -> None:
    """So many are under way at once and not one more, however many events there are."""
    model_server.gate.clear()
    running = asyncio.create_task(
        workplace.run(model_server.url, [event(number) for number in range(40)], concurrency=override)
    )
    await model_server.arrived(most)
    model_server.gate.set()
    summary = await running
    assert model_server.most == most
    assert summary.outcomes == {"produced": 40}


async def test_with_one_request_at_a_time_events_go_out_in_order(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """Concurrency 1 keeps the source's order, retries included."""
    faults = {3, 7}

    def script(seen: Seen) -> Reply:
        number = seen.json["event"]["page"]["page_id"]
        if number in faults:
            faults.remove(number)
            return Reply(503)
        return PRODUCED

    model_server.script = script
    await workplace.run(model_server.url, [event(number) for number in range(10)], concurrency=1)
    asked = [seen.json["event"]["page"]["page_id"] for seen in model_server.seen]
    assert asked == [0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9]


async def test_each_rule_has_its_own_bound_and_its_own_outcome(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """An event that two rules take is sent for both, and is done when both are."""
    second = (
        RULE.split("rules:\n")[1]
        .replace("name: model", "name: other")
        .replace("models/model", "models/other")
    )
    model_server.script = lambda seen: Reply(400) if "other" in seen.raw_path else PRODUCED
    summary = await workplace.run(model_server.url, [event(1), event(2)], rule=RULE + second)
    assert summary.outcomes == {"produced": 2, "given_up:status_400": 2}
    assert (summary.read, summary.owed) == (2, 4)
    assert {letter["rule"] for letter in workplace.dead_letters()} == {"other"}


async def test_events_of_a_page_keep_their_order_where_a_rule_asks_for_it(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """Retries included, while other pages go on beside them."""
    faults = {3, 7}

    def script(seen: Seen) -> Reply:
        number = seen.json["event"]["number"]
        if number in faults:
            faults.remove(number)
            return Reply(503)
        return PRODUCED

    model_server.script = script
    rule = RULE.replace("concurrency: 5", "concurrency: 5\n    order_by: '{{message.page.page_id}}'")
    events = [event(number) | {"number": number, "page": {"page_id": number % 2}} for number in range(20)]
    await workplace.run(model_server.url, events, rule=rule, retries=RetrySchedule(3, 0.05, 1.0))
    asked = [seen.json["event"]["number"] for seen in model_server.seen]
    odd = [number for number in asked if number % 2]
    assert odd == sorted(odd)
    even = [number for number in asked if not number % 2]
    assert even == sorted(even)
    assert odd.count(3) == 2
    assert asked.index(4) < len(asked) - 1 - asked[::-1].index(3)  # it did not wait for the other page


async def test_an_event_that_comes_twice_is_sent_once(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """Known by its meta.id; the second one is done at once, and the first one holds the commit back."""
    twice = event(1, meta={"stream": STREAM, "id": "x"})
    summary = await workplace.run(model_server.url, [twice, twice, event(2), event(2)])
    assert summary.outcomes == {"produced": 3, "duplicate": 1}  # without an id each counts


async def test_a_second_coming_is_not_done_before_the_first(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A partition that was lost and given back is not committed past an event whose first request is under way."""
    same = event(1, meta={"stream": STREAM, "id": "x"})
    other = Position("t[1]", 10)

    class GivenBack:
        """Yields an event, again after its partition was lost and given back, and one of another partition."""

        def __init__(self) -> None:
            self.committed: list[Position] = []
            self.has_committed = asyncio.Event()

        async def events(self) -> AsyncGenerator[SourcedEvent, None]:
            for epoch in (1, 2):
                yield SourcedEvent(same, Position("t[0]", 10, epoch))
            yield SourcedEvent(event(2, wiki_id="x"), other)

        async def commit(self, position: Position) -> None:
            self.committed.append(position)
            self.has_committed.set()

        async def close(self) -> None:
            pass

    model_server.gate.clear()
    workplace.write([])
    settings = workplace.settings(model_server.url)
    rules = load_rules(settings.rule_file, target=model_server.url)
    source = GivenBack()
    async with new_session("test") as session:
        with DeadLetterFile(Path(settings.dead_letters)) as dead_letters:
            pipeline = DispatchPipeline(
                source,
                rules,
                Executor(rules, ServiceClient(session), dead_letters),
                grace_s=1,
                on_outcome=workplace.note,
                recent=RecentIds(),
            )
            running = asyncio.create_task(pipeline.run(asyncio.Event()))
            await source.has_committed.wait()
            assert [outcome.label for outcome in workplace.outcomes] == ["duplicate", "unmatched:wiki_id"]
            assert source.committed == [other]
            model_server.gate.set()
            await running
    assert len(model_server.seen) == 1
    assert set(source.committed) == {other, Position("t[0]", 10, 1), Position("t[0]", 10, 2)}


async def test_reading_stops_behind_something_slow(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """What is done and cannot be committed is bounded; when the slow one is done, reading goes on."""
    released = asyncio.Event()
    workplace.write([event(number) for number in range(200)])
    source = JsonlSource.from_path(str(workplace.settings(model_server.url).source.removeprefix("jsonl:")))
    rules = load_rules(workplace.settings(model_server.url).rule_file, target=model_server.url)

    class Slow:
        """Sends nothing; the first event takes until it is released."""

        async def send(self, request: Request, **_: object) -> ServiceAnswer:
            if request.request_id == "r-0":
                await released.wait()
            return ServiceAnswer(200)

    dead_letters = DeadLetterFile(Path(workplace.settings(model_server.url).dead_letters))
    executor = Executor(rules, Slow(), dead_letters)  # type: ignore[arg-type]  # the part of the client that is used
    pipeline = DispatchPipeline(source, rules, executor, grace_s=1, on_outcome=workplace.note, max_held=50)
    with dead_letters:
        running = asyncio.create_task(pipeline.run(asyncio.Event()))
        await workplace.settled(49)
        # That nothing more comes is no fact to wait for: in these turns of the loop a reader would have gone on.
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(workplace.outcomes) == 49
        released.set()
        summary = await running
    assert summary.outcomes == {"accepted": 200}
