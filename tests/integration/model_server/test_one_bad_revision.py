"""One revision that MediaWiki cannot give fails only its own event, whatever came together with it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from aiohttp import web

from tests.fakes.clients import STREAM, Client, Reply, StartServer
from tests.fakes.loopback import serving
from tests.fakes.wikis import AFTER, BEFORE
from tests.integration.model_server.test_every_wikipedia import edit_on

EVENTS = 38
BAD = 1017
"""The revision of the 18th event; its parent is 2017."""
MOST_CALLS = 3

Handler = Callable[[web.Request], Awaitable[web.Response]]


async def api_error(_: web.Request) -> web.Response:
    code = "internal_api_error_DBQueryError"
    return web.json_response({"error": {"code": code}}, headers={"MediaWiki-API-Error": code})


async def status_500(_: web.Request) -> web.Response:
    return web.json_response({}, status=500)


async def not_json(_: web.Request) -> web.Response:
    return web.Response(body=b"<html>", content_type="text/html")


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def silence(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


async def busy(_: web.Request) -> web.Response:
    return web.json_response({}, status=429, headers={"Retry-After": "37"})


class StubWiki:
    """A wiki of edits with their parents, of which it cannot give one."""

    def __init__(self) -> None:
        self.fail(status_500, 0)

    def fail(self, fault: Handler, bad: int) -> None:
        """Fail, from now on, in a way for a revision, and forget what was asked."""
        self._fault = fault
        self._bad = bad
        self.calls: list[list[int]] = []
        self.under_way = self.most_under_way = 0

    async def handle(self, request: web.Request) -> web.Response:
        asked = [int(rev_id) for rev_id in request.query["revids"].split("|")]
        self.calls.append(asked)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self._bad in asked:
                return await self._fault(request)
            await asyncio.sleep(0.05)
            return web.json_response({"query": {"pages": [_page(rev_id) for rev_id in asked]}})
        finally:
            self.under_way -= 1


def _page(rev_id: int) -> dict[str, Any]:
    is_parent = rev_id >= 2000
    revision = {
        "revid": rev_id,
        "parentid": 0 if is_parent else rev_id + 1000,
        "user": "192.0.2.7",
        "userid": 0,
        "timestamp": "2024-01-01T00:00:00Z" if is_parent else "2024-01-02T00:00:00Z",
        "size": len(BEFORE if is_parent else AFTER),
        "comment": "school",
        "tags": [],
        "slots": {"main": {"contentmodel": "wikitext", "content": BEFORE if is_parent else AFTER}},
    }
    number = rev_id % 1000 + 1
    return {"pageid": number, "ns": 0, "title": f"Page {number}", "revisions": [revision]}


def edit(number: int) -> dict[str, Any]:
    event = edit_on("enwiki", "en.wikipedia.org")
    event["page"] |= {"page_id": number + 1, "page_title": f"Page_{number + 1}"}
    event["revision"] |= {"rev_id": 1000 + number, "rev_parent_id": 2000 + number}
    return {"event": event}


@pytest.fixture(scope="module")
def wiki() -> StubWiki:
    return StubWiki()


@pytest.fixture(scope="module")
def server(start_server: StartServer, gate: str, wiki: StubWiki) -> Iterator[str]:
    app = web.Application()
    app.router.add_get("/w/api.php", wiki.handle)
    with (
        serving(app) as url,
        start_server(
            WIKI_URL=url, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM, AIOHTTP_CLIENT_TIMEOUT="1"
        ) as program,
    ):
        yield program.url


async def delivered(client: Client, server: str) -> list[Reply]:
    """Send all events at once."""
    return await asyncio.gather(*(client.predict(server, edit(number)) for number in range(EVENTS)))


@pytest.mark.parametrize("bad", [BAD, BAD + 1000], ids=["revision", "parent"])
@pytest.mark.parametrize(
    "fault", [api_error, status_500, not_json, reset, silence], ids=lambda fault: fault.__name__
)
async def test_h5_one_bad_revision_fails_one_event_of_38(
    client: Client, server: str, wiki: StubWiki, fault: Handler, bad: int
) -> None:
    """37 of 38 that come at once are produced in their first request, and the wiki sees three calls at a time."""
    wiki.fail(fault, bad)
    outcomes = [(reply.status, reply.outcome) for reply in await delivered(client, server)]
    assert outcomes.pop(BAD - 1000) == (503, None)
    assert outcomes == [(200, "produced")] * (EVENTS - 1)
    assert max(len(asked) for asked in wiki.calls) > 2, "nothing was joined"
    assert wiki.most_under_way <= MOST_CALLS


async def test_h5_a_rate_limit_is_not_split(client: Client, server: str, wiki: StubWiki) -> None:
    """It is the wiki's answer to all who asked: they are told how long to wait, and the wiki is left alone."""
    wiki.fail(busy, BAD)
    replies = await delivered(client, server)
    failed = [number for number, reply in enumerate(replies) if reply.status != 200]
    (asked,) = [asked for asked in wiki.calls if BAD in asked]
    assert sorted(failed) == sorted(rev_id - 1000 for rev_id in asked if rev_id < 2000)
    assert {replies[number].headers["retry-after"] for number in failed} == {"37"}
