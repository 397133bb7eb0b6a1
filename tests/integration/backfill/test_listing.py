"""Each way to list revisions can be gone on with after any of its batches."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import aiohttp
import pytest

from revertrisk.backfill.limiter import RateLimiter
from revertrisk.backfill.listing import Place, RevisionBatch, Selection, selection_of
from revertrisk.backfill.wiki_api import WikiApi, WikiError
from revertrisk.wiki.table import Wiki, WikiTable

SINCE = datetime(2005, 12, 1, tzinfo=UTC)
UNTIL = datetime(2006, 3, 1, tzinfo=UTC)
TITLES = ["Anarchism", "No such page", "a|b"]

MakeSelection = Callable[[WikiApi], Selection]


def made(**flags: object) -> MakeSelection:
    nothing = {
        "rev_ids": (),
        "titles": (),
        "category": None,
        "namespaces": (0,),
        "since": None,
        "until": None,
    }
    return lambda api: selection_of(api, **{**nothing, "all_revisions": False, **flags})  # type: ignore[arg-type]


SELECTIONS = {
    "ids": made(rev_ids=range(1, 121)),
    "time": made(since=SINCE, until=UNTIL, all_revisions=True),
    "titles": made(titles=TITLES * 20),
    "history of titles": made(titles=TITLES, since=SINCE, until=UNTIL, all_revisions=True),
    "category": made(category="Anarchism"),
    "history of a category": made(category="Anarchism", since=SINCE, until=UNTIL, all_revisions=True),
}


@pytest.fixture
def enwiki() -> Wiki:
    wiki = WikiTable.load().by_id("enwiki")
    assert wiki is not None
    return wiki


@pytest.fixture
def api(export_wiki: str, session: aiohttp.ClientSession) -> WikiApi:
    return WikiApi(session, RateLimiter(1000), wiki_url=export_wiki)


async def batches(selection: Selection, wiki: Wiki, place: Place) -> list[RevisionBatch]:
    return [batch async for batch in selection.batches(wiki, place)]


def ids(found: Sequence[RevisionBatch]) -> list[int]:
    return [ref.rev_id for batch in found for ref in batch.refs]


@pytest.mark.parametrize("name", SELECTIONS)
async def test_a_list_goes_on_at_every_place(api: WikiApi, enwiki: Wiki, name: str) -> None:
    """What comes behind a place is what would have come without a stop there; only the last place is no place."""
    selection = SELECTIONS[name](api)
    whole = await batches(selection, enwiki, {})
    assert ids(whole)
    assert [batch.next_place is None for batch in whole] == [False] * (len(whole) - 1) + [True]
    for number, batch in enumerate(whole[:-1]):
        assert batch.next_place is not None
        rest = await batches(SELECTIONS[name](api), enwiki, batch.next_place)
        assert ids(rest) == ids(whole[number + 1 :])
        assert [b.unfound for b in rest] == [b.unfound for b in whole[number + 1 :]]


async def test_a_time_lists_what_was_made_in_it(api: WikiApi, enwiki: Wiki) -> None:
    """Newest first, each with its parent, as the history of the one page does."""
    by_time, by_title = [
        await batches(SELECTIONS[name](api), enwiki, {}) for name in ("time", "history of titles")
    ]
    refs = [ref for batch in by_time for ref in batch.refs]
    assert len(by_time) > 2
    assert set(ids(by_time)) == set(ids(by_title))
    times = [ref.timestamp or "" for ref in refs]
    assert times == sorted(times, reverse=True)
    assert all("2005-12-01" <= time < "2006-03-01T00:00:01" for time in times)
    assert all(ref.parent_id and ref.page_id == 12 for ref in refs)


async def test_titles_that_are_not_there_are_named(api: WikiApi, enwiki: Wiki) -> None:
    """Also one with a character that no title can have."""
    (latest,) = await batches(made(titles=TITLES)(api), enwiki, {})
    assert len(latest.refs) == 1
    assert len(latest.unfound) == 2


async def test_a_wiki_that_refuses_is_an_error(api: WikiApi, enwiki: Wiki) -> None:
    """By the API's code, and at once: to ask again would not help."""
    with pytest.raises(WikiError, match="enwiki: the MediaWiki API answered with invalidcategory"):
        await batches(made(category=" ")(api), enwiki, {})
