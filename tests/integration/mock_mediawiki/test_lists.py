"""Lists and generators of the mock's Action API, as a backfill asks for them, over a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from tests.integration.mock_mediawiki.wiki_client import Wiki

FRENCH = "fr.wikipedia.org"


async def batches(wiki: Wiki, **params: str) -> AsyncIterator[dict[str, Any]]:
    """Yield the answers of a query until nothing is left, as a client follows ``continue``."""
    more: dict[str, str] = {}
    while True:
        answer = await wiki.query(FRENCH, **params, **more)
        yield answer
        if "continue" not in answer:
            return
        more = answer["continue"]


def listed(answer: dict[str, Any]) -> list[int]:
    """Return the ids of the revisions that list=allrevisions shows."""
    return [shown["revid"] for page in answer["query"]["allrevisions"] for shown in page["revisions"]]


def titles(answer: dict[str, Any]) -> list[str]:
    """Return the titles of the pages in an answer."""
    return [page["title"] for page in answer.get("query", {}).get("pages", [])]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"rvstart": "2026-08-02T10:00:00Z"}, [201, 200]),
        ({"rvend": "2026-08-03T10:00:00Z"}, [203, 202]),
        ({"rvdir": "newer", "rvstart": "2026-08-02T10:00:00Z"}, [201, 202, 203]),
        ({"rvdir": "newer", "rvend": "2026-08-02T10:00:00Z"}, [200, 201]),
        ({"rvstart": "20260803100000", "rvend": "1785621601"}, [202, 201]),
        ({"rvstart": "now", "rvlimit": "1"}, [203]),
        ({"rvstart": "2026-08-02T09:59:59Z", "rvend": "2026-08-03T10:00:00Z"}, []),
    ],
)
async def test_a_page_s_history_is_bounded_in_time(
    wiki: Wiki, params: dict[str, str], expected: list[int]
) -> None:
    """rvstart and rvend are included, in any form of timestamp, in either direction."""
    answer = await wiki.query(prop="revisions", pageids="11", rvprop="ids", **params)

    shown = answer["query"]["pages"][0].get("revisions", [])
    assert [revision["revid"] for revision in shown] == expected


async def test_a_history_bounded_in_time_is_continued(wiki: Wiki) -> None:
    """rvcontinue goes on within the bounds."""
    params = {"prop": "revisions", "pageids": "11", "rvprop": "ids", "rvlimit": "2"}
    params |= {"rvdir": "newer", "rvend": "2026-08-03T10:00:00Z"}

    first = await wiki.query(**params)
    second = await wiki.query(**params, **first["continue"])

    assert [shown["revid"] for shown in first["query"]["pages"][0]["revisions"]] == [200, 201]
    assert [shown["revid"] for shown in second["query"]["pages"][0]["revisions"]] == [202]
    assert "continue" not in second


async def test_all_revisions_come_by_page_in_the_order_of_time(wiki: Wiki) -> None:
    """Each page stands where its first revision does; revisions of one second go by their id."""
    answer = await wiki.query(
        FRENCH, list="allrevisions", arvdir="newer", arvlimit="4", arvprop="ids|timestamp"
    )

    def first(page_id: int, rev_id: int, hour: int) -> dict[str, Any]:
        shown = {"revid": rev_id, "parentid": 0, "timestamp": f"2026-08-01T{hour}:00:00Z"}
        return {"pageid": page_id, "revisions": [shown]}

    assert answer["continue"] == {"arvcontinue": "20260801130000|530", "continue": "-||"}
    [apple, *others] = answer["query"]["allrevisions"]
    assert apple["revisions"].pop() == {"revid": 501, "parentid": 500, "timestamp": "2026-08-01T12:00:00Z"}
    assert [apple, *others] == [
        first(20, 500, 10) | {"ns": 0, "title": "Pommier"},
        first(21, 510, 11) | {"ns": 0, "title": "Chêne"},
        first(22, 520, 11) | {"ns": 1, "title": "Discussion:Pommier"},
    ]


@pytest.mark.parametrize("limit", ["1", "2", "3", "max"])
@pytest.mark.parametrize("direction", ["newer", "older"])
async def test_all_revisions_are_continued_without_gaps(wiki: Wiki, limit: str, direction: str) -> None:
    """Every revision comes once, whatever the size of the batches."""
    params = {"list": "allrevisions", "arvlimit": limit, "arvdir": direction, "arvprop": "ids"}

    found = [rev_id async for answer in batches(wiki, **params) for rev_id in listed(answer)]

    assert sorted(found) == [500, 501, 510, 520, 530, 540, 550, 560, 570]


async def test_all_revisions_are_bounded_in_time_and_namespace(wiki: Wiki) -> None:
    """Bounds are included; as on a large wiki, namespaces are filtered after the limit."""
    bounds = {"arvstart": "2026-08-01T11:00:00Z", "arvend": "2026-08-01T13:00:00Z", "arvdir": "newer"}
    answer = await wiki.query(FRENCH, list="allrevisions", arvprop="ids", **bounds)
    assert sorted(listed(answer)) == [501, 510, 520, 530]

    found = [
        listed(answer)
        async for answer in batches(
            wiki, list="allrevisions", arvprop="ids", arvlimit="2", arvnamespace="1|14", **bounds
        )
    ]
    assert found == [[520], [530]]
    every = await wiki.query(FRENCH, list="allrevisions", arvprop="ids", arvnamespace="*", **bounds)
    assert sorted(listed(every)) == [501, 510, 520, 530]


async def test_all_revisions_show_what_they_are_asked_for(wiki: Wiki) -> None:
    """arvprop and arvslots are as rvprop and rvslots, hidden parts included."""
    answer = await wiki.query(
        list="allrevisions", arvdir="newer", arvslots="main", arvprop="ids|user|content", arvlimit="max"
    )

    by_id = {shown["revid"]: shown for page in answer["query"]["allrevisions"] for shown in page["revisions"]}
    assert by_id[100]["slots"]["main"]["content"] == "Ein Apfelbaum."
    assert by_id[201]["userhidden"] is by_id[201]["suppressed"] is True
    assert by_id[201]["slots"]["main"]["texthidden"] is True


async def test_all_revisions_that_exceed_the_result_limit_are_continued(
    start_wiki: Callable[[int], Awaitable[Wiki]],
) -> None:
    """A batch ends early, with a warning, where it would hold too many bytes; nothing is lost."""
    wiki = await start_wiki(60)
    params = {"list": "allrevisions", "arvprop": "ids|content", "arvslots": "main", "arvlimit": "max"}

    answers = [answer async for answer in batches(wiki, **params)]

    assert len(answers) > 3
    assert "larger than the limit of 60 bytes" in answers[0]["warnings"]["result"]["warnings"]
    found = [rev_id for answer in answers for rev_id in listed(answer)]
    assert sorted(found) == [500, 501, 510, 520, 530, 540, 550, 560, 570]


@pytest.mark.parametrize("title", ["Catégorie:Arbres", "category:arbres", "Catégorie: Arbres"])
async def test_a_category_has_the_pages_whose_latest_text_says_so(wiki: Wiki, title: str) -> None:
    """Links with the wiki's own word or the English one count; comments, nowiki and links to it do not."""
    answer = await wiki.query(FRENCH, generator="categorymembers", gcmtitle=title, prop="info")

    assert titles(answer) == ["Pommier", "Chêne", "Discussion:Pommier", "Catégorie:Arbres fruitiers"]
    assert answer["query"]["pages"][0]["lastrevid"] == 501


async def test_a_category_is_continued_in_its_order(wiki: Wiki) -> None:
    """Pages come by sort key, subcategories last, and each batch has the latest revisions of its pages."""
    params = {"generator": "categorymembers", "gcmtitle": "Catégorie:Arbres", "gcmlimit": "1"}
    params |= {"prop": "revisions", "rvprop": "ids"}

    answers = [answer async for answer in batches(wiki, **params)]

    in_order = ["Chêne", "Pommier", "Discussion:Pommier", "Catégorie:Arbres fruitiers"]
    assert [titles(answer) for answer in answers] == [[title] for title in in_order]
    assert all(answer["batchcomplete"] for answer in answers)
    assert answers[0]["continue"]["continue"] == "gcmcontinue||"
    assert [answer["query"]["pages"][0]["revisions"][0]["revid"] for answer in answers][-1] == 530


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"gcmtype": "subcat"}, ["Catégorie:Arbres fruitiers"]),
        ({"gcmtype": "page", "gcmnamespace": "0"}, ["Pommier", "Chêne"]),
        ({"gcmtitle": "Catégorie:Rien"}, []),
    ],
)
async def test_a_category_is_listed_in_part(wiki: Wiki, params: dict[str, str], expected: list[str]) -> None:
    """By type and by namespace; an empty category is no error."""
    query = {"gcmtitle": "Catégorie:Arbres", "gcmnamespace": "0|14"} | params
    answer = await wiki.query(FRENCH, generator="categorymembers", prop="info", **query)

    assert titles(answer) == expected


@pytest.mark.parametrize(
    ("language", "title"), [("de", "Kategorie:Nichts"), ("ja", "カテゴリ:無"), ("zh-yue", "分類:無")]
)
async def test_every_wiki_s_own_word_for_category_is_understood(
    wiki: Wiki, language: str, title: str
) -> None:
    """The word depends on the wiki's language; some have several."""
    query = {"generator": "categorymembers", "gcmtitle": title, "prop": "info"}
    assert await wiki.query(f"{language}.wikipedia.org", **query) == {"batchcomplete": True}


async def test_every_page_of_a_generator_comes_once_with_its_content(
    start_wiki: Callable[[int], Awaitable[Wiki]],
) -> None:
    """Batches within batches: following continue brings every latest revision exactly once."""
    wiki = await start_wiki(60)
    params = {"generator": "categorymembers", "gcmtitle": "Catégorie:Arbres", "gcmlimit": "3"}
    params |= {"prop": "revisions", "rvprop": "ids|content", "rvslots": "main"}

    found = [
        revision["revid"]
        async for answer in batches(wiki, **params)
        for page in answer["query"]["pages"]
        for revision in page.get("revisions", [])
    ]

    assert len(found) == len(set(found)) == 4


async def test_a_list_goes_on_when_the_pages_are_done(wiki: Wiki) -> None:
    """Pages are given once; the list alone is continued beside them."""
    params = {"list": "allrevisions", "arvlimit": "5", "arvprop": "ids", "prop": "info", "titles": "Pommier"}

    first, second = [answer async for answer in batches(wiki, **params)]

    assert first["continue"]["continue"] == "-||info"
    assert titles(first) == ["Pommier"]
    assert "pages" not in second["query"]
    assert len(listed(first)) + len(listed(second)) == 9


REVISIONS = {"prop": "revisions", "pageids": "10"}
LIST = {"list": "allrevisions"}
MEMBERS = {"generator": "categorymembers"}


@pytest.mark.parametrize(
    ("params", "code"),
    [
        (REVISIONS | {"rvstart": "yesterday"}, "badtimestamp"),
        (REVISIONS | {"rvend": "2026-13-01T00:00:00Z"}, "badtimestamp"),
        (REVISIONS | {"rvend": "9999999999999"}, "badtimestamp"),
        ({"prop": "revisions", "revids": "101", "rvend": "now"}, "invalidparammix"),
        (LIST | {"arvdir": "up"}, "badvalue"),
        (LIST | {"arvstart": "x"}, "badtimestamp"),
        (LIST | {"arvcontinue": "5"}, "badcontinue"),
        (LIST | {"arvcontinue": "20261301000000|5"}, "badcontinue"),
        (LIST | {"arvslots": "mediainfo"}, "badvalue"),
        (LIST | {"continue": "-"}, "badcontinue"),
        ({"generator": "random"}, "badvalue"),
        (MEMBERS, "missingparam"),
        (MEMBERS | {"gcmtitle": "Arbres"}, "invalidcategory"),
        (MEMBERS | {"gcmtitle": "Kategorie:"}, "invalidcategory"),
        (MEMBERS | {"gcmtitle": "Kategorie:A", "gcmcontinue": "page|zz|1"}, "badcontinue"),
        (MEMBERS | {"gcmtitle": "Kategorie:A", "gcmcontinue": "page|00|1"}, "badcontinue"),
    ],
)
async def test_what_cannot_be_listed_is_an_error(wiki: Wiki, params: dict[str, str], code: str) -> None:
    """Each with MediaWiki's code."""
    assert (await wiki.query(**params))["error"]["code"] == code


async def test_maxlag_is_taken_and_nothing_lags(wiki: Wiki) -> None:
    """A polite client's maxlag changes nothing where no fault says so."""
    answer = await wiki.query(FRENCH, list="allrevisions", arvlimit="1", arvprop="ids", maxlag="5")

    assert listed(answer) == [570]
    assert "warnings" not in answer
