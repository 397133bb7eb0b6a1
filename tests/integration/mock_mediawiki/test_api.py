"""The Action API of the mock, asked over a real socket."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.integration.mock_mediawiki.wiki_client import DEFAULTS, EVERYTHING, Wiki


async def revisions(wiki: Wiki, **params: str) -> list[int]:
    """Return the ids of the revisions that a query shows, page by page."""
    answer = await wiki.query(prop="revisions", **params)
    return [revision["revid"] for page in answer["query"]["pages"] for revision in page.get("revisions", [])]


async def test_one_request_brings_a_revision_and_its_parent(wiki: Wiki) -> None:
    """Two revisions of a page come under that page, by id, with every property asked for."""
    answer = await wiki.query(prop="revisions", revids="102|101", rvprop=EVERYTHING, rvslots="main")

    def shown(rev_id: int, hour: int, sha1: str, text: str, **author: Any) -> dict[str, Any]:
        slot = {"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": text}
        facts = {"revid": rev_id, "parentid": rev_id - 1, "timestamp": f"2026-08-01T{hour}:00:00Z"}
        rest = {"size": 14, "sha1": sha1, "slots": {"main": slot}, "comment": "", "tags": []}
        return facts | author | rest

    [page] = answer["query"]["pages"]
    assert answer["batchcomplete"] is True
    assert page.pop("revisions") == [
        shown(101, 11, "1775c670eac558acca9d3d0549048a72690d384b", "Kein Birnbaum.",
              minor=False, user="203.0.113.5", anon=True, userid=0),
        shown(102, 12, "cda390bf246db9c08d92b2af2fcd825216c1bab1", "Ein Apfelbaum.",
              minor=True, user="Ada", userid=7),
    ]  # fmt: skip
    assert page == {"pageid": 10, "ns": 0, "title": "Apfelbaum im Garten"}


async def test_missing_revisions_are_badrevids(wiki: Wiki) -> None:
    """A revision that does not exist is named, whatever else was found."""
    answer = await wiki.query(prop="revisions", revids="101|4711|0")

    assert answer["query"]["badrevids"] == {
        "4711": {"revid": 4711, "missing": True},
        "0": {"revid": 0, "missing": True},
    }
    assert len(answer["query"]["pages"]) == 1
    only = await wiki.query(prop="revisions", revids="4711")
    assert only == {"batchcomplete": True, "query": {"badrevids": {"4711": {"revid": 4711, "missing": True}}}}


async def test_hidden_parts_are_marked_and_absent(wiki: Wiki) -> None:
    """Hidden text, user and comment are said to be hidden; suppression is said of what is shown as hidden."""
    answer = await wiki.query(prop="revisions", revids="200|201|202", rvprop=EVERYTHING, rvslots="main")

    text_hidden, all_hidden, open_one = answer["query"]["pages"][0]["revisions"]
    assert text_hidden["slots"] == {"main": {"contentmodel": "wikitext", "texthidden": True}}
    assert text_hidden["sha1hidden"] is True
    assert (text_hidden["user"], text_hidden["comment"], text_hidden["size"]) == ("Ada", "c", 6)
    assert "sha1" not in text_hidden
    assert "suppressed" not in text_hidden
    marks = {name for name, value in all_hidden.items() if value is True}
    assert marks == {"userhidden", "sha1hidden", "commenthidden", "suppressed"}
    assert not {"user", "userid", "anon", "comment", "sha1"} & all_hidden.keys()
    assert (open_one["user"], open_one["temp"], open_one["userid"]) == ("~2026-10011-01", True, 9)
    bare = await wiki.query(prop="revisions", revids="201", rvprop="ids|timestamp")
    assert bare["query"]["pages"][0]["revisions"] == [
        {"revid": 201, "parentid": 200, "timestamp": "2026-08-02T10:00:00Z"}
    ]


async def test_info_tells_of_the_page_as_it_is_now(wiki: Wiki) -> None:
    """prop=info gives model, language, latest revision, length, and marks for redirects and new pages."""
    answer = await wiki.query(prop="info", pageids="11|12|99")

    facts = {"pagelanguage": "de"}
    assert answer["query"]["pages"] == [
        {"pageid": 99, "missing": True},
        facts
        | {"pageid": 11, "ns": 0, "title": "Verborgenes", "contentmodel": "wikitext", "length": 28}
        | {"touched": "2026-08-04T10:00:00Z", "lastrevid": 203, "redirect": True},
        facts
        | {"pageid": 12, "ns": 2, "title": "Benutzer:Ada/common.css", "contentmodel": "css", "length": 4}
        | {"touched": "2026-08-01T10:00:00Z", "lastrevid": 300, "new": True},
    ]


async def test_titles_are_normalised_and_may_be_missing(wiki: Wiki) -> None:
    """Underscores and a small first letter are accepted and reported."""
    answer = await wiki.query(prop="revisions", titles="apfelbaum_im_Garten|Nirgends", rvprop="ids")

    page = {"pageid": 10, "ns": 0, "title": "Apfelbaum im Garten"}
    assert answer["query"] == {
        "normalized": [{"fromencoded": False, "from": "apfelbaum_im_Garten", "to": "Apfelbaum im Garten"}],
        "pages": [
            {"ns": 0, "title": "Nirgends", "missing": True},
            page | {"revisions": [{"revid": 102, "parentid": 101}]},
        ],
    }


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"titles": "Verborgenes"}, [203]),
        ({"revids": "\x1f101\x1f102"}, [101, 102]),  # joined by the separator that the list begins with
        ({"pageids": "10|11"}, [102, 203]),
        ({"pageids": "11", "rvlimit": "max"}, [203, 202, 201, 200]),
        ({"pageids": "11", "rvdir": "newer"}, [200, 201, 202, 203]),
        ({"pageids": "11", "rvlimit": "2"}, [203, 202]),
        ({"pageids": "99", "rvlimit": "5"}, []),
    ],
)
async def test_a_page_s_history_is_listed(wiki: Wiki, params: dict[str, str], expected: list[int]) -> None:
    """Without list options the latest revision comes, with them the page's history between the bounds."""
    assert await revisions(wiki, **params) == expected


async def test_a_long_history_is_continued(wiki: Wiki) -> None:
    """An rvcontinue leads from batch to batch, without gaps or repetition, and info is given once."""
    params = {"prop": "revisions|info", "pageids": "11", "rvlimit": "2", "rvprop": "ids"}
    first = await wiki.query(**params)
    second = await wiki.query(**params, **first["continue"])

    assert first["continue"] == {"rvcontinue": "20260802100000|201", "continue": "||info"}
    assert "batchcomplete" not in first
    assert [revision["revid"] for revision in first["query"]["pages"][0]["revisions"]] == [203, 202]
    assert [revision["revid"] for revision in second["query"]["pages"][0]["revisions"]] == [201, 200]
    assert second["batchcomplete"] is True
    assert "lastrevid" in first["query"]["pages"][0]
    assert "lastrevid" not in second["query"]["pages"][0]


@pytest.mark.parametrize(
    ("params", "mark"), [({"revids": "101|102"}, "102"), ({"pageids": "10|11"}, "11|203")]
)
async def test_what_exceeds_the_result_limit_is_continued(
    start_wiki: Callable[[int], Awaitable[Wiki]], params: dict[str, str], mark: str
) -> None:
    """An answer over the size limit ends early with a warning, but always brings a revision."""
    wiki = await start_wiki(10)
    ask = {"prop": "revisions", "rvprop": "ids|content", "rvslots": "main", **params}

    first = await wiki.query(**ask)
    second = await wiki.query(**ask, **first["continue"])

    assert first["continue"] == {"rvcontinue": mark, "continue": "||"}
    assert "larger than the limit of 10 bytes" in first["warnings"]["result"]["warnings"]
    shown = [
        [revision["revid"] for page in answer["query"]["pages"] for revision in page.get("revisions", [])]
        for answer in (first, second)
    ]
    assert [len(ids) for ids in shown] == [1, 1]
    assert shown[0] != shown[1]
    assert second["batchcomplete"] is True


async def test_without_rvslots_the_old_form_is_used(wiki: Wiki) -> None:
    """Content without slots lies in the revision itself, with MediaWiki's warning."""
    answer = await wiki.query(prop="revisions", revids="300", rvprop="content")

    assert answer["query"]["pages"][0]["revisions"] == [
        {"contentmodel": "css", "contentformat": "text/css", "content": "b {}"}
    ]
    assert "legacy format" in answer["warnings"]["revisions"]["warnings"]


@pytest.mark.parametrize(
    ("params", "code", "info"),
    [
        ({"revids": "|".join(map(str, range(51)))}, "toomanyvalues", "The limit is 50."),
        ({"revids": "12a"}, "badinteger", 'Invalid value "12a" for integer parameter "revids".'),
        ({"revids": str(2**63)}, "badinteger", "for integer parameter"),
        ({"revids": "1", "titles": "A"}, "invalidparammix", '"titles", "revids"'),
        ({"revids": "101", "rvlimit": "5"}, "invalidparammix", '"revids" parameter may not be used'),
        ({"pageids": "10|11", "rvlimit": "5"}, "invalidparammix", "single page"),
        ({"pageids": "10", "rvlimit": "many"}, "badinteger", '"rvlimit"'),
        ({"pageids": "10", "rvdir": "up"}, "badvalue", '"rvdir": up'),
        ({"revids": "101", "rvcontinue": "x"}, "badcontinue", "Invalid continue param"),
        ({"pageids": "10", "rvlimit": "1", "rvcontinue": "5"}, "badcontinue", "Invalid continue param"),
        ({"revids": "101", "rvslots": "mediainfo"}, "badvalue", "rvslots=main"),
        ({"action": "edit"}, "badvalue", '"action": edit'),
        ({"formatversion": "1"}, "badvalue", '"formatversion": 1'),
        ({"format": "xml"}, "badvalue", '"format": xml'),
    ],
)
async def test_what_mediawiki_refuses_is_an_error_inside_http_200(
    wiki: Wiki, params: dict[str, str], code: str, info: str
) -> None:
    """An error has a code, which the MediaWiki-API-Error header repeats, and words."""
    answer = await wiki.query(**({"prop": "revisions"} | params))

    assert answer.keys() == {"error", "servedby"}
    assert answer["error"]["code"] == code
    assert info in answer["error"]["info"]
    assert "https://de.wikipedia.org/w/api.php" in answer["error"]["docref"]


async def test_what_is_not_known_is_warned_of(wiki: Wiki) -> None:
    """Unknown parameters and values do not fail a request, as in MediaWiki."""
    answer = await wiki.query(
        prop="revisions|pageimages",
        revids="101",
        rvprop="ids|parsetree",
        rvlimitt="1",
        maxlag="5",
        uselang="de",
    )

    assert answer["warnings"] == {
        "query": {"warnings": 'Unrecognized value for parameter "prop": pageimages'},
        "revisions": {"warnings": 'Unrecognized value for parameter "rvprop": parsetree'},
        "main": {"warnings": "Unrecognized parameter: rvlimitt."},
    }
    assert answer["query"]["pages"][0]["revisions"] == [{"revid": 101, "parentid": 100}]
    clamped = await wiki.query(prop="revisions", pageids="10", rvlimit="9999")
    assert '"9999" for parameter "rvlimit"' in clamped["warnings"]["revisions"]["warnings"]


@pytest.mark.parametrize(
    ("host", "page_id", "title"),
    [
        ("de.wikipedia.org", "10", "Apfelbaum im Garten"),
        ("DE.Wikipedia.org:8193", "10", "Apfelbaum im Garten"),
        ("zh-yue.wikipedia.org", "10", "蘋果"),
        *((host, "1", "Tree") for host in ("127.0.0.1:5", "localhost", "[::1]:8193")),
    ],
)
async def test_the_host_header_chooses_the_wiki(wiki: Wiki, host: str, page_id: str, title: str) -> None:
    """An id means another page on another wiki; case and port do not matter; loopback is the default wiki."""
    answer = await wiki.query(host, prop="info", pageids=page_id)

    assert answer["query"]["pages"][0]["title"] == title


@pytest.mark.parametrize(
    "host", ["wikipedia.org.evil.example", "de.wikipedia.org.", "", "[", "de.m.wikipedia.org"]
)
async def test_an_unknown_host_has_no_wiki(wiki: Wiki, host: str) -> None:
    """A host that is no wiki's gets a page with status 404, not JSON."""
    async with wiki.client.get(f"{wiki.address}/w/api.php", headers={"Host": host}) as response:
        assert response.status == 404
        assert response.content_type == "text/html"
        assert "No wiki found" in await response.text()


async def test_headers_that_are_no_text_can_be_read_back(wiki: Wiki) -> None:
    """Bytes that are not UTF-8 in a header are replaced, in the log as in the counts."""
    reader, writer = await asyncio.open_connection(*wiki.address.removeprefix("http://").split(":"))
    writer.write(
        b"GET /w/api.php HTTP/1.1\r\nHost: x\xff.example\r\nUser-Agent: a\xff\r\nConnection: close\r\n\r\n"
    )
    assert (await reader.read()).startswith(b"HTTP/1.1 404")
    writer.close()

    stats = await wiki.mock("stats")
    assert (stats["hosts"], stats["user_agents"]) == ({"x\ufffd.example": 1}, {"a\ufffd": 1})
    assert [entry["host"] for entry in await wiki.mock("requests")] == ["x\ufffd.example"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-www-form-urlencoded; charset=none", b"action=query"),
        ("application/x-www-form-urlencoded", b"action=\xff"),
        ("multipart/form-data", b"action=query"),
    ],
)
async def test_a_body_that_is_no_form_is_refused(wiki: Wiki, content_type: str, body: bytes) -> None:
    """A form in no known charset, or without its boundary, is the client's mistake."""
    headers = {"Host": "de.wikipedia.org", "Content-Type": content_type}
    async with wiki.client.post(f"{wiki.address}/w/api.php", data=body, headers=headers) as response:
        assert (response.status, await response.text()) == (400, "body: expected a form\n")


async def test_a_form_is_read_as_a_query(wiki: Wiki) -> None:
    """T8: POST and HEAD are answered as GET; of a parameter that is there twice the last counts, as PHP reads it."""
    query = (
        "&".join(f"{name}={value}" for name, value in DEFAULTS.items())
        + "&prop=revisions&revids=100&revids=101"
    )
    headers = {"Host": "de.wikipedia.org", "Content-Type": "application/x-www-form-urlencoded"}
    async with (
        wiki.client.get(f"{wiki.address}/w/api.php?{query}", headers=headers) as got,
        wiki.client.post(f"{wiki.address}/w/api.php", data=query.encode(), headers=headers) as posted,
        wiki.client.head(f"{wiki.address}/w/api.php?{query}", headers=headers) as head,
    ):
        expected = await wiki.query(prop="revisions", revids="101")
        assert (await got.json(), await posted.json()) == (expected, expected)
        assert (head.status, head.headers["Content-Length"]) == (200, got.headers["Content-Length"])
        assert posted.headers["Content-Type"] == "application/json; charset=utf-8"


async def test_what_was_asked_can_be_read_back(wiki: Wiki) -> None:
    """Requests, connections, hosts and user agents are counted, parameters kept, and all is forgotten on demand."""
    await wiki.query(prop="revisions", revids="101")
    await wiki.query("en.wikipedia.org", prop="info", titles="Tree")
    headers = {"Host": "x.example", "User-Agent": "other"}
    async with (
        aiohttp.ClientSession() as other,
        other.get(f"{wiki.address}/w/api.php", headers=headers) as response,
    ):
        assert response.status == 404

    hosts = ["de.wikipedia.org", "en.wikipedia.org", "x.example"]
    assert await wiki.mock("stats") == {
        "requests": 3,
        "connections": 2,
        "in_flight": 0,
        "most_in_flight": 1,
        "hosts": dict.fromkeys(hosts, 1),
        "user_agents": {"tester/1.0": 2, "other": 1},
        "faults": {},
    }
    kept = await wiki.mock("requests")
    assert [entry["host"] for entry in kept] == hosts
    assert kept[0]["params"]["revids"] == "101"
    outcomes = [(entry["method"], entry["status"], entry["error"], entry["fault"]) for entry in kept]
    assert outcomes == [("GET", status, None, None) for status in (200, 200, 404)]
    assert [entry["time"] for entry in kept] == sorted(entry["time"] for entry in kept)

    await wiki.mock("requests", "DELETE", 204)
    assert set(map(str, (await wiki.mock("stats")).values())) == {"0", "{}"}
    assert await wiki.mock("requests") == []
