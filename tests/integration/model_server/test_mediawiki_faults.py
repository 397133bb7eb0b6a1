"""A MediaWiki that misbehaves never makes a score, a 500 or a final answer out of a passing fault."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import orjson
import pytest
from aiohttp import web
from prometheus_client import Histogram

from model_server import mediawiki
from revertrisk.event_platform.page_change import RevisionRef
from revertrisk.wiki.table import WikiTable
from tests.fakes.clients import Client, StartServer
from tests.fakes.http import in_a_minute, open_http
from tests.fakes.loopback import serving

PRIVATE = "Erika Mustermann 192.0.2.99"
REVISION = {
    "revid": 1,
    "parentid": 0,
    "timestamp": "2025-01-01T00:00:00Z",
    "slots": {"main": {"content": "x"}},
}
PAGE = {"pageid": 1, "ns": 0, "title": "Foo", "revisions": [REVISION]}


def answer(
    document: Any, status: int = 200, **headers: str
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def give(_: web.Request) -> web.Response:
        body = document if isinstance(document, bytes) else orjson.dumps(document)
        kind = "text/html" if isinstance(document, bytes) else "application/json"
        return web.Response(status=status, body=body, content_type=kind, headers=headers)

    return give


async def hang(_: web.Request) -> web.Response:
    await asyncio.sleep(3600)
    raise AssertionError


async def reset(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


def error(code: str) -> dict[str, Any]:
    return {"error": {"code": code, "info": PRIVATE}, "servedby": PRIVATE}


def page(**changes: Any) -> dict[str, Any]:
    return {"query": {"pages": [PAGE | changes]}}


FAULTS: dict[str, Callable[[web.Request], Awaitable[web.Response]]] = {
    "500": answer({"message": PRIVATE}, 500),
    "503": answer({}, 503, **{"Retry-After": "1"}),
    "429": answer({}, 429, **{"Retry-After": "7"}),
    "endless Retry-After": answer({}, 429, **{"Retry-After": "9" * 400}),
    "maxlag": answer(error("maxlag"), 200, **{"MediaWiki-API-Error": "maxlag", "Retry-After": "9"}),
    "database error": answer(error("internal_api_error_DBQueryError")),
    "an error of any code": answer(error(f"bad {PRIVATE}")),
    "HTML": answer(f"<html>{PRIVATE}</html>".encode()),
    "half a body": answer(b'{"query": {"pages": ['),
    "hang": hang,
    "reset": reset,
    "redirect": answer({}, 302, Location="http://127.0.0.1:9/evil"),
    "a string": answer("query"),
    "null": answer(None),
    "no query": answer({"batchcomplete": True}),
    "an empty query": answer({"query": {}}),
    "a page without revisions": answer({"query": {"pages": [{"pageid": 1, "ns": 0, "title": "Foo"}]}}),
    "pages a string": answer({"query": {"pages": PRIVATE}}),
    "a null page": answer({"query": {"pages": [None]}}),
    "a revision without fields": answer(page(revisions=[{"revid": 18}])),
    "content a number": answer(page(revisions=[REVISION | {"slots": {"main": {"content": 7}}}])),
    "no such day": answer(page(revisions=[REVISION | {"timestamp": "2025-02-31T00:00:00Z"}])),
    "continue a string": answer({"query": {"pages": []}, "continue": PRIVATE}),
    "continue with another line": answer({"query": {"pages": []}, "continue": {"a\r\nX-B": "c"}}),
    "continue by a name that is not ASCII": answer({"query": {"pages": []}, "continue": {"ž": "c"}}),
}
NAMES = list(FAULTS)


async def api(request: web.Request) -> web.Response:
    """Answer in the way that the revision id asks for."""
    return await FAULTS[NAMES[int(request.query["revids"].split("|")[0]) - 1]](request)


@pytest.fixture(scope="module")
def server(start_server: StartServer) -> Iterator[str]:
    app = web.Application()
    app.router.add_get("/w/api.php", api)
    with serving(app) as wiki, start_server(WIKI_URL=wiki, AIOHTTP_CLIENT_TIMEOUT="0.5") as program:
        yield program.url


@pytest.mark.parametrize("fault", NAMES)
async def test_a_passing_fault_is_503(client: Client, server: str, logs: Any, fault: str) -> None:
    """E1: retried, then 503 with Retry-After; nothing of the answer shows in ours."""
    reply = await client.predict(server, {"lang": "en", "rev_id": NAMES.index(fault) + 1})
    assert (reply.status, reply.body["code"], reply.body["retryable"]) == (503, "mediawiki_unavailable", True)
    assert 1 <= int(reply.headers["retry-after"]) <= 3600
    assert not any(word in orjson.dumps(reply.body).decode() for word in PRIVATE.split())


async def test_a_retry_after_is_passed_on(client: Client, server: str) -> None:
    """The dispatcher's next try is no earlier than MediaWiki asks for."""
    replies = {
        fault: await client.predict(server, {"lang": "en", "rev_id": NAMES.index(fault) + 1})
        for fault in ("429", "maxlag")
    }
    assert {fault: reply.headers["retry-after"] for fault, reply in replies.items()} == {
        "429": "7",
        "maxlag": "9",
    }


async def test_nothing_of_an_answer_is_logged(client: Client, server: str, logs: Any) -> None:
    """E49: foreign error bodies are dropped at the edge; mwapi puts 350 characters of them into its exceptions."""
    for number in range(1, len(NAMES) + 1):
        await client.predict(server, {"lang": "en", "rev_id": number})
    text = "".join(log.read_text() for log in logs.glob("server-*.log"))
    assert '"rev_id":1,' in text
    assert not any(word in text for word in ("Erika", "Mustermann", "192.0.2.99"))


async def test_why_a_request_failed_is_logged(client: Client, server: str, logs: Any) -> None:
    """An engineer can tell a time-out from a rate limit."""
    for number in range(1, len(NAMES) + 1):
        await client.predict(server, {"lang": "en", "rev_id": number})
    text = "".join(log.read_text() for log in logs.glob("server-*.log"))
    assert "did not answer in time" in text
    assert "status_429" in text
    async with client.session.get(f"{server}/metrics") as metrics:
        counted = await metrics.text()
    for reason in (
        "timeout",
        "rate_limited",
        "http_error",
        "connection_lost",
        "not_json",
        "api_error",
        "malformed",
    ):
        assert f'revertrisk_mediawiki_request_seconds_count{{outcome="{reason}"}}' in counted


@pytest.mark.parametrize(
    ("revisions", "part_bytes", "parts"),
    [
        pytest.param(1, 100, 3, id="a part for each revision and each page"),
        pytest.param(20, 100, 41, id="of twenty"),
        pytest.param(20, 100_000, 10, id="as many bytes as one answer may have"),
    ],
)
async def test_u3_an_answer_that_never_ends_is_bounded(
    monkeypatch: pytest.MonkeyPatch, revisions: int, part_bytes: int, parts: int
) -> None:
    """U3: in its parts and in their sum; asked for once more, as a whole, it is given up."""
    monkeypatch.setattr(mediawiki, "MAX_ANSWER_BYTES", 1_000_000)
    asked = []

    async def never_ends(request: web.Request) -> web.Response:
        asked.append(request.query.get("continue"))
        return web.json_response(
            {"query": {"pages": []}, "continue": {"continue": str(len(asked))}, "x": "x" * part_bytes}
        )

    app = web.Application()
    app.router.add_get("/w/api.php", never_ends)
    wiki = WikiTable.load().by_id("enwiki")
    assert wiki is not None
    with serving(app) as url:
        async with open_http() as http:
            seconds = Histogram("seconds", "Of a request.", ["outcome"], registry=None)
            client = mediawiki.MediaWikiClient(
                http, user_agent="test", timeout=5, requests_seconds=seconds, max_calls=1, wiki_url=url
            )
            fetches = [
                client.fetch(RevisionRef(wiki, number), in_a_minute()) for number in range(1, revisions + 1)
            ]
            failures = await asyncio.gather(*fetches, return_exceptions=True)
    assert {getattr(failure, "reason", failure) for failure in failures} == {"endless"}
    assert (asked.count(None), len(asked)) == (2, 2 * parts)
