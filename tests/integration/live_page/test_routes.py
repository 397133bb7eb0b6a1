"""The live page's routes, without a browser."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest

from mock_eventgate import listening
from mock_eventgate.app import Options
from mock_eventgate.live_page import REFUSALS_AT_ONCE
from tests.integration.live_page.gate_program import MULTILINGUAL, scored
from tests.integration.mock_eventgate.gate_client import ONE, OTHER, Gate

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
REFUSED = {"$schema": "/none/1.0.0"}


@pytest.fixture
async def gate() -> AsyncIterator[Gate]:
    options = Options(diff_base="http://wiki.test:8193/")
    async with listening(options=options) as url, aiohttp.ClientSession() as session:
        yield Gate(session, url)


async def test_page_and_its_files(gate: Gate) -> None:
    """The page and every file that it names are served with their types, under a strict policy."""
    types = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    async with gate.session.get(f"{gate.url}/_mock/", headers=HTML) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
        html = await answer.text()
    names = set(re.findall(r'(?:href|src)="page/([^"]+)"', html))
    assert {"main.js", "page.css", "live.css", "icon.svg"} == names
    seen: set[str] = set()
    while names - seen:
        name = (names - seen).pop()
        seen.add(name)
        async with gate.session.get(f"{gate.url}/_mock/page/{name}") as answer:
            assert (answer.status, answer.content_type) == (200, types[name.rpartition(".")[2]])
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            names |= set(re.findall(r' from "\./([^"]+)"', await answer.text()))
    assert "event_reader.js" in seen


async def test_address_without_slash(gate: Gate) -> None:
    """A browser at /_mock is sent to /_mock/, because the page names its files relative to it."""
    async with gate.session.get(f"{gate.url}/_mock", headers=HTML, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "_mock/")
    async with gate.session.get(f"{gate.url}/_mock", headers=HTML) as answer:
        assert str(answer.url) == f"{gate.url}/_mock/"


async def test_programs_get_the_index(gate: Gate) -> None:
    """Who asks for no HTML gets the list of routes as before."""
    async with gate.session.get(f"{gate.url}/_mock/") as answer:
        assert answer.headers["Vary"] == "Accept"
        assert "/_mock/refused" in await answer.json()


@pytest.mark.parametrize("name", ["none.js", "__init__.py", "..%2Fapp.py", "index"])
async def test_no_other_files(gate: Gate, name: str) -> None:
    """Nothing else is served."""
    async with gate.session.get(f"{gate.url}/_mock/page/{name}") as answer:
        assert answer.status == 404


async def test_feed_to_a_new_page(gate: Gate) -> None:
    """A page that is new is told which streams there are, where to begin, and where diffs are."""
    await gate.post([scored(1, 0.1), scored(1, 0.2, MULTILINGUAL), REFUSED])
    feed = await gate.read("live")
    assert {ONE, OTHER} < set(feed["streams"])
    assert "eventgate.test.event" not in feed["streams"]
    assert (feed["since"], feed["diff_base"]) == (1769860801250, "http://wiki.test:8193")
    assert (feed["accepted"], feed["refused"], feed["next_after"]) == (2, 1, 1)
    assert "enwiki" in feed["wikis"]["revertrisk-multilingual"]
    assert [refusal["entry"]["event"] for refusal in feed["refusals"]] == [REFUSED]


async def test_feed_goes_on(gate: Gate) -> None:
    """A page that asks again gets only what is new."""
    await gate.post([REFUSED])
    first = await gate.read("live")
    again = f"live?epoch={first['epoch']}&after={first['next_after']}"
    assert await gate.read(again) == {
        "epoch": first["epoch"],
        "accepted": 0,
        "refused": 1,
        "refusals": [],
        "next_after": 1,
        "explains": [],
    }
    await gate.post([REFUSED, REFUSED])
    assert [refusal["sequence"] for refusal in (await gate.read(again))["refusals"]] == [2, 3]


async def test_feed_of_an_emptied_gate(gate: Gate) -> None:
    """After the gate was emptied there is another epoch, and a page with the old one begins anew."""
    await gate.post([REFUSED, REFUSED])
    before = await gate.read("live")
    async with gate.session.delete(f"{gate.url}/_mock/events") as answer:
        assert answer.status == 204
    await gate.post([REFUSED])
    after = await gate.read(f"live?epoch={before['epoch']}&after={before['next_after']}")
    assert after["epoch"] != before["epoch"]
    assert [refusal["sequence"] for refusal in after["refusals"]] == [1]
    assert "streams" in after


async def test_feed_is_bounded(gate: Gate) -> None:
    """One answer holds no more than the newest refusals."""
    await gate.post([REFUSED] * (REFUSALS_AT_ONCE + 5))
    feed = await gate.read("live")
    assert [refusal["sequence"] for refusal in feed["refusals"]] == list(range(6, REFUSALS_AT_ONCE + 6))
    assert feed["refused"] == REFUSALS_AT_ONCE + 5


async def test_bad_after(gate: Gate) -> None:
    """A place that is no number is answered with what was expected."""
    assert "after: expected an integer" in (await gate.read("live?after=x", status=400))["error"]
