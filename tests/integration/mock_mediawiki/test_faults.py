"""``/_mock/faults`` of the mock MediaWiki: what its clients see, over a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

import aiohttp
import pytest

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable

ALL = "ids|timestamp|flags|user|userid|comment|sha1|size|contentmodel|tags|content"
QUERY = {"action": "query", "format": "json", "formatversion": "2", "prop": "revisions", "rvslots": "main"}


class Wiki(Protocol):
    """The running mock of the fixtures."""

    address: str
    client: aiohttp.ClientSession

    async def query(self, host: str = ..., **params: str) -> dict[str, Any]:
        """Ask ``action=query`` of a wiki."""


Ask = Callable[..., Awaitable[tuple[int, dict[str, str], bytes]]]


@pytest.fixture
def ask(wiki: Wiki) -> Ask:
    """Return a function that asks for a revision of dewiki and returns status, headers and body.

    With a POST: aiohttp's client repeats a GET once by itself where the connection ends.
    """

    async def ask(host: str = "de.wikipedia.org", rev_id: int = 101) -> tuple[int, dict[str, str], bytes]:
        async with wiki.client.post(
            f"{wiki.address}/w/api.php",
            data=QUERY | {"revids": str(rev_id), "rvprop": ALL},
            headers={"Host": host},
            allow_redirects=False,
        ) as response:
            return response.status, dict(response.headers), await response.read()

    return ask


async def put(wiki: Wiki, *faults: dict[str, Any]) -> None:
    """Put faults in force instead of all earlier ones."""
    async with wiki.client.put(f"{wiki.address}/_mock/faults", json=list(faults)) as response:
        assert response.status == 200, await response.text()


async def lift(wiki: Wiki) -> None:
    """Lift all faults."""
    async with wiki.client.delete(f"{wiki.address}/_mock/faults") as response:
        assert response.status == 204


async def stats(wiki: Wiki) -> dict[str, Any]:
    """Return the counts."""
    async with wiki.client.get(f"{wiki.address}/_mock/stats") as response:
        answer: dict[str, Any] = await response.json()
        return answer


async def hanging(wiki: Wiki, count: int) -> None:
    """Wait until so many requests are in flight."""
    while (await stats(wiki))["in_flight"] != count:
        await asyncio.sleep(0.01)


async def revision(wiki: Wiki, rev_id: int, host: str = "de.wikipedia.org") -> dict[str, Any] | None:
    """Ask for one revision with everything about it; None if it is in badrevids."""
    answer = await wiki.query(host, prop="revisions", revids=str(rev_id), rvprop=ALL, rvslots="main")
    if str(rev_id) in answer["query"].get("badrevids", {}):
        return None
    (shown,) = answer["query"]["pages"][0]["revisions"]
    assert isinstance(shown, dict)
    return shown


@pytest.mark.parametrize("status", [200, 204, 301, 304, 403, 404, 418, 500, 502, 503, 504, 599])
async def test_any_status_comes_with_a_proxy_s_page(wiki: Wiki, ask: Ask, status: int) -> None:
    """E1: a status, with the HTML that a proxy would send where the status allows a body."""
    await put(wiki, {"kind": "status", "status": status})

    answered, headers, body = await ask()

    assert answered == status
    assert "Retry-After" not in headers
    if status not in {204, 304}:
        assert headers["Content-Type"] == "text/html; charset=utf-8"
        assert body.startswith(b"<!DOCTYPE html>")
        assert str(status).encode() in body


@pytest.mark.parametrize("retry_after", [0, 7, "Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
async def test_retry_after_is_sent_as_it_is_given(wiki: Wiki, ask: Ask, retry_after: int | str) -> None:
    """E1: seconds, a date and nonsense all reach the client."""
    for fault in ({"kind": "status", "status": 503}, {"kind": "rate_limited"}, {"kind": "maxlag"}):
        await put(wiki, fault | {"retry_after": retry_after})
        assert (await ask())[1]["Retry-After"] == str(retry_after)


async def test_rate_limited_is_429_with_retry_after(wiki: Wiki, ask: Ask) -> None:
    """E1: the edge answers a client that asks too much with a page and a number of seconds."""
    await put(wiki, {"kind": "rate_limited"})

    status, headers, body = await ask()

    assert (status, headers["Retry-After"]) == (429, "5")
    assert b"429 Too Many Requests" in body


async def test_maxlag_is_an_error_inside_200(wiki: Wiki) -> None:
    """E1: the error says who lags and how much, and the headers say when to come back."""
    await put(wiki, {"kind": "maxlag", "lag": 12.25})

    async with wiki.client.get(
        f"{wiki.address}/w/api.php", params=QUERY | {"revids": "101"}, headers={"Host": "de.wikipedia.org"}
    ) as response:
        error = (await response.json())["error"]
        assert response.status == 200
        assert {name: response.headers[name] for name in ("MediaWiki-API-Error", "Retry-After")} == {
            "MediaWiki-API-Error": "maxlag",
            "Retry-After": "5",
        }
        assert response.headers["X-Database-Lag"] == "12"

    assert (error["code"], error["lag"], error["type"]) == ("maxlag", 12.25, "db")
    assert "12.25 seconds lagged" in error["info"]
    assert "https://de.wikipedia.org/w/api.php" in error["docref"]


@pytest.mark.parametrize("code", ["internal_api_error_DBQueryError", "readonly", "ratelimited"])
async def test_any_api_error_is_inside_200(wiki: Wiki, code: str) -> None:
    """E1: a code, which the header repeats, and words if they are given."""
    await put(wiki, {"kind": "api_error", "code": code, "info": "words"})

    answer = await wiki.query(prop="revisions", revids="101")

    assert (answer["error"]["code"], answer["error"]["info"]) == (code, "words")


async def test_html_inside_200(wiki: Wiki, ask: Ask) -> None:
    """E1: a page where JSON should be, honestly labelled."""
    await put(wiki, {"kind": "html"})

    status, headers, body = await ask()

    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert body.startswith(b"<!DOCTYPE html>")


async def test_what_claims_to_be_json(wiki: Wiki, ask: Ask) -> None:
    """E1: a body that is not JSON under JSON's content type."""
    await put(wiki, {"kind": "not_json"})

    status, headers, body = await ask()

    assert (status, headers["Content-Type"].partition(";")[0]) == (200, "application/json")
    assert not body.startswith((b"{", b"["))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_leads_where_it_is_told_to(wiki: Wiki, ask: Ask, status: int) -> None:
    """E44: to another host, for instance."""
    await put(wiki, {"kind": "redirect", "status": status, "location": "https://other.example/w/api.php"})

    answered, headers, _ = await ask()

    assert (answered, headers["Location"]) == (status, "https://other.example/w/api.php")


async def test_a_reset_connection_has_no_answer(wiki: Wiki, ask: Ask) -> None:
    """E1: the client sees a reset, and the mock is well afterwards."""
    await put(wiki, {"kind": "reset", "next": 1})

    with pytest.raises(aiohttp.ClientConnectionError):
        await ask()

    assert (await ask())[0] == 200


async def test_a_cut_body_is_half_of_what_was_promised(wiki: Wiki, ask: Ask) -> None:
    """E1: Content-Length is the whole answer's, and half of it comes."""
    _, whole_headers, whole = await ask()
    await put(wiki, {"kind": "cut"})

    reader, writer = await asyncio.open_connection(*wiki.address.removeprefix("http://").split(":"))
    target = "&".join(f"{name}={value}" for name, value in (QUERY | {"revids": "101", "rvprop": ALL}).items())
    writer.write(f"GET /w/api.php?{target} HTTP/1.1\r\nHost: de.wikipedia.org\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()

    assert f"Content-Length: {whole_headers['Content-Length']}".encode() in head
    assert body == whole[: len(whole) // 2]
    with pytest.raises(aiohttp.ClientPayloadError):
        await ask()


async def test_a_delayed_answer_is_the_right_one(wiki: Wiki, ask: Ask) -> None:
    """The answer comes in full, not earlier than asked for."""
    right = (await ask())[2]
    await put(wiki, {"kind": "delay", "seconds": 0.2})
    before = asyncio.get_running_loop().time()

    assert (await ask())[2] == right

    assert asyncio.get_running_loop().time() - before >= 0.2


async def test_a_delay_ends_when_it_is_lifted(wiki: Wiki, ask: Ask) -> None:
    """An hour's delay is over once the faults are lifted."""
    await put(wiki, {"kind": "delay", "seconds": 3600})
    slow = asyncio.create_task(ask())
    await hanging(wiki, 1)

    await lift(wiki)

    assert (await slow)[0] == 200


@pytest.mark.parametrize("how", ["lift", "replace"])
async def test_what_hangs_ends_when_the_fault_is_lifted(wiki: Wiki, ask: Ask, how: str) -> None:
    """DELETE and PUT let go of what hangs: its connections end without an answer."""
    await put(wiki, {"kind": "hang"})
    stuck = [asyncio.create_task(ask()) for _ in range(3)]
    await hanging(wiki, 3)

    await (lift(wiki) if how == "lift" else put(wiki))

    for result in await asyncio.gather(*stuck, return_exceptions=True):
        assert isinstance(result, aiohttp.ClientConnectionError)
    assert (await ask())[0] == 200
    assert (await stats(wiki))["in_flight"] == 0


async def test_what_hangs_ends_when_its_client_goes(wiki: Wiki, ask: Ask) -> None:
    """A client that gives up leaves nothing behind."""
    await put(wiki, {"kind": "hang"})
    stuck = asyncio.create_task(ask())
    await hanging(wiki, 1)

    stuck.cancel()

    await hanging(wiki, 0)
    assert (await stats(wiki))["most_in_flight"] == 1


async def test_what_hangs_does_not_delay_the_shutdown() -> None:
    """The mock stops with requests hanging, and their clients see the end of the connection."""
    wikis = WikiTable.load()
    history = SampleHistory.shipped(wikis)

    @asynccontextmanager
    async def mock() -> AsyncIterator[str]:
        async with listening(create_app(ActionApi(history), wikis, "enwiki")) as address:
            yield address

    async with aiohttp.ClientSession() as client:
        async with mock() as address:
            async with client.put(f"{address}/_mock/faults", json={"kind": "hang"}) as response:
                assert response.status == 200
            stuck = asyncio.create_task(client.post(f"{address}/w/api.php"))
            in_flight = 0
            while in_flight == 0:
                async with client.get(f"{address}/_mock/stats") as response:
                    in_flight = (await response.json())["in_flight"]
        with pytest.raises(aiohttp.ClientConnectionError):
            await stuck


async def test_an_invisible_revision_appears_after_so_many_requests(wiki: Wiki) -> None:
    """E11: in badrevids for its first two requests; other revisions and other wikis count for themselves."""
    await put(wiki, {"kind": "invisible", "requests": 2, "wiki_id": "dewiki"})

    seen = [await revision(wiki, 101) is not None for _ in range(4)]

    assert seen == [False, False, True, True]
    assert await revision(wiki, 102) is None
    assert await revision(wiki, 100, host="zh-yue.wikipedia.org") is not None


async def test_an_invisible_revision_is_missing_beside_a_visible_parent(wiki: Wiki) -> None:
    """E11: one request for a revision and its parent finds the parent alone, then both."""
    await put(wiki, {"kind": "invisible", "requests": 1, "rev_id": 102})
    ask = {"prop": "revisions", "revids": "101|102", "rvprop": "ids"}

    first, second = await wiki.query(**ask), await wiki.query(**ask)

    assert list(first["query"]["badrevids"]) == ["102"]
    assert [shown["revid"] for shown in first["query"]["pages"][0]["revisions"]] == [101]
    assert "badrevids" not in second["query"]
    assert [shown["revid"] for shown in second["query"]["pages"][0]["revisions"]] == [101, 102]


async def test_an_invisible_revision_appears_after_a_while(wiki: Wiki) -> None:
    """E11: by time, from when it was first asked for."""
    await put(wiki, {"kind": "invisible", "seconds": 3600, "rev_id": 101})
    assert [await revision(wiki, 101) for _ in range(3)] == [None] * 3
    await put(wiki, {"kind": "invisible", "seconds": 0.05})

    assert await revision(wiki, 101) is None
    while await revision(wiki, 101) is None:
        await asyncio.sleep(0.01)


async def test_chance_decides_about_a_revision_once(wiki: Wiki) -> None:
    """With a rate, a revision is struck or spared for good; with next, so many revisions are struck."""
    await put(wiki, {"kind": "invisible", "seconds": 3600, "rate": 0.5, "seed": 2})
    ids = [100, 101, 102, 200, 201, 202, 203, 300]
    first = [await revision(wiki, rev_id) is None for rev_id in ids]
    assert [await revision(wiki, rev_id) is None for rev_id in ids] == first
    assert len(set(first)) == 2

    await put(wiki, {"kind": "invisible", "seconds": 3600, "next": 3})
    assert [await revision(wiki, rev_id) is None for rev_id in ids] == [True] * 3 + [False] * 5


async def test_parts_are_hidden_between_two_calls(wiki: Wiki) -> None:
    """E12, E13, E14: what the first request saw is hidden from the second, and from all others after it."""
    await put(wiki, {"kind": "hide", "parts": ["comment", "user"], "after": 1, "rev_id": 100})

    before, after = await revision(wiki, 100), await revision(wiki, 100)

    assert before is not None
    assert after is not None
    assert (before["user"], before["comment"]) == ("Ada", "neu")
    assert after["userhidden"] is after["commenthidden"] is True
    assert not {"user", "userid", "comment"} & after.keys()
    assert after["slots"]["main"]["content"] == "Ein Apfelbaum."
    listed = await wiki.query(prop="revisions", pageids="10", rvlimit="max", rvprop="ids|user")
    assert {
        shown["revid"]: shown.get("userhidden", False) for shown in listed["query"]["pages"][0]["revisions"]
    } == {
        102: False,
        101: False,
        100: True,
    }


async def test_hidden_text_has_no_hash_either(wiki: Wiki) -> None:
    """E12: after: 0 hides from the first request on."""
    await put(wiki, {"kind": "hide", "parts": ["text"], "after": 0})

    shown = await revision(wiki, 101)

    assert shown is not None
    assert shown["slots"]["main"] == {"contentmodel": "wikitext", "texthidden": True}
    assert shown["sha1hidden"] is True


async def test_faults_of_revisions_add_up(wiki: Wiki) -> None:
    """E11, then E12: invisible for one request, whole for one, hidden from then on."""
    await put(
        wiki,
        {"kind": "invisible", "requests": 1, "rev_id": 101},
        {"kind": "hide", "parts": ["text"], "after": 2, "rev_id": 101},
        {"kind": "hide", "parts": ["user"], "after": 2, "rev_id": 101},
    )

    shown = [await revision(wiki, 101) for _ in range(3)]

    assert shown[0] is None
    assert shown[1] is not None
    assert "content" in shown[1]["slots"]["main"]
    assert shown[2] is not None
    assert {"userhidden", "sha1hidden"} <= shown[2].keys()
    assert (await stats(wiki))["faults"] == {"invisible": 1, "hide": 1}


async def test_a_request_that_another_fault_answers_does_not_count_as_asking(wiki: Wiki, ask: Ask) -> None:
    """A revision is asked for when the API is reached: a 503 before it changes nothing."""
    await put(
        wiki,
        {"kind": "status", "status": 503, "next": 2},
        {"kind": "invisible", "requests": 1, "rev_id": 101},
    )

    assert [(await ask())[0], (await ask())[0]] == [503, 503]
    assert await revision(wiki, 101) is None
    assert await revision(wiki, 101) is not None


async def test_the_first_fault_that_fires_wins(wiki: Wiki, ask: Ask) -> None:
    """Several are in force; the later ones get what the earlier ones let pass, until they are spent."""
    await put(
        wiki,
        {"kind": "status", "status": 500, "next": 1},
        {"kind": "status", "status": 502, "next": 2},
        {"kind": "status", "status": 504, "wiki_id": "zh_yuewiki"},
    )

    german = [(await ask())[0] for _ in range(4)]
    cantonese = [(await ask("zh-yue.wikipedia.org", 100))[0] for _ in range(2)]

    assert german == [500, 502, 502, 200]
    assert cantonese == [504, 504]
    assert (await stats(wiki))["faults"] == {"status": 5}


async def test_a_rate_with_a_seed_repeats(wiki: Wiki, ask: Ask) -> None:
    """The same fault strikes the same requests again, about as many as the rate says."""
    fault = {"kind": "status", "status": 503, "rate": 0.3, "seed": 11}
    runs = []
    for _ in range(2):
        await put(wiki, fault)
        runs.append([(await ask())[0] for _ in range(60)])

    assert runs[0] == runs[1]
    assert 8 <= runs[0].count(503) <= 28
    await put(wiki, fault | {"rate": 0})
    assert (await ask())[0] == 200


async def test_a_host_without_a_wiki_is_struck_too(wiki: Wiki, ask: Ask) -> None:
    """A fault of no particular wiki does not ask which wiki it is; that of a wiki leaves others alone."""
    await put(wiki, {"kind": "rate_limited"})
    assert (await ask("wiki.example"))[0] == 429
    await put(wiki, {"kind": "rate_limited", "wiki_id": "dewiki"})
    assert (await ask("wiki.example"))[0] == 404


async def test_faults_are_read_back_with_what_they_did(wiki: Wiki, ask: Ask) -> None:
    """PUT replaces, POST adds, GET shows what is left and how often it fired, DELETE lifts."""
    url = f"{wiki.address}/_mock/faults"
    await put(wiki, {"kind": "hang"})
    async with wiki.client.put(url, json={"kind": "status", "status": 503, "next": 3}) as response:
        assert response.status == 200
    async with wiki.client.post(url, json=[{"kind": "delay", "seconds": 0, "rate": 0.5}]) as response:
        assert response.status == 201
        added = await response.json()
    await ask()

    async with wiki.client.get(url) as response:
        shown = await response.json()

    delay = {"kind": "delay", "seconds": 0.0, "rate": 0.5, "seed": 0, "fired": 0}
    assert added == [{"kind": "status", "status": 503, "next": 3, "fired": 0}, delay]
    assert shown == [{"kind": "status", "status": 503, "next": 2, "fired": 1}, delay]
    await lift(wiki)
    async with wiki.client.get(url) as response:
        assert await response.json() == []


HANG = {"kind": "hang"}
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
        ([HANG, HANG | {"rate": 2}], "[1].rate: input should be less than or equal to 1"),
        (HANG | {"rate": "0.5"}, "rate: input should be a valid number"),
        (HANG | {"rate": True}, "rate: input should be a valid number"),
        (HANG | {"next": 0}, "next: input should be greater than or equal to 1"),
        (HANG | {"next": 1.0}, "next: input should be a valid integer"),
        (HANG | {"next": 1, "rate": 0.5}, "next: expected either next, or rate and seed"),
        (HANG | {"next": 1, "seed": 1}, "next: expected either next, or rate and seed"),
        (HANG | {"seed": -1}, "seed: input should be greater than or equal to 0"),
        (HANG | {"wiki_id": "de"}, "wiki_id: expected the id of a wiki, such as enwiki"),
        (HANG | {"seconds": 1}, "seconds: extra inputs are not permitted"),
        ({"kind": "status"}, "status: field required"),
        ({"kind": "status", "status": 600}, "status: input should be less than or equal to 599"),
        ({"kind": "status", "status": 503, "retry_after": -1}, "retry_after: "),
        ({"kind": "rate_limited", "retry_after": "1\r\nX: y"}, "retry_after: "),
        ({"kind": "delay", "seconds": -1}, "seconds: input should be greater than or equal to 0"),
        ({"kind": "redirect"}, "location: field required"),
        ({"kind": "redirect", "location": "/é"}, "location: should be printable ASCII"),
        ({"kind": "redirect", "location": "/", "status": 200}, "status: input should be 301"),
        ({"kind": "api_error"}, "code: field required"),
        ({"kind": "invisible"}, "requests: expected either requests or seconds"),
        ({"kind": "invisible", "requests": 1, "seconds": 1}, "requests: expected either requests or seconds"),
        ({"kind": "hide", "parts": []}, "parts: list should have at least 1 item"),
        ({"kind": "hide", "parts": ["sha1"]}, "parts: input should be 'text', 'user' or 'comment'"),
        ({"kind": "hide", "parts": ["text"], "rev_id": 0}, "rev_id: input should be greater than or equal to 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_a_fault_that_makes_no_sense_is_refused(
    wiki: Wiki, method: str, document: Any, problem: str
) -> None:
    """400 names the field and what was expected, and the faults in force stay as they were."""
    await put(wiki, {"kind": "html"})
    body = {"data": document} if isinstance(document, bytes) else {"json": document}

    async with wiki.client.request(method, f"{wiki.address}/_mock/faults", **body) as response:
        assert response.status == 400
        answer = await response.json()

    assert answer.keys() == {"error"}
    assert answer["error"].startswith(problem)
    async with wiki.client.get(f"{wiki.address}/_mock/faults") as response:
        assert [fault["kind"] for fault in await response.json()] == ["html"]


async def test_faults_can_become_too_many_one_by_one(wiki: Wiki) -> None:
    """A hundred are enough."""
    await put(wiki, *[{"kind": "html"}] * 99)
    async with wiki.client.post(f"{wiki.address}/_mock/faults", json=[HANG, HANG]) as response:
        assert (response.status, await response.json()) == (
            400,
            {"error": "body: expected at most 100 faults in all"},
        )


async def test_struck_requests_are_counted_and_logged(wiki: Wiki, ask: Ask) -> None:
    """The counts tell how many each kind struck, the log which; forgetting leaves the faults in force."""
    await put(wiki, {"kind": "status", "status": 503, "next": 2}, {"kind": "reset", "next": 1})
    for _ in range(2):
        await ask()
    with pytest.raises(aiohttp.ClientConnectionError):
        await ask()
    await ask()

    assert (await stats(wiki))["faults"] == {"status": 2, "reset": 1}
    async with wiki.client.get(f"{wiki.address}/_mock/requests") as response:
        kept = [(entry["status"], entry["fault"]) for entry in await response.json()]
    assert kept == [(503, "status"), (503, "status"), (None, "reset"), (200, None)]

    await put(wiki, {"kind": "html"})
    async with wiki.client.delete(f"{wiki.address}/_mock/requests") as response:
        assert response.status == 204
    assert (await stats(wiki))["faults"] == {}
    assert b"html" in (await ask())[2]
    assert (await stats(wiki))["faults"] == {"html": 1}
