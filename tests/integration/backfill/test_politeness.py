"""A backfill keeps to its limit and to what the wiki says, measured at the wiki."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from typing import Any

import orjson
import pytest

from tests.fakes.backfills import Command, ended, made
from tests.fakes.clients import Client

RANGE = ("--wiki", "enwiki", "--all-revisions", *made("2006-01-01", "2006-01-06"))


@pytest.fixture
async def wiki(client: Client, export_wiki: str, empty_gate: str) -> str:
    """The export's wiki, which has seen nothing yet and behaves."""
    await put_faults(client, export_wiki)
    await client.session.delete(f"{export_wiki}/_mock/requests")
    return export_wiki


async def put_faults(client: Client, wiki: str, *faults: dict[str, Any]) -> None:
    async with client.session.put(f"{wiki}/_mock/faults", data=orjson.dumps(faults)) as answer:
        assert answer.status == 200, await answer.text()


async def requests(client: Client, wiki: str) -> list[dict[str, Any]]:
    """Return the requests that the wiki has seen, oldest first, with their times in seconds."""
    return [
        request | {"at": datetime.fromisoformat(request["time"]).timestamp()}
        for request in await client.get(f"{wiki}/_mock/requests")
    ]


def most_in_a_second(times: list[float]) -> int:
    """Return how many of these times lie within one second, at the busiest."""
    return max(sum(begin <= time < begin + 1 for time in times) for begin in times)


async def test_no_second_sees_more_requests_than_the_limit(
    client: Client, wiki: str, export_server: str, empty_gate: str, command: Callable[[str, str], Command]
) -> None:
    """Those of the planner and those that the server makes count together, and none is under way beside many."""
    polite = command(wiki, export_server).having(*RANGE, "--rate", "12", "--concurrency", "3")
    done = await polite.run()
    assert done.status == 0, done.log
    seen = await requests(client, wiki)
    assert len(seen) > 24, "there was more to ask than a second or two allow"
    assert most_in_a_second([request["at"] for request in seen]) <= 12
    assert (await client.get(f"{wiki}/_mock/stats"))["most_in_flight"] <= 3


async def test_our_own_requests_say_who_asks_and_that_they_can_wait(
    client: Client, wiki: str, export_server: str, command: Callable[[str, str], Command]
) -> None:
    """``maxlag=5`` in every request, and the contact in the User-Agent."""
    done = (
        await command(wiki, export_server).having(*RANGE, "--contact", "ops@example.org", "--dry-run").run()
    )
    assert done.status == 0, done.log
    assert all(request["params"]["maxlag"] == "5" for request in await requests(client, wiki))
    (agent,) = (await client.get(f"{wiki}/_mock/stats"))["user_agents"]
    assert agent.startswith("revertrisk-backfill/")
    assert agent.endswith("(ops@example.org)")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "maxlag", "retry_after": 2, "next": 1},
        {"kind": "rate_limited", "retry_after": 2, "next": 1},
        {"kind": "status", "status": 503, "retry_after": 2, "next": 1},
    ],
    ids=["maxlag", "429", "503"],
)
async def test_a_wiki_that_asks_for_a_pause_gets_it_while_planning(
    client: Client,
    wiki: str,
    export_server: str,
    command: Callable[[str, str], Command],
    fault: dict[str, Any],
) -> None:
    """``Retry-After`` is waited for, and then the plan is as if nothing had been."""
    await put_faults(client, wiki, fault)
    done = await command(wiki, export_server).having(*RANGE, "--dry-run").run()
    assert (done.status, done.plan["to_send"]) == (0, done.plan["found"]), done.log
    first, second, *_ = await requests(client, wiki)
    assert first["fault"] == fault["kind"]
    assert second["at"] - first["at"] >= 2


async def test_a_wiki_that_limits_the_server_pauses_everything(
    client: Client, wiki: str, export_server: str, empty_gate: str, command: Callable[[str, str], Command]
) -> None:
    """The server hands ``Retry-After`` on, and nobody asks the wiki until it is over."""
    # The server remembers what other tests have sent; this is something new to it.
    flags = ("--wiki", "enwiki", "--all-revisions", *made("2006-03-01", "2006-03-04"))
    process = await command(wiki, export_server).having(*flags, "--rate", "15").start()
    while process.returncode is None and not await client.accepted(empty_gate):
        await asyncio.sleep(0.02)
    await put_faults(client, wiki, {"kind": "rate_limited", "retry_after": 7, "next": 1})
    done = await ended(process)
    assert (done.status, done.report["failed"]) == (0, {}), done.log
    assert done.report["scored"] == len(await client.accepted(empty_gate)) == done.plan["to_send"]
    seen = await requests(client, wiki)
    assert sum(request["fault"] == "rate_limited" for request in seen) == 1
    longest = max(later["at"] - earlier["at"] for earlier, later in pairwise(seen))
    struck = next(request["at"] for request in seen if request["fault"] == "rate_limited")
    assert longest > 6
    # What was under way at that moment may still arrive.
    assert sum(struck < request["at"] < struck + 6.9 for request in seen) <= 5
    assert most_in_a_second([request["at"] for request in seen]) <= 15


async def test_a_lagging_wiki_holds_up_the_sending(
    client: Client, wiki: str, export_server: str, empty_gate: str, command: Callable[[str, str], Command]
) -> None:
    """The server asks without ``maxlag``; the look-up before each chunk has it, and finds out for both."""
    planned = command(wiki, export_server).having(*RANGE)
    assert (await planned.run("--dry-run")).status == 0
    await client.session.delete(f"{wiki}/_mock/requests")
    await put_faults(client, wiki, {"kind": "maxlag", "retry_after": 3, "next": 1})
    done = await planned.run()
    assert done.status == 0, done.log
    first, second, *_ = await requests(client, wiki)
    assert first["error"] is None
    assert first["fault"] == "maxlag"
    assert second["at"] - first["at"] >= 3
