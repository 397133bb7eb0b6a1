"""``/_mock/faults`` of the mock MediaWiki: what its clients see, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.integration.mock_mediawiki.wiki_client import DEFAULTS, EVERYTHING, Wiki

QUERY = DEFAULTS | {"prop": "revisions", "rvslots": "main", "rvprop": EVERYTHING}
HANG = {"kind": "hang"}

Ask = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest.fixture
def ask(wiki: Wiki) -> Ask:
    """Return a function that asks for a revision of dewiki and returns status, headers and body.

    With a POST: aiohttp's client repeats a GET once by itself where the connection ends.
    """

    async def ask(host: str = "de.wikipedia.org", rev_id: int = 101) -> tuple[int, dict[str, str], bytes]:
        async with wiki.client.post(
            f"{wiki.address}/w/api.php",
            data=QUERY | {"revids": str(rev_id)},
            headers={"Host": host},
            allow_redirects=False,
        ) as response:
            return response.status, dict(response.headers), await response.read()

    return ask


async def hanging(wiki: Wiki, count: int) -> None:
    """Wait until so many requests are in flight."""
    while (await wiki.mock("stats"))["in_flight"] != count:
        await asyncio.sleep(0.01)


HTML, JSON = "text/html; charset=utf-8", "application/json; charset=utf-8"
OTHER = "https://other.example/w/api.php"


@pytest.mark.parametrize(
    ("fault", "status", "headers", "body"),
    [
        *(({"kind": "status", "status": status}, status, {"Content-Type": HTML}, f"<h1>{status}")
          for status in (200, 301, 403, 404, 418, 500, 502, 503, 504, 599)),
        *(({"kind": "status", "status": status}, status, {}, "") for status in (204, 304)),
        *((fault | {"retry_after": after}, status, {"Retry-After": str(after)}, "")
          for fault, status in (({"kind": "status", "status": 503}, 503), ({"kind": "rate_limited"}, 429),
                                ({"kind": "maxlag"}, 200))
          for after in (0, 7, "Wed, 21 Oct 2026 07:28:00 GMT", "soon")),
        ({"kind": "rate_limited"}, 429, {"Retry-After": "5"}, "429 Too Many Requests"),
        ({"kind": "html"}, 200, {"Content-Type": HTML}, "<!DOCTYPE html>"),
        ({"kind": "not_json"}, 200, {"Content-Type": JSON}, "Warning: this body is not JSON"),
        *(({"kind": "redirect", "status": status, "location": OTHER}, status, {"Location": OTHER}, "")
          for status in (301, 302, 303, 307, 308)),
        *(({"kind": "api_error", "code": code, "info": "words"}, 200, {"MediaWiki-API-Error": code},
           f'{{"error":{{"code":"{code}","info":"words"')
          for code in ("internal_api_error_DBQueryError", "readonly", "ratelimited")),
    ],
)  # fmt: skip
async def test_what_comes_instead_of_an_answer(
    wiki: Wiki, ask: Ask, fault: dict[str, Any], status: int, headers: dict[str, str], body: str
) -> None:
    """E1, E44: any status with a proxy's page, any Retry-After as it is given, pages and nonsense inside 200."""
    await wiki.put(fault)

    answered, sent, text = await ask()

    assert (answered, {name: sent.get(name) for name in headers}) == (status, headers)
    assert body in text.decode()
    assert ("Retry-After" in sent) == ("Retry-After" in headers)


async def test_maxlag_is_an_error_inside_200(wiki: Wiki, ask: Ask) -> None:
    """E1: the error says who lags and how much, and the headers say when to come back."""
    await wiki.put({"kind": "maxlag", "lag": 12.25})

    _, headers, _ = await ask()
    error = (await wiki.query(prop="revisions", revids="101"))["error"]

    assert (headers["Retry-After"], headers["X-Database-Lag"]) == ("5", "12")
    assert (error["code"], error["lag"], error["type"]) == ("maxlag", 12.25, "db")
    assert "12.25 seconds lagged" in error["info"]
    assert "https://de.wikipedia.org/w/api.php" in error["docref"]


async def test_a_reset_connection_has_no_answer(wiki: Wiki, ask: Ask) -> None:
    """E1: the client sees a reset, and the mock is well afterwards."""
    await wiki.put({"kind": "reset", "next": 1})

    with pytest.raises(aiohttp.ClientConnectionError):
        await ask()

    assert (await ask())[0] == 200


async def test_a_cut_body_is_half_of_what_was_promised(wiki: Wiki, ask: Ask) -> None:
    """E1: Content-Length is the whole answer's, and half of it comes."""
    _, whole_headers, whole = await ask()
    await wiki.put({"kind": "cut"})

    reader, writer = await asyncio.open_connection(*wiki.address.removeprefix("http://").split(":"))
    target = "&".join(f"{name}={value}" for name, value in (QUERY | {"revids": "101"}).items())
    writer.write(f"GET /w/api.php?{target} HTTP/1.1\r\nHost: de.wikipedia.org\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert f"Content-Length: {whole_headers['Content-Length']}".encode() in head
    assert body == whole[: len(whole) // 2]
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask()


async def test_a_delayed_answer_is_the_right_one(wiki: Wiki, ask: Ask) -> None:
    """The answer comes in full, not earlier than asked for; an hour's delay ends when it is lifted."""
    right = (await ask())[2]
    await wiki.put({"kind": "delay", "seconds": 0.2})
    before = asyncio.get_running_loop().time()
    assert (await ask())[2] == right
    assert asyncio.get_running_loop().time() - before >= 0.2

    await wiki.put({"kind": "delay", "seconds": 3600})
    slow = asyncio.create_task(ask())
    await hanging(wiki, 1)
    await wiki.lift()
    assert (await slow)[0] == 200


@pytest.mark.parametrize("how", ["lift", "put"])
async def test_what_hangs_ends_when_the_fault_is_lifted(wiki: Wiki, ask: Ask, how: str) -> None:
    """DELETE and PUT let go of what hangs: its connections end without an answer."""
    await wiki.put(HANG)
    stuck = [asyncio.create_task(ask()) for _ in range(3)]
    await hanging(wiki, 3)

    await getattr(wiki, how)()

    for result in await asyncio.gather(*stuck, return_exceptions=True):
        assert isinstance(result, aiohttp.ClientConnectionError)
    assert (await ask())[0] == 200
    assert (await wiki.mock("stats"))["in_flight"] == 0


async def test_what_hangs_ends_when_its_client_goes(wiki: Wiki, ask: Ask) -> None:
    """A client that gives up leaves nothing behind."""
    await wiki.put(HANG)
    stuck = asyncio.create_task(ask())
    await hanging(wiki, 1)

    stuck.cancel()

    await hanging(wiki, 0)
    assert (await wiki.mock("stats"))["most_in_flight"] == 1


async def test_what_hangs_does_not_delay_the_shutdown() -> None:
    """The mock stops with requests hanging, and their clients see the end of the connection."""
    wikis = WikiTable.load()

    @asynccontextmanager
    async def mock(client: aiohttp.ClientSession) -> AsyncIterator[Wiki]:
        async with listening(create_app(ActionApi(SampleHistory.shipped(wikis)), wikis, "enwiki")) as address:
            yield Wiki(address, client)

    async with aiohttp.ClientSession() as client:
        async with mock(client) as wiki:
            await wiki.put(HANG)
            stuck = asyncio.create_task(client.post(f"{wiki.address}/w/api.php"))
            await hanging(wiki, 1)
        with pytest.raises(aiohttp.ClientConnectionError):
            await stuck


async def test_an_invisible_revision_appears_after_so_many_requests(wiki: Wiki) -> None:
    """E11: in badrevids for its first two requests; other revisions and other wikis count for themselves."""
    await wiki.put({"kind": "invisible", "requests": 2, "wiki_id": "dewiki"})

    seen = [await wiki.revision(101) is not None for _ in range(4)]

    assert seen == [False, False, True, True]
    assert await wiki.revision(102) is None
    assert await wiki.revision(100, host="zh-yue.wikipedia.org") is not None


async def test_an_invisible_revision_is_missing_beside_a_visible_parent(wiki: Wiki) -> None:
    """E11: one request for a revision and its parent finds the parent alone, then both."""
    await wiki.put({"kind": "invisible", "requests": 1, "rev_id": 102})
    ask = {"prop": "revisions", "revids": "101|102", "rvprop": "ids"}

    first, second = await wiki.query(**ask), await wiki.query(**ask)

    assert list(first["query"]["badrevids"]) == ["102"]
    assert [shown["revid"] for shown in first["query"]["pages"][0]["revisions"]] == [101]
    assert "badrevids" not in second["query"]
    assert [shown["revid"] for shown in second["query"]["pages"][0]["revisions"]] == [101, 102]


async def test_an_invisible_revision_appears_after_a_while(wiki: Wiki) -> None:
    """E11: by time, from when it was first asked for."""
    await wiki.put({"kind": "invisible", "seconds": 3600, "rev_id": 101})
    assert [await wiki.revision(101) for _ in range(3)] == [None] * 3
    await wiki.put({"kind": "invisible", "seconds": 0.05})

    assert await wiki.revision(101) is None
    while await wiki.revision(101) is None:
        await asyncio.sleep(0.01)


async def test_chance_decides_about_a_revision_once(wiki: Wiki) -> None:
    """With a rate, a revision is struck or spared for good; with next, so many revisions are struck."""
    await wiki.put({"kind": "invisible", "seconds": 3600, "rate": 0.5, "seed": 2})
    ids = [100, 101, 102, 200, 201, 202, 203, 300]
    first = [await wiki.revision(rev_id) is None for rev_id in ids]
    assert [await wiki.revision(rev_id) is None for rev_id in ids] == first
    assert len(set(first)) == 2

    await wiki.put({"kind": "invisible", "seconds": 3600, "next": 3})
    assert [await wiki.revision(rev_id) is None for rev_id in ids] == [True] * 3 + [False] * 5


async def test_parts_are_hidden_between_two_calls(wiki: Wiki) -> None:
    """E12, E13, E14: what the first request saw is hidden from the second, and from all others after it."""
    await wiki.put({"kind": "hide", "parts": ["comment", "user"], "after": 1, "rev_id": 100})

    before, after = await wiki.revision(100), await wiki.revision(100)

    assert before is not None
    assert after is not None
    assert (before["user"], before["comment"]) == ("Ada", "neu")
    assert after["userhidden"] is after["commenthidden"] is True
    assert not {"user", "userid", "comment"} & after.keys()
    assert after["slots"]["main"]["content"] == "Ein Apfelbaum."
    listed = await wiki.query(prop="revisions", pageids="10", rvlimit="max", rvprop="ids|user")
    shown = {each["revid"]: each.get("userhidden") for each in listed["query"]["pages"][0]["revisions"]}
    assert shown == {102: None, 101: None, 100: True}


async def test_hidden_text_has_no_hash_either(wiki: Wiki) -> None:
    """E12: after: 0 hides from the first request on."""
    await wiki.put({"kind": "hide", "parts": ["text"], "after": 0})

    shown = await wiki.revision(101)

    assert shown is not None
    assert shown["slots"]["main"] == {"contentmodel": "wikitext", "texthidden": True}
    assert shown["sha1hidden"] is True


async def test_faults_of_revisions_add_up(wiki: Wiki) -> None:
    """E11, then E12: invisible for one request, whole for one, hidden from then on."""
    hide = {"kind": "hide", "after": 2, "rev_id": 101}
    await wiki.put(
        {"kind": "invisible", "requests": 1, "rev_id": 101},
        hide | {"parts": ["text"]},
        hide | {"parts": ["user"]},
    )

    absent, whole, hidden = [await wiki.revision(101) for _ in range(3)]

    assert absent is None
    assert whole is not None
    assert "content" in whole["slots"]["main"]
    assert hidden is not None
    assert {"userhidden", "sha1hidden"} <= hidden.keys()
    assert (await wiki.mock("stats"))["faults"] == {"invisible": 1, "hide": 1}


async def test_a_request_that_another_fault_answers_does_not_count_as_asking(wiki: Wiki, ask: Ask) -> None:
    """A revision is asked for when the API is reached: a 503 before it changes nothing."""
    await wiki.put(
        {"kind": "status", "status": 503, "next": 2}, {"kind": "invisible", "requests": 1, "rev_id": 101}
    )

    assert [(await ask())[0], (await ask())[0]] == [503, 503]
    assert await wiki.revision(101) is None
    assert await wiki.revision(101) is not None


async def test_the_first_fault_that_fires_wins(wiki: Wiki, ask: Ask) -> None:
    """Several are in force; the later ones get what the earlier ones let pass, until they are spent."""
    await wiki.put(
        {"kind": "status", "status": 500, "next": 1},
        {"kind": "status", "status": 502, "next": 2},
        {"kind": "status", "status": 504, "wiki_id": "zh_yuewiki"},
    )

    assert [(await ask())[0] for _ in range(4)] == [500, 502, 502, 200]
    assert [(await ask("zh-yue.wikipedia.org", 100))[0] for _ in range(2)] == [504, 504]
    assert (await wiki.mock("stats"))["faults"] == {"status": 5}


async def test_a_host_without_a_wiki_is_struck_too(wiki: Wiki, ask: Ask) -> None:
    """A fault of no particular wiki does not ask which wiki it is; that of a wiki leaves others alone."""
    await wiki.put({"kind": "rate_limited"})
    assert (await ask("wiki.example"))[0] == 429
    await wiki.put({"kind": "rate_limited", "wiki_id": "dewiki"})
    assert (await ask("wiki.example"))[0] == 404


async def test_faults_are_read_back_with_what_they_did(wiki: Wiki, ask: Ask) -> None:
    """PUT replaces, POST adds, GET shows what is left and how often it fired, DELETE lifts."""
    await wiki.put(HANG)
    await wiki.mock("faults", "PUT", json={"kind": "status", "status": 503, "next": 3})
    added = await wiki.mock("faults", "POST", 201, json=[{"kind": "delay", "seconds": 0, "rate": 0.5}])
    await ask()

    delay = {"kind": "delay", "seconds": 0.0, "rate": 0.5, "seed": 0, "fired": 0}
    assert added == [{"kind": "status", "status": 503, "next": 3, "fired": 0}, delay]
    assert await wiki.mock("faults") == [{"kind": "status", "status": 503, "next": 2, "fired": 1}, delay]
    await wiki.lift()
    assert await wiki.mock("faults") == []


ALL_KINDS = (
    "status, delay, hang, cut, html, not_json, rate_limited, maxlag, api_error, reset, redirect, invisible"
    ", hide"
)


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        (b"{", "body: expected JSON"),
        (b" " * 110_000, "body: expected at most 102400 bytes"),
        ("hang", 'body: expected an object, such as {"kind": "hang"}'),
        ([HANG, 5], '[1]: expected an object, such as {"kind": "hang"}'),
        ([HANG] * 101, "body: expected at most 100 faults in all"),
        ({}, f"kind: expected one of {ALL_KINDS}"),
        ({"kind": "explode"}, "kind: expected one of status"),
        ({"kind": ["hang"]}, "kind: expected one of status"),
        ([HANG, HANG | {"rate": 2}], "[1].rate: expected at most 1"),
        (HANG | {"rate": "0.5"}, "rate: expected a number"),
        (HANG | {"rate": True}, "rate: expected a number"),
        (HANG | {"next": 0}, "next: expected at least 1"),
        (HANG | {"next": 1.0}, "next: expected an integer"),
        (HANG | {"next": 1, "rate": 0.5}, "next: expected either next, or rate and seed"),
        (HANG | {"next": 1, "seed": 1}, "next: expected either next, or rate and seed"),
        (HANG | {"seed": -1}, "seed: expected at least 0"),
        (HANG | {"wiki_id": "de"}, "wiki_id: expected the id of a wiki, such as enwiki"),
        (HANG | {"seconds": 1}, "seconds: is not known"),
        ({"kind": "status"}, "status: is missing"),
        ({"kind": "status", "status": 600}, "status: expected at most 599"),
        ({"kind": "status", "status": 503, "retry_after": -1}, "retry_after: expected seconds, or printable"),
        ({"kind": "rate_limited", "retry_after": "1\r\nX: y"}, "retry_after: should be printable ASCII"),
        ({"kind": "delay", "seconds": -1}, "seconds: expected at least 0"),
        ({"kind": "redirect"}, "location: is missing"),
        ({"kind": "redirect", "location": "/é"}, "location: should be printable ASCII"),
        ({"kind": "redirect", "location": "/", "status": 200}, "status: expected 301"),
        ({"kind": "api_error"}, "code: is missing"),
        ({"kind": "invisible"}, "requests: expected either requests or seconds"),
        ({"kind": "invisible", "requests": 1, "seconds": 1}, "requests: expected either requests or seconds"),
        ({"kind": "hide", "parts": []}, "parts: expected at least 1"),
        ({"kind": "hide", "parts": ["sha1"]}, "parts[0]: expected 'text', 'user' or 'comment'"),
        ({"kind": "hide", "parts": ["text"], "rev_id": 0}, "rev_id: expected at least 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_fault_that_makes_no_sense_is_refused(
    wiki: Wiki, method: str, document: Any, problem: str
) -> None:
    """400 names the field and what was expected, and the faults in force stay as they were."""
    await wiki.put({"kind": "html"})
    body = {"data": document} if isinstance(document, bytes) else {"json": document}

    answer = await wiki.mock("faults", method, 400, **body)

    assert answer.keys() == {"error"}
    assert answer["error"].startswith(problem)
    assert [fault["kind"] for fault in await wiki.mock("faults")] == ["html"]


async def test_faults_can_become_too_many_one_by_one(wiki: Wiki) -> None:
    """A hundred are enough."""
    await wiki.put(*[{"kind": "html"}] * 99)
    answer = await wiki.mock("faults", "POST", 400, json=[HANG, HANG])
    assert answer == {"error": "body: expected at most 100 faults in all"}


async def test_struck_requests_are_counted_and_logged(wiki: Wiki, ask: Ask) -> None:
    """The counts tell how many each kind struck, the log which; forgetting leaves the faults in force."""
    await wiki.put({"kind": "status", "status": 503, "next": 2}, {"kind": "reset", "next": 1})
    for _ in range(2):
        await ask()
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask()
    await ask()

    assert (await wiki.mock("stats"))["faults"] == {"status": 2, "reset": 1}
    kept = [(entry["status"], entry["fault"]) for entry in await wiki.mock("requests")]
    assert kept == [(503, "status"), (503, "status"), (None, "reset"), (200, None)]

    await wiki.put({"kind": "html"})
    await wiki.mock("requests", "DELETE", 204)
    assert (await wiki.mock("stats"))["faults"] == {}
    assert b"html" in (await ask())[2]
    assert (await wiki.mock("stats"))["faults"] == {"html": 1}
