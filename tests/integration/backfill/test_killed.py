"""A backfill that is killed again and again ends as if nothing had happened."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.fakes.backfills import BACKFILL_STREAM, Command, ended, made
from tests.fakes.clients import Client, StartServer

pytestmark = pytest.mark.ci("kill loops")

RANGE = ("--wiki", "enwiki", "--all-revisions", *made("2006-01-01", "2006-01-12"))
KILLS = 20
SEED = 8


def by_key(events: list[dict[str, Any]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    """Return events by their natural key, without the time at which they were taken."""
    found = {}
    for event in events:
        meta = {name: value for name, value in event["meta"].items() if name != "dt"}
        predicted = event["predicted_classification"]
        kind = event["page_change_kind"]
        found[event["wiki_id"], event["revision"]["rev_id"], kind, predicted["model_version"]] = event | {
            "meta": meta
        }
    return found


async def work_done(client: Client, wiki: str, gate: str) -> int:
    """Return how much mocks have been asked in this test: it grows from the first listing to the last event."""
    wiki_stats, gate_stats = await client.get(f"{wiki}/_mock/stats"), await client.get(f"{gate}/_mock/stats")
    return int(wiki_stats["requests"]) + sum(gate_stats["accepted"].values())


@pytest.mark.timeout(300)
async def test_killed_at_twenty_points_it_ends_like_an_uninterrupted_one(
    client: Client,
    start_server: StartServer,
    empty_gate: str,
    export_wiki: str,
    command: Callable[[str, str], Command],
) -> None:
    """The accepted events are the same, byte for byte but for their time of receipt, and each key is there once."""
    environment = {"WIKI_URL": export_wiki, "EVENTGATE_URL": empty_gate, "EVENTGATE_STREAM": BACKFILL_STREAM}
    with start_server(**environment) as server:
        await client.session.delete(f"{export_wiki}/_mock/requests")
        whole = await command(export_wiki, server.url).having(*RANGE, "--checkpoint", "whole.sqlite").run()
        assert whole.status == 0, whole.log
        work = await work_done(client, export_wiki, empty_gate)
        expected = await client.accepted(empty_gate)

    await client.forget(empty_gate)
    await client.session.delete(f"{export_wiki}/_mock/requests")
    chance = random.Random(SEED)  # noqa: S311 - chance that repeats is what is wanted
    # Not in the last tenth: a run that is nearly done may end before it is looked at again.
    points = sorted(chance.sample(range(1, work * 9 // 10), KILLS))
    killed = 0
    with start_server(**environment) as server:  # another one, which remembers nothing
        again = command(export_wiki, server.url).having(*RANGE, "--rate", "60")
        for point in points:
            process = await again.start()
            while process.returncode is None and await work_done(client, export_wiki, empty_gate) < point:
                await asyncio.sleep(0.01)
            if process.returncode is None:
                process.kill()
                killed += 1
            await ended(process)
        last = await again.run()
        assert (last.status, last.report) == (0, whole.report), last.log

    accepted = await client.accepted(empty_gate)
    assert killed == KILLS
    assert len(accepted) == len(by_key(accepted)) == whole.report["scored"] > 150
    assert by_key(accepted) == by_key(expected)
