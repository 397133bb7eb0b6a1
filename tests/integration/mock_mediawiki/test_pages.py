"""The mock's pages for people: diffs and the request log, over a real socket."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html.parser import HTMLParser

import aiohttp
import pytest
import yaml

from mock_mediawiki.api import ActionApi
from mock_mediawiki.app import create_app, listening
from mock_mediawiki.samples import SampleHistory
from revertrisk.wiki.table import WikiTable
from tests.integration.mock_mediawiki.wiki_client import Wiki

VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Reads a page strictly: every element is closed where it should be. Keeps elements and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self._open):
            self.texts.setdefault(tag, []).append(data)

    def text(self, tag: str) -> str:
        """Return the text inside all elements of a name."""
        return "".join(self.texts.get(tag, []))

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
async def wiki_of_one_page() -> AsyncIterator[str]:
    """Return the address of a mock whose only page was replaced by another of 10,000 lines."""
    old, new = "\n".join(map(str, range(10_000))), "\n".join(map(str, range(20_000, 30_000)))
    facts = {"timestamp": datetime(2026, 8, 1, tzinfo=UTC), "user": "192.0.2.1", "label": "good"}
    revisions = [{"rev_id": 1, "text": old} | facts, {"rev_id": 2, "text": new} | facts]
    page = {"page_id": 1, "title": "Long", "revisions": revisions}
    wikis = WikiTable.load()
    sample = yaml.safe_dump({"wiki_id": "enwiki", "pages": [page]})
    history = SampleHistory.read([("long.yaml", sample)], wikis)
    async with listening(create_app(ActionApi(history), wikis, "enwiki")) as address:
        yield address


async def open_page(wiki: Wiki, path: str, status: int = 200) -> Page:
    """Get a page and read it."""
    async with wiki.client.get(f"{wiki.address}{path}") as response:
        assert response.status == status
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        text = await response.text()
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?://|//[a-z]|<script|\bsrc=|@import|url\(", text)
    return Page(text)


async def test_a_diff_says_what_changed_and_who_changed_it(wiki: Wiki) -> None:
    """Lines carry both numbers, a sign with a word for those who do not see it, and ins and del."""
    page = await open_page(wiki, "/_mock/diff/hewiki/601")

    assert page.text("h1") == 'עץ <b> "תמר"'
    rows = [attributes.get("class") for attributes in page.attributes("tr")]
    assert rows == [None, "same", "removed", "added", "same", "added alone"]
    assert page.text("del") == "1"
    assert page.text("ins") == "2חדש & נאה"
    assert "192.0.2.2" in page.text("dd")
    assert "<i>ראש</i>" in page.text("dd")
    assert [attributes["scope"] for attributes in page.attributes("th")] == ["col"] * 4
    assert "removed" in page.text("td")
    assert page.text("caption")
    assert [attributes["datetime"] for attributes in page.attributes("time")] == [
        "2026-08-01T10:00:00Z",
        "2026-08-01T11:00:00Z",
    ]


async def test_the_wiki_s_language_is_marked(wiki: Wiki) -> None:
    """Page text, title and comments have the wiki's lang and direction; the page itself is English."""
    hebrew = await open_page(wiki, "/_mock/diff/hewiki/601")
    german = await open_page(wiki, "/_mock/diff/dewiki/101")

    assert hebrew.attributes("html") == german.attributes("html") == [{"lang": "en"}]
    assert {(a["lang"], a["dir"]) for a in hebrew.attributes("bdi")} == {("he", "rtl")}
    texts = [a for a in hebrew.attributes("td") if a.get("class") == "text"]
    assert {(a["lang"], a["dir"]) for a in texts} == {("he", "rtl")}
    assert {(a["lang"], a["dir"]) for a in german.attributes("bdi")} == {("de", "ltr")}


async def test_a_page_has_headings_a_main_part_and_both_colour_schemes(wiki: Wiki) -> None:
    """One h1, one main, h2 below, and colours for light and dark without anything from outside."""
    page = await open_page(wiki, "/_mock/diff/dewiki/101")
    assert len(page.attributes("h1")) == len(page.attributes("main")) == len(page.attributes("title")) == 1
    assert page.attributes("h2")
    assert "color-scheme: light dark" in page.text("style")
    assert "prefers-color-scheme: dark" in page.text("style")


async def test_a_creation_is_all_new(wiki: Wiki) -> None:
    """The first revision of a page has nothing before it."""
    page = await open_page(wiki, "/_mock/diff/dewiki/100")

    assert page.text("ins") == "Ein Apfelbaum."
    assert page.text("del") == ""
    assert "created the page" in page.text("p")
    assert "nothing" in page.text("dd")


async def test_a_long_diff_is_cut_short(wiki_of_one_page: str) -> None:
    """Two thousand lines are shown, and a word that there are more."""
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{wiki_of_one_page}/_mock/diff/enwiki/2") as response,
    ):
        page = Page(await response.text())

    assert len(page.attributes("tr")) == 1 + 2000 + 1
    assert "Only the first 2000 lines are shown." in page.text("td")


@pytest.mark.parametrize(
    ("path", "shown", "absent"),
    [
        ("dewiki/200", ["text of this revision is hidden", "Ada"], ["geheim"]),
        ("dewiki/201", ["text of this revision is hidden", "user name hidden", "comment hidden"], ["geheim"]),
        ("dewiki/202", ["text of the earlier revision is hidden", "~2026-10011-01"], ["offen", "geheim"]),
        ("hewiki/602", ["The earlier revision, 599, is missing"], ["נפל"]),
    ],
)
async def test_what_is_hidden_is_shown_as_hidden(
    wiki: Wiki, path: str, shown: list[str], absent: list[str]
) -> None:
    """Neither text nor name nor comment shows through, and a missing parent is not taken for an empty one."""
    page = await open_page(wiki, f"/_mock/diff/{path}")

    assert all(text in page.text("body") for text in shown)
    assert not any(text in page.text("body") for text in absent)
    assert page.attributes("ins") == page.attributes("del") == []


async def test_what_a_fault_has_hidden_is_hidden_here_too(wiki: Wiki) -> None:
    """E12: once the API hides a revision, its diff does; opening the diff is not asking for the revision."""
    fault = {"kind": "hide", "parts": ["text", "user"], "after": 1, "rev_id": 101}
    await wiki.put(fault)
    for _ in range(2):
        assert (await open_page(wiki, "/_mock/diff/dewiki/101")).text("ins")
        await wiki.query(prop="revisions", revids="101")

    page = await open_page(wiki, "/_mock/diff/dewiki/101")

    assert "text of this revision is hidden" in page.text("main")
    assert "user name hidden" in page.text("dd")
    assert "203.0.113.5" not in page.text("body")


@pytest.mark.parametrize(
    "path", ["/_mock/diff/dewiki/4711", "/_mock/diff/dewiki/abc", "/_mock/diff/nowhere/101"]
)
async def test_where_there_is_no_diff_there_is_a_page_that_says_so(wiki: Wiki, path: str) -> None:
    """404, as a page, which does not repeat what was asked."""
    page = await open_page(wiki, path, status=404)

    assert page.text("h1") == "Not found"
    assert "4711" not in page.text("body")
