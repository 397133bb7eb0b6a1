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
from revertrisk.page_parts.reasons import MAX_CHANGES, MAX_REASONS, read_explain_by
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
        facts = {"words_inserted": (12, 0.5), "words_removed": (0, 0.75), "user_is_anonymous": (1, 1.0)}
        facts |= {"comment_present": (0, -0.5), "is_minor": (None, -2.0), "made_up": (1 / 3, 0.125)}
        facts |= {f"fact_{number}": (None, 0.0) for number in range(MAX_REASONS)}
        contributions = [
            {"name": name, "value": value, "amount": amount} for name, (value, amount) in facts.items()
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
    """By what they did to the score, whichever way; bounded."""
    status, told = await ask(model=AGNOSTIC, wiki_id="be_x_oldwiki", rev_id="345")
    assert status == 200
    assert server.asked == [{"lang": "be_x_oldwiki", "rev_id": 345}]
    assert told["probability"] == 0.731
    names = [each["name"] for each in told["reasons"]]
    assert names[:3] == ["is_minor", "user_is_anonymous", "words_removed"]
    assert len(names) == MAX_REASONS
    assert [each["inserted"] for each in told["changes"]] == ["<b>most</b>", "more", "some"][:MAX_CHANGES]


@pytest.mark.parametrize(
    ("query", "status", "reason"),
    [
        ({"model": "another", "wiki_id": "enwiki", "rev_id": "1"}, 404, "model: expected"),
        ({"wiki_id": "enwiki", "rev_id": "1"}, 404, "model: expected"),
        ({"model": AGNOSTIC, "wiki_id": "http://evil", "rev_id": "1"}, 400, "wiki_id, rev_id: expected"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki"}, 400, "wiki_id, rev_id: expected"),
        ({"model": AGNOSTIC, "wiki_id": "enwiki", "rev_id": "x"}, 400, "wiki_id, rev_id: expected"),
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
    """T3: a button opens the facts in words, by keyboard too; numbers on demand; text stays text; Escape leads back."""
    with GateProgram("--explain-by", f"{AGNOSTIC}={server_url}") as gate:
        browser.open(gate.url)
        temporary = {"user_id": 8, "user_text": "~2026-1", "is_temp": True}
        gate.post(scored(345, 0.731, performer=temporary), scored(345, 0.2, MULTILINGUAL))
        [row] = browser.wait_for_rows(1)
        assert "Why" in row[4]
        assert "Why" not in row[5]
        button = browser.driver.find_element("css selector", ".why-button")
        browser.driver.execute_script("arguments[0].focus()", button)
        browser.press(Keys.ENTER)
        browser.wait_for(lambda: "Risk 0.731, high." in browser.text("reasons"))
        assert "Fjell 345, nnwiki, scored by revertrisk-language-agnostic" in browser.text("reasons")
        facts = browser.driver.find_elements("css selector", ".facts li")
        assert [" ".join(fact.text.split()) for fact in facts] == [
            "marked as minor or not: not known ▼ lowers the risk",
            "outside links: 12 words added, none removed ▲ raises the risk",
            "an unregistered editor (temporary account) ▲ raises the risk",
            "no edit summary ▼ lowers the risk",
            "made up: 0.333 ▲ raises the risk",
            "fact 0: not known ▲ raises the risk",
        ]
        assert "<b>most</b>" in browser.text("reasons")
        assert "log-odds" not in browser.text("reasons")
        browser.driver.find_element("css selector", ".numbers summary").click()
        assert "words outside links that the changed lines lost 0 words +0.75" in browser.text("reasons")
        browser.press(Keys.ESCAPE)
        browser.wait_for(lambda: not browser.element("reasons").is_displayed())
        assert browser.driver.switch_to.active_element == button


_WORDS = """
const [values, userKind, done] = arguments;
import("./page/facts.js").then(({factsOf}) => done(factsOf(
  Object.entries(values).map(([name, value]) => ({name, value, amount: 1})), userKind).map((fact) => fact.words)));
"""


@pytest.mark.ci("browser")
@pytest.mark.parametrize(
    ("values", "user_kind", "words"),
    [
        ({"words_inserted": 1, "words_removed": 1200}, "IP", "outside links: 1 word added, 1,200 removed"),
        ({"words_inserted": 0, "words_removed": 3}, "IP", "outside links: no words added, 3 removed"),
        (
            {"words_inserted": 0, "words_removed": 0},
            "IP",
            "no words changed outside links: only links, other markup, order or spaces",
        ),
        ({"user_is_anonymous": 0}, "registered", "a registered editor"),
        ({"user_is_anonymous": 1, "user_is_temporary": 0}, "ip", "an unregistered editor (IP address)"),
        ({"user_is_anonymous": 1}, "unknown", "an unregistered editor"),
        ({"user_is_anonymous": None}, "unknown", "whether the editor is registered: not known"),
        ({"user_edit_count": 1, "user_age": 0.4}, "registered", "1 edit, an account of 10 hours"),
        ({"user_age": 1}, "registered", "an account of 1 day"),
        ({"user_age": 4000}, "registered", "an account of 11 years"),
        ({"user_age": None}, "IP", "the editor\u2019s edits and the age of the account: not known"),
        ({"user_is_bot": 1, "user_is_bot_or_admin": 1}, "registered", "a bot"),
        ({"user_is_bot": 0, "user_is_bot_or_admin": 1}, "registered", "an administrator"),
        ({"user_is_bot_or_admin": 1}, "registered", "a bot or an administrator"),
        ({"user_is_bot_or_admin": 0, "user_is_privileged": 1}, "registered",
         "an editor with special rights"),
        ({"user_is_bot_or_admin": 0}, "registered", "an editor without special rights"),
        ({"user_is_privileged": None}, "unknown", "the editor\u2019s rights: not known"),
        ({"references_gained": 0, "references_lost": 2}, "IP", "2 references removed"),
        ({"references_gained": 0, "references_lost": 0}, "IP", "no references added or removed"),
        ({"inserted_digit_share": 0}, "IP", "no digits in the added words"),
        ({"inserted_digit_share": 0.004}, "IP", "under 1 % digits in the added words"),
        ({"inserted_upper_share": 0.25, "inserted_shouted_share": 0.5}, "IP",
         "25 % capital letters in the added words, 50 % of the words in capitals only"),
        ({"seconds_since_parent": 90}, "IP", "2 minutes after the previous edit"),
        ({"seconds_since_parent": 3e9}, "IP", "95 years after the previous edit"),
        ({"comment_present": 1, "comment_length": 24}, "IP", "an edit summary of 24 characters"),
        ({"removed_share_of_page": 0.996}, "IP", "over 99 % of the page removed"),
        ({"inserted_text": None}, "IP", "the added words themselves"),
    ],
)  # fmt: skip
def test_facts_in_words(page: LivePage, values: dict[str, Any], user_kind: str, words: str) -> None:
    """T3: facts are told as a patroller would tell them, in one sentence for all features of one thing."""
    assert page.driver.execute_async_script(_WORDS, values, user_kind) == [words]


@pytest.mark.ci("browser")
@pytest.mark.parametrize("name", ["inserted_digit_share", "inserted_upper_share", "removed_word_length"])
def test_no_fact_about_words_that_are_not_there(page: LivePage, name: str) -> None:
    """Where no words were added or removed there is nothing to tell of them."""
    assert page.driver.execute_async_script(_WORDS, {name: None}, "IP") == []


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
