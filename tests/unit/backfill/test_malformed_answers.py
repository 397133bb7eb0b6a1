"""A wiki whose answers are not the Action API's ends a backfill with an error of ours, not in the middle of a loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest

from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.listing import (
    HistoryOfCategory,
    HistoryOfTitles,
    LatestOfCategory,
    LatestOfTitles,
    Selection,
    TimeRange,
)
from revertrisk.backfill.lookup import ListedRevision, Lookup
from revertrisk.backfill.wiki_api import WikiApi, WikiError
from revertrisk.wiki.table import Wiki, WikiTable
from tests.fakes.scripted_http import Reply, scripted_server

PAGE = {"pageid": 1, "ns": 0, "title": "Foo"}
SHAPES: dict[str, Any] = {
    "query a list": {"query": [1]},
    "query a string": {"query": "pages"},
    "pages an object": {"query": {"pages": {"1": PAGE}, "allrevisions": {"1": PAGE}}},
    "pages null": {"query": {"pages": None, "allrevisions": None}},
    "a page null": {"query": {"pages": [None], "allrevisions": [None]}},
    "a page's id a list": {"query": {"pages": [{"pageid": [1]}], "allrevisions": [{"pageid": [1]}]}},
    "revisions a number": {"query": {"pages": [PAGE | {"revisions": 5}], "allrevisions": [{"revisions": 5}]}},
    "continue a string": {"query": {}, "continue": "abc"},
    "continue true": {"query": {}, "continue": True},
    "continue by a name of two lines": {"query": {}, "continue": {"a\r\nb": "c"}},
    "continue for ever": {"query": {"pages": [PAGE]}, "continue": {"rvcontinue": "1", "continue": "||"}},
}


def selections(api: WikiApi) -> list[Selection]:
    return [
        TimeRange(api, since=None, until=None, namespaces=(0,)),
        LatestOfTitles(api, ["Foo"]),
        LatestOfCategory(api, "Foo", (0,)),
        HistoryOfTitles(api, ["Foo"], since=None, until=None),
        HistoryOfCategory(api, "Foo", (0,), since=None, until=None),
    ]


async def select(selection: Selection, wiki: Wiki) -> None:
    async for _ in selection.batches(wiki, {}):
        pass


@asynccontextmanager
async def answering(document: Any) -> AsyncIterator[tuple[WikiApi, Wiki]]:
    """Give a wiki whose every answer is this document."""
    wiki = WikiTable.load().by_id("enwiki")
    assert wiki is not None
    async with scripted_server() as server, aiohttp.ClientSession() as session:
        server.script = lambda _: Reply(body=document)
        yield WikiApi(session, RateLimiter(500), wiki_url=server.url), wiki


@pytest.mark.parametrize("document", SHAPES.values(), ids=SHAPES.keys())
async def test_an_answer_of_another_shape_is_an_error_of_the_wiki(document: Any) -> None:
    """Each way of selecting, and the look-up, says so at once, and shows nothing of the answer."""
    async with answering(document) as (api, wiki):
        work = [select(selection, wiki) for selection in selections(api)]
        outcomes = await asyncio.gather(
            *work, Lookup(api).look_up(wiki, [ListedRevision(1)]), return_exceptions=True
        )
    assert [type(outcome) for outcome in outcomes] == [WikiError] * 6
    assert {str(outcome).partition(": ")[0] for outcome in outcomes} == {"enwiki"}


@pytest.mark.parametrize(
    "page",
    [
        PAGE | {"revisions": [{"revid": 7, "timestamp": 5}]},
        {"ns": "0", "revisions": [{"revid": 7}]},
        *(
            PAGE | {"revisions": [each]}
            for each in ({"revid": "7"}, {"revid": 2**60}, {}, {"revid": 7, "parentid": [6]})
        ),
    ],
)
async def test_a_wrong_id_time_or_namespace_is_an_error_of_the_wiki(page: dict[str, Any]) -> None:
    """No such thing is sorted by, or comes into the checkpoint."""
    async with answering({"query": {"pages": [page], "allrevisions": [page]}}) as (api, wiki):
        for selection in selections(api)[:2]:
            with pytest.raises(WikiError):
                await select(selection, wiki)


async def test_a_page_that_was_created_at_no_time_is_one_whose_age_the_wiki_does_not_tell() -> None:
    """As where the answer has no revision at all."""
    pages = [PAGE | {"revisions": [{"revid": 7, "timestamp": "long ago"}]}]
    async with answering({"query": {"pages": pages}}) as (api, wiki):
        assert await Lookup(api).page_created_at(wiki, 1) is None
