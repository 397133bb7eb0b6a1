"""The reasons of a risk: asked of the model's server through the gate, and only when somebody wants them."""

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from selenium.webdriver.common.keys import Keys

from mock_eventgate import listening
from mock_eventgate.app import Options
from mock_eventgate.reasons import MOST_CHANGES, MOST_REASONS, read_explain_by
from tests.fakes.loopback import serving
from tests.integration.live_page.gate_program import AGNOSTIC, MULTILINGUAL, GateProgram, scored
from tests.integration.live_page.live_page import LivePage

DEAD = "http://127.0.0.1:9"


@dataclass
class ModelServer:
    """Explains every revision in the same way, but refuses some and answers nonsense about others."""

    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post(f"/v1/models/{AGNOSTIC}:explain", self.answer)
        return app

    async def answer(self, request: web.Request) -> web.Response:
        body = orjson.loads(await request.read())
        self.asked.append(body)
        match body["rev_id"]:
            case 404:
                return web.json_response({"error": "the wiki has no such revision"}, status=422)
            case 500:
                return web.json_response(["no", "explanation"])
            case 200:
                return web.Response(text="<html>")
            case 600:
                return await self._endless(request)
        amounts = [0.1 * number * (-1) ** number for number in range(1, 21)]
        contributions = [
            {"name": f"fact_{number}", "value": None if number % 2 else number / 3, "amount": amount}
            for number, amount in enumerate(amounts, start=1)
        ]
        spans = [
            {"start": 0, "end": 4, "removed": "old", "removed_length": 3, "inserted": text, "weight": weight}
            for text, weight in (("a little", 0.1), ("<b>most</b>", -3.0), ("more", 1.0), ("some", 0.5))
        ]
        explanation = {"logit": 1.0, "base": -3.0, "contributions": contributions, "spans": spans}
        return web.json_response(
            {"output": {"probabilities": {"true": 0.731, "false": 0.269}}, "explanation": explanation}
        )

    async def _endless(self, request: web.Request) -> Any:
        response = web.StreamResponse()
        await response.prepare(request)
        with suppress(ConnectionError):
            while True:
                await response.write(b" " * 65_536)
        return response


@pytest.fixture
def server() -> ModelServer:
    return ModelServer()


@pytest.fixture
def server_url(server: ModelServer) -> Iterator[str]:
    with serving(server.app()) as url:
        yield url


@pytest.fixture
async def ask(server_url: str) -> AsyncIterator[Any]:
    """Return what asks a gate that knows a server of one model, and a dead one of the other."""
    options = Options(explain_by={AGNOSTIC: f"{server_url}/", MULTILINGUAL: DEAD})
    async with listening(options=options) as gate, aiohttp.ClientSession() as session:

        async def get(**query: str) -> tuple[int, Any]:
            async with session.get(f"{gate}/_mock/reasons", params=query) as answer:
                return answer.status, await answer.json()

        yield get


async def test_the_strongest_reasons_come_first(ask: Any, server: ModelServer) -> None:
    """By what they did to the score, whichever way; no more than a person reads."""
    status, told = await ask(model=AGNOSTIC, wiki_id="be_x_oldwiki", rev_id="345")
    assert status == 200
    assert server.asked == [{"lang": "be_x_oldwiki", "rev_id": 345}]
    assert told["probability"] == 0.731
    assert [each["name"] for each in told["reasons"]] == [f"fact_{20 - n}" for n in range(MOST_REASONS)]
    assert [each["inserted"] for each in told["changes"]] == ["<b>most</b>", "more", "some"][:MOST_CHANGES]


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({"model": "another", "wiki_id": "enwiki", "rev_id": "1"}, 404, "model: expected"),
        ({"wiki_id": "enwiki", "rev_id": "1"}, 404, "model: expected"),
        ({"model": AGNOSTIC, "wiki_id": "http://evil", "rev_id": "1"}, 400, "wiki_id and rev_id: expected"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki"}, 400, "wiki_id and rev_id: expected"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "x"}, 400, "rev_id: expected"),
        ({"model": MULTILINGUAL, "wiki_id": "enwiki", "rev_id": "1"}, 502, "the model's server does not"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "404"}, 502, "the wiki has no such revision"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "500"}, 502, "the model's server gave no"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "200"}, 502, "the model's server gave no"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "600"}, 502, "the model's server gave no"),
    ],
)
async def test_what_cannot_be_answered_says_why(
    ask: Any, query: dict[str, str], status: int, reason: str
) -> None:
    """T2: only servers that the gate was told of are asked, what they refuse is told in their words, all is bounded."""
    answered, told = await ask(**query)
    assert (answered, told["error"].startswith(reason)) == (status, True), told


@pytest.mark.parametrize("text", ["", "model", "=http://127.0.0.1:1", "model=127.0.0.1", "model=file:///etc"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """At the start, with the setting's name."""
    with pytest.raises(ValueError, match="explain_by: expected MODEL=URL"):
        read_explain_by([text])


async def test_servers_can_be_told_later(server_url: str) -> None:
    """The demo's gate is there before its servers; what is no map of addresses is refused, and changes nothing."""
    async with listening() as gate, aiohttp.ClientSession() as session:

        async def tell(document: Any) -> int:
            async with session.put(f"{gate}/_mock/explainers", json=document) as answer:
                return answer.status

        async def explains() -> list[str]:
            async with session.get(f"{gate}/_mock/live") as answer:
                models: list[str] = (await answer.json())["explains"]
                return models

        assert await explains() == []
        assert await tell({AGNOSTIC: server_url}) == 200
        for wrong in ([], {AGNOSTIC: 3}, {AGNOSTIC: "file:///etc"}, {"": server_url}):
            assert await tell(wrong) == 400
        assert await explains() == [AGNOSTIC]
        query = {"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "345"}
        async with session.get(f"{gate}/_mock/reasons", params=query) as answer:
            assert answer.status == 200


@pytest.mark.ci("browser")
def test_reasons_in_the_browser(browser: LivePage, server_url: str) -> None:
    """A button beside a score opens them, by keyboard too; what the page held is text; Escape leads back."""
    with GateProgram("--explain-by", f"{AGNOSTIC}={server_url}") as gate:
        browser.open(gate.url)
        gate.post(scored(345, 0.731), scored(345, 0.2, MULTILINGUAL))
        [row] = browser.wait_for_rows(1)
        assert "Why" in row[4]
        assert "Why" not in row[5]
        button = browser.driver.find_element("css selector", ".why-button")
        browser.driver.execute_script("arguments[0].focus()", button)
        browser.press(Keys.ENTER)
        browser.wait_for(lambda: "Risk 0.731" in browser.text("reasons"))
        shown = browser.text("reasons")
        assert "Fjell 345, nnwiki, by revertrisk-language-agnostic" in shown
        assert "fact 20 6.67 ▲ raises it by 2.00" in shown
        assert "fact 19 — ▼ lowers it by 1.90" in shown
        assert "<b>most</b>" in shown
        browser.press(Keys.ESCAPE)
        browser.wait_for(lambda: not browser.element("reasons").is_displayed())
        assert browser.driver.switch_to.active_element == button


@pytest.mark.ci("browser")
def test_a_server_that_is_gone_is_told(browser: LivePage) -> None:
    """The dialog says that there are no reasons, and why."""
    with GateProgram("--explain-by", f"{AGNOSTIC}={DEAD}") as gate:
        browser.open(gate.url)
        gate.post(scored(345, 0.731))
        browser.wait_for_rows(1)
        browser.driver.find_element("css selector", ".why-button").click()
        browser.wait_for(lambda: "the model's server does not answer" in browser.text("reasons"))
        browser.element("reasons-close").click()
        assert not browser.element("reasons").is_displayed()
        [complaint] = browser.complaints()
        assert "502" in complaint
