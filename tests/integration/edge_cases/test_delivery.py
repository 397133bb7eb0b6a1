"""The same event more than once, at once, or out of order."""

import asyncio
from typing import Any

from tests.fakes.edited_wikis import HISTORY, Event, edit_of
from tests.fakes.stage import RETRY, Stage


def without_receipt(event: Event) -> list[tuple[str, Any]]:
    del event["meta"]["dt"]
    return list(event.items())


async def test_e08_duplicate_is_answered_from_the_record(stage: Stage) -> None:
    """A duplicate of an accepted event is answered from the record: no fetch, no scoring, no second POST.

    The answer has `x-revertrisk-repeated: 1`.
    """
    event = stage.wikis.plain_edit()
    replies = [await stage.deliver(event), await stage.deliver(event), await stage.deliver(event, **RETRY)]
    assert [reply.outcome for reply in replies] == ["produced"] * 3
    assert [reply.headers.get("x-revertrisk-repeated") for reply in replies] == [None, "1", "1"]
    assert replies[0].body == replies[1].body == replies[2].body
    assert (len(await stage.wiki_calls()), await stage.posts()) == (1, 1)
    assert (await stage.counted())["revertrisk_inference_batch_size_sum"] == 1


async def test_e08_duplicate_that_is_asked_for_is_emitted_again_and_identical(stage: Stage) -> None:
    """With `x-revertrisk-reemit: 1` the event is emitted again, with the same id and the same bytes."""
    event = stage.wikis.plain_edit()
    await stage.deliver(event)
    reply = await stage.ask({"event": event}, reemit=True)
    assert "x-revertrisk-repeated" not in reply.headers
    first, second = map(without_receipt, await stage.emitted())
    assert first == second


async def test_e09_concurrent_duplicates_share_one_fetch_one_pass_and_one_post(stage: Stage) -> None:
    """Twenty deliveries of one event at once share one fetch, one forward pass and one POST."""
    event = stage.wikis.plain_edit()
    await stage.wiki_faults({"kind": "delay", "seconds": 0.2})
    replies = await asyncio.gather(*(stage.deliver(event) for _ in range(20)))
    assert {(reply.status, reply.outcome) for reply in replies} == {(200, "produced")}
    assert (len(await stage.wiki_calls()), await stage.posts()) == (1, 1)
    assert (await stage.counted())["revertrisk_inference_batch_size_sum"] == 1


async def test_e09_concurrent_duplicates_share_a_failure_and_the_retries_succeed(stage: Stage) -> None:
    """Concurrent duplicates share a failure, which is not recorded.

    Their retries succeed and one event is on the stream.
    """
    event = stage.wikis.plain_edit()
    await stage.gate_faults({"kind": "status", "status": 503})
    replies = await asyncio.gather(*(stage.deliver(event) for _ in range(5)))
    assert {reply.status for reply in replies} == {503}
    await stage.gate_faults()
    replies = await asyncio.gather(*(stage.deliver(event, **RETRY) for _ in range(5)))
    assert {reply.outcome for reply in replies} == {"produced"}
    assert len(await stage.emitted()) == 1


async def test_e10_older_revision_that_finishes_after_a_newer_one_is_emitted(stage: Stage) -> None:
    """An older revision that is scored after a newer one is emitted all the same.

    A reader who wants the newest keeps the greatest rev_id.
    """
    older, newer = (stage.wikis.of(edit_of(HISTORY) + number) for number in (1, 2))
    await stage.wiki_faults({"kind": "status", "status": 503, "next": 2})
    assert (await stage.deliver(older)).status == 503
    assert (await stage.deliver(newer)).outcome == "produced"
    assert (await stage.deliver(older, **RETRY)).outcome == "produced"
    assert [event["revision"]["rev_id"] for event in await stage.emitted()] == [
        newer["revision"]["rev_id"],
        older["revision"]["rev_id"],
    ]


async def test_e10_three_revisions_of_one_page_have_three_ids(stage: Stage) -> None:
    """Three revisions of one page give three events with three ids."""
    for number in range(3):
        await stage.ask({"event": stage.wikis.of(edit_of(HISTORY) + number)}, reemit=True)
    assert len({event["meta"]["id"] for event in await stage.emitted()}) == 3
