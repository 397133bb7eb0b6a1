"""The dashboard in a real browser: the edits to look at."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
import pytest
from aiohttp import web
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.fakes.loopback import serving
from tests.fakes.streamed_edits import (
    AGNOSTIC,
    BOT,
    MULTILINGUAL,
    NOW,
    PERSONAL,
    page_changed,
    scored,
    visibility_changed,
)
from tests.integration.dashboard.dashboard_page import PHONE, DashboardPage
from tests.integration.dashboard.program import DashboardProgram
from tests.integration.live_page.gate_program import GateProgram
from tests.integration.live_page.gate_program import scored as gate_scored

pytestmark = pytest.mark.ci("browser")

GONE_WITHIN_S = 5.0
HOSTILE_REVISION = 666
_NOTE_WHAT_LEAVES = """
window.noted = [];
const cards = document.getElementById("cards");
new MutationObserver(() => {
  const last = [...cards.children].at(-1).getBoundingClientRect().y + scrollY;
  window.noted = [...cards.querySelectorAll(".gone")].map((box) => ({
    text: box.innerText, links: box.querySelectorAll("a, h3").length, last,
  }));
  if (window.noted.length === 2) window.noted = Object.freeze(window.noted);
}).observe(cards, {childList: true});
"""
_TOO_WIDE = """
const right = (element) => element.getBoundingClientRect().right;
const most = (element) => Math.min(390, right(element.closest(".card") ?? document.documentElement)) + 1;
return [...document.querySelectorAll("header *, main *")]
  .filter((element) => element.checkVisibility() && !element.closest(".unseen, option"))
  .filter((element) => right(element) > most(element))
  .map((element) => element.outerHTML.slice(0, 80));
"""
_TAP_OUTSIDE = """
document.getElementById("reasons").dispatchEvent(new MouseEvent("click", {clientX: 1, clientY: 1, bubbles: true}));
"""
NONE = "0 reverted, 0 by bots, in the last 24 hours"
ONE_BY_A_BOT = "1 reverted, 1 by bots, in the last 24 hours"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&amp;"


def test_empty(page: DashboardPage) -> None:
    """A page that has been told of nothing says so."""
    page.wait_for(lambda: page.text("edits-heading") == "Nothing to look at")
    assert page.text("empty") == "Nothing over 0.50 now. Edits that were never scored do not appear."
    assert page.cards() == []


def test_a_card_for_each_risky_edit(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """Each edit above the threshold is a card with title, risk, wiki, age and diff; newest first, or worst."""
    now = datetime.now(UTC)
    dashboard.tell(
        scored(1, 0.9, title="Oldest", at=now - timedelta(hours=3)),
        scored(2, 0.873, title="Newest", at=now - timedelta(minutes=2, seconds=30)),
        scored(3, 0.2, title="Harmless", at=now),
    )
    page.wait_for_titles("Newest", "Oldest")
    assert page.cards()[0] == ["Newest", "0.873", "enwiki · 2 minutes ago · revision 2"]
    assert page.text("edits-heading") == "2 edits to look at"
    links = [link.get_attribute("href") for link in page.driver.find_elements(By.CSS_SELECTOR, ".card a")]
    assert links == [f"http://127.0.0.1:8193/_mock/diff/enwiki/{rev_id}" for rev_id in (2, 1)]
    Select(page.element("order")).select_by_visible_text("highest risk first")
    page.wait_for_titles("Oldest", "Newest")


GONE = [
    pytest.param(page_changed(5, undoes=(2, 4), editor=BOT), ONE_BY_A_BOT, id="reverted"),
    pytest.param(visibility_changed(3, text=False), NONE, id="hidden later"),
    pytest.param(
        page_changed(3, kind="visibility_change", is_content_visible=False),
        NONE,
        id="hidden",
    ),
    pytest.param(page_changed(9, kind="delete"), NONE, id="deleted"),
]


@pytest.mark.parametrize(("event", "tally"), GONE)
def test_gone_within_five_seconds(
    page: DashboardPage, dashboard: DashboardProgram, event: dict[str, Any], tally: str
) -> None:
    """An edit leaves within 5 s of its revert, its hiding or its page's deletion, and reverts are counted."""
    dashboard.tell(scored(3, 0.9), scored(30, 0.8, page_id=9, title="Other"))
    page.wait_for(lambda: len(page.cards()) == 2)
    told_at = monotonic()
    dashboard.tell(event)
    page.wait_for_titles("Other")
    assert monotonic() - told_at < GONE_WITHIN_S
    assert page.text("reverted") == tally
    page.wait_for(
        lambda: "1 edit removed from the list." in str(page.element("announcer").get_attribute("textContent"))
    )


def test_three_taps_to_a_diff_on_a_phone(browser: DashboardPage, dashboard: DashboardProgram) -> None:
    """From the address, at 390 px: the wiki's list, the wiki, and the diff of its newest open edit of high risk."""
    dashboard.tell(
        *(
            scored(n, 0.9, page_id=n, title=f"English {n}", at=NOW + timedelta(seconds=n))
            for n in range(1, 60)
        ),
        *(
            scored(n, 0.9, page_id=n, wiki_id="svwiki", title=f"Swedish {n}", at=NOW + timedelta(seconds=n))
            for n in range(1, 9)
        ),
        page_changed(9, wiki_id="svwiki", page_id=8, undoes=(8, 8)),
    )
    browser.resize(PHONE)
    browser.open(dashboard.url)
    browser.wait_for(lambda: len(browser.cards()) == 66)
    wiki = browser.element("wiki")
    wiki.click()  # one: it opens
    Select(wiki).select_by_value("svwiki")  # two: in a list of the phone's own
    browser.wait_for(lambda: browser.titles() == [f"Swedish {n}" for n in range(7, 0, -1)])
    diff = browser.driver.find_element(By.CSS_SELECTOR, ".card a")
    assert diff.rect["y"] + diff.rect["height"] <= PHONE["height"], "without scrolling"
    assert min(diff.rect["height"], diff.rect["width"]) >= 44
    assert diff.get_attribute("href") == "http://127.0.0.1:8193/_mock/diff/svwiki/7"  # three
    assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= PHONE["width"]


def test_one_address_is_one_state(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """What is chosen is in the address; the address brings it back, and Back leads to the choice before."""
    dashboard.tell(
        scored(1, 0.9, title="One", at=NOW),
        scored(2, 0.6, title="Two", at=NOW + timedelta(minutes=1)),
        scored(3, 0.7, title="Svensk", wiki_id="svwiki"),
        scored(1, 0.8, title="One", model=MULTILINGUAL),
    )
    page.wait_for(lambda: len(page.cards()) == 3)
    Select(page.element("wiki")).select_by_value("enwiki")
    page.wait_for_titles("Two", "One")
    Select(page.element("order")).select_by_value("worst")
    page.wait_for_titles("One", "Two")
    address = page.driver.current_url
    Select(page.element("model")).select_by_value(MULTILINGUAL)
    page.wait_for(lambda: page.cards() and page.cards()[0][:2] == ["One", "0.800"])
    page.driver.back()
    page.wait_for_titles("One", "Two")
    assert page.driver.current_url == address
    page.driver.get("about:blank")
    page.driver.get(address)
    page.wait_for_titles("One", "Two")
    assert Select(page.element("wiki")).first_selected_option.get_attribute("value") == "enwiki"
    assert page.element("order").get_attribute("value") == "worst"


def test_by_keyboard(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """Filters, Pause and each card's diff are reached with Tab; a card that leaves hands its focus to its neighbour."""
    dashboard.tell(
        *(scored(n, 0.9, page_id=n, title=f"Page {n}", at=NOW + timedelta(minutes=n)) for n in (1, 2, 3))
    )
    page.wait_for_titles("Page 3", "Page 2", "Page 1")
    page.tab_to("wiki")
    page.press("e")
    page.wait_for(lambda: "wiki=enwiki" in page.driver.current_url)
    page.tab_to("pause")
    page.press(Keys.TAB, Keys.TAB)
    focused = page.driver.switch_to.active_element
    assert "of Page 2 2" in str(focused.get_attribute("textContent"))
    dashboard.tell(page_changed(2, page_id=2, kind="delete"))
    page.wait_for_titles("Page 3", "Page 1")
    page.wait_for(
        lambda: "of Page 1 1" in page.driver.execute_script("return document.activeElement.textContent")
    )


def test_pause(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """While paused nothing comes and nothing moves, but what is reverted leaves all the same."""
    dashboard.tell(
        scored(1, 0.9, title="One"), scored(2, 0.9, page_id=8, title="Two", at=NOW + timedelta(minutes=1))
    )
    page.wait_for_titles("Two", "One")
    place = page.element("pause").rect
    page.element("pause").click()
    dashboard.tell(
        scored(3, 0.9, page_id=9, title="Three", at=NOW + timedelta(minutes=2)),
        page_changed(4, undoes=(1, 1)),
    )
    page.wait_for(lambda: page.titles() == ["Two"] and page.text("pause") == "Resume (1 waiting)")
    assert page.element("pause").rect == place
    assert page.text("connection") == "Paused"
    assert not page.element("show-new").is_displayed()
    page.element("pause").click()
    page.wait_for_titles("Three", "Two")


def test_new_edits_wait(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """No card moves under a finger: new ones wait behind a button, and one that is gone leaves an empty place."""
    dashboard.tell(
        *(scored(n, 0.9, page_id=n, title=f"Page {n}", at=NOW + timedelta(minutes=n)) for n in (1, 2, 3))
    )
    page.wait_for_titles("Page 3", "Page 2", "Page 1")
    *_, last = page.driver.find_elements(By.CSS_SELECTOR, ".card")
    place = last.rect
    dashboard.tell(scored(4, 0.9, page_id=4, title="Page 4", at=NOW + timedelta(minutes=4)))
    page.wait_for(lambda: page.text("show-new") == "Show 1 new edit")
    page.wait_for(
        lambda: "1 new edit to look at" in str(page.element("announcer").get_attribute("textContent"))
    )
    assert page.titles() == ["Page 3", "Page 2", "Page 1"]
    assert last.rect == place
    page.driver.execute_script(_NOTE_WHAT_LEAVES)
    dashboard.tell(page_changed(9, page_id=2, undoes=(2, 2)), page_changed(3, page_id=3, kind="delete"))
    page.wait_for_titles("Page 1")
    boxes = page.driver.execute_script("return noted")
    assert sorted(box["text"] for box in boxes) == ["removed", "reverted"]
    assert all(box["last"] == place["y"] and box["links"] == 0 for box in boxes)
    page.wait_for(lambda: page.driver.find_elements(By.CLASS_NAME, "gone") == [])
    page.element("show-new").click()
    page.wait_for_titles("Page 4", "Page 1")
    assert not page.element("show-new").is_displayed()


def test_a_dead_source_is_not_live(browser: DashboardPage) -> None:
    """When the source's server is gone, or nothing comes any more, the page says since when; it is not live."""
    with ExitStack() as stack:
        with GateProgram() as gate:
            stream = f"eventstreams:{gate.url}/v2/stream/mediawiki.page_revert_risk_prediction_change.v1"
            dashboard = stack.enter_context(DashboardProgram(source=stream))
            browser.open(dashboard.url)
            gate.post(gate_scored(345, 0.9))
            browser.wait_for(lambda: len(browser.cards()) == 1)
        browser.wait_for(lambda: browser.text("connection").startswith("No edits since "))
        assert browser.element("connection").get_attribute("data-state") == "stale"
    with DashboardProgram("--silent-after", "2") as silent:
        browser.driver.get(silent.url)
        browser.wait_for(lambda: browser.text("connection") == "No edits have arrived yet")
        silent.tell(scored(1, 0.9))
        browser.wait_for(lambda: browser.text("connection") == "Live")
        browser.wait_for(lambda: browser.text("connection").startswith("No edits since "))


def test_the_end_of_the_source_is_told_at_once(browser: DashboardPage) -> None:
    """A pipe that is closed brings no more edits."""
    with DashboardProgram() as dashboard:
        browser.open(dashboard.url)
        dashboard.tell(scored(1, 0.9))
        dashboard.end()
        browser.wait_for(lambda: browser.text("connection").startswith("No edits since Nov 20, 2026"))


def test_users_are_chosen_for_the_edits_too(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """The filter in the address has an effect in either view."""
    dashboard.tell(
        scored(1, 0.9, title="Account"),
        scored(2, 0.9, title="Address", page_id=8, editor={"user_text": "192.0.2.1"}),
    )
    page.wait_for(lambda: len(page.cards()) == 2)
    Select(page.element("user")).select_by_value("ip")
    page.wait_for_titles("Address")
    assert "user=ip" in page.driver.current_url
    assert page.text("edits-heading") == "1 edit to look at"
    page.driver.back()
    page.wait_for(lambda: len(page.cards()) == 2)


def test_wikis_without_edits(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """A wiki that is seen can be chosen, also with nothing to look at; one that is not known is called so."""
    dashboard.tell(scored(1, 0.9, title="One"), scored(2, 0.1, wiki_id="svwiki"))
    page.wait_for_titles("One")
    page.wait_for(
        lambda: (
            [option.text for option in Select(page.element("wiki")).options]
            == ["all wikis", "enwiki (1)", "svwiki (0)"]
        )
    )
    Select(page.element("wiki")).select_by_value("svwiki")
    page.wait_for(lambda: page.text("empty").startswith("Nothing over 0.50 now."))
    page.open(dashboard.url, "?wiki=nosuch")
    page.wait_for(lambda: page.text("empty").startswith("The wiki nosuch is not known here"))


def test_large_text_fits(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """With text of twice the size nothing is cut off by a card or the screen of a phone."""
    dashboard.tell(
        scored(1, 0.9, title="Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"),
        scored(2, 0.3, wiki_id="svwiki"),
    )
    page.resize(PHONE)
    page.wait_for(lambda: len(page.cards()) == 1)
    page.driver.execute_script("document.documentElement.style.fontSize = '32px'")
    assert page.driver.execute_script(_TOO_WIDE) == []


def test_what_was_opened_is_dimmed(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """An edit whose diff was opened on this page is dimmed; an edit that is a revert is marked."""
    dashboard.tell(
        scored(1, 0.9, title="One"), page_changed(2, page_id=8, undoes=(1, 1)), scored(2, 0.9, page_id=8)
    )
    page.wait_for(lambda: len(page.cards()) == 2)
    revert, opened = page.driver.find_elements(By.CSS_SELECTOR, ".card")
    assert revert.text.count("itself a revert") + opened.text.count("itself a revert") == 1
    page.driver.execute_script("""
      const link = document.querySelector(".card a");
      link.addEventListener("click", (event) => event.preventDefault());
      link.click();
    """)
    page.wait_for(lambda: ["diff opened" in card.text for card in (revert, opened)] == [True, False])


def test_a_low_threshold_is_told(browser: DashboardPage) -> None:
    """An edit over a low threshold is not called low."""
    with DashboardProgram("--threshold", "0.07") as dashboard:
        dashboard.tell(scored(1, 0.1))
        browser.open(dashboard.url)
        browser.wait_for(lambda: len(browser.cards()) == 1)
        assert browser.driver.find_elements(By.CSS_SELECTOR, ".band") == []
        assert "This threshold is low" in browser.text("about")


def test_hostile_texts_are_text(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """Whatever an event holds is shown as text, or not at all; only known wikis have cards."""
    user = {"user_text": HOSTILE, "user_id": 3, "is_bot": HOSTILE}
    dashboard.tell(
        scored(1, 0.9, title=HOSTILE, model="<b>model</b>", version="<i>7</i>", comment=HOSTILE, editor=user),
        scored(2, 0.9, wiki_id="<b>wiki</b>"),
    )
    page.wait_for(lambda: page.titles() == [HOSTILE.replace("_", " ")])
    assert page.driver.title == "Revert risk"
    assert page.element("model").get_attribute("value") == "<b>model</b>"
    assert page.driver.find_elements(By.CSS_SELECTOR, "#cards img, #cards script, #cards b, #content i") == []


def test_right_to_left_title(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """A title from right to left does not turn what stands beside it."""
    dashboard.tell(scored(1, 0.9, title="جبل (علم)"))
    page.wait_for_titles("جبل (علم)")
    title = page.driver.find_element(By.CSS_SELECTOR, ".card bdi")
    assert title.value_of_css_property("direction") == "rtl"
    assert title.value_of_css_property("unicode-bidi") == "isolate"


def test_nobody_is_named(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """No user name, address, comment or kind of account is on the page."""
    dashboard.tell(
        scored(1, 0.9), scored(2, 0.9, editor={"user_text": "192.0.2.1"}), page_changed(3, undoes=(2, 2))
    )
    page.wait_for(lambda: page.text("reverted") == "1 reverted, 0 by bots, in the last 24 hours")
    source = page.driver.page_source
    assert not any(text in source for text in (*PERSONAL, "192.0.2.1"))
    assert "registered" not in str(page.element("edits").get_attribute("innerHTML"))


async def _explain(request: web.Request) -> web.Response:
    body = orjson.loads(await request.read())
    if body["rev_id"] == HOSTILE_REVISION:
        return web.json_response({"error": HOSTILE}, status=422)
    account = {"user_is_anonymous": (1, 2.0), "user_edit_count": (None, 1.0)}
    others = {"words_inserted": (12, 0.5), "words_removed": (0, 0.75), "is_minor": (1, -0.1)}
    facts = account | ({} if body["rev_id"] == 2 else others)
    contributions = [
        {"name": name, "value": value, "amount": amount} for name, (value, amount) in facts.items()
    ]
    return web.json_response(
        {
            "output": {"probabilities": {"true": 0.9, "false": 0.1}},
            "explanation": {"contributions": contributions, "spans": []},
        }
    )


def test_why(browser: DashboardPage) -> None:
    """A button tells what moved the risk; the kind of account is one reason among others and never the only one."""
    app = web.Application()
    app.router.add_post(f"/v1/models/{AGNOSTIC}:explain", _explain)
    with serving(app) as server, DashboardProgram("--explain-by", f"{AGNOSTIC}={server}") as dashboard:
        dashboard.tell(
            scored(1, 0.9, title="One"), scored(2, 0.9, title="Two", page_id=8, at=NOW + timedelta(hours=1))
        )
        browser.open(dashboard.url)
        browser.wait_for_titles("Two", "One")
        only_account, others = browser.driver.find_elements(By.CSS_SELECTOR, ".why-button")
        others.click()
        browser.wait_for(lambda: "12 words added, none removed" in browser.text("reasons"))
        browser.press(Keys.ESCAPE)
        browser.wait_for(lambda: browser.driver.switch_to.active_element == others)
        only_account.click()
        browser.wait_for(lambda: "Only facts about the user" in browser.text("reasons"))
        assert "unregistered" not in browser.text("reasons")


@pytest.fixture
def explained(browser: DashboardPage) -> Iterator[DashboardProgram]:
    """Open the page of a dashboard with two explained edits, and return its program."""
    app = web.Application()
    app.router.add_post(f"/v1/models/{AGNOSTIC}:explain", _explain)
    with serving(app) as server, DashboardProgram("--explain-by", f"{AGNOSTIC}={server}") as dashboard:
        dashboard.tell(
            scored(1, 0.9, title="One"), scored(3, 0.9, title="Three", page_id=8, at=NOW + timedelta(hours=1))
        )
        browser.open(dashboard.url)
        browser.wait_for_titles("Three", "One")
        yield dashboard


def test_back_closes_the_reasons(browser: DashboardPage, explained: DashboardProgram) -> None:
    """Back, Close and a tap outside close the dialog and change nothing else; its buttons stay in sight."""
    Select(browser.element("order")).select_by_value("worst")
    browser.wait_for(lambda: "order=worst" in browser.driver.current_url)
    browser.resize(PHONE | {"height": 400})
    address = browser.driver.current_url
    ways: list[Callable[[], object]] = [
        browser.driver.back,
        lambda: browser.element("reasons-close").click(),
        lambda: browser.driver.execute_script(_TAP_OUTSIDE),
    ]
    for close in ways:
        browser.driver.find_element(By.CSS_SELECTOR, ".why-button").click()
        browser.wait_for(lambda: "12 words added" in browser.text("reasons-body"))
        for name in ("reasons-diff", "reasons-close"):
            script = "return arguments[0].getBoundingClientRect().bottom"
            assert browser.driver.execute_script(script, browser.element(name)) <= 400
        close()
        browser.wait_for(lambda: not browser.element("reasons").is_displayed())
        browser.wait_for(lambda: browser.driver.execute_script("return history.state") is None)
        assert browser.driver.current_url == address
    browser.driver.back()  # closed dialogs leave no entry in the history
    browser.wait_for(lambda: "order=worst" not in browser.driver.current_url)


@pytest.mark.parametrize(
    ("event", "told", "stays"),
    [
        (page_changed(5, undoes=(1, 1)), "Reverted meanwhile.", True),
        (visibility_changed(1, text=False), "This edit was removed from the list meanwhile.", False),
    ],
    ids=["reverted", "hidden"],
)
def test_gone_while_its_reasons_are_open(
    browser: DashboardPage, explained: DashboardProgram, event: dict[str, Any], told: str, *, stays: bool
) -> None:
    """A revert is told; of a hidden edit nothing stays on the page. The focus does not get lost."""
    browser.driver.find_elements(By.CSS_SELECTOR, ".why-button")[1].click()
    browser.wait_for(lambda: "12 words added" in browser.text("reasons-body"))
    explained.tell(event)
    browser.wait_for(lambda: browser.text("reasons-body").startswith(told))
    assert ("12 words added" in browser.text("reasons-body")) is stays
    assert ("One" in browser.text("reasons")) is stays
    browser.wait_for_titles("Three")
    browser.press(Keys.ESCAPE)
    browser.wait_for(lambda: browser.driver.execute_script("return document.activeElement !== document.body"))


def test_a_hostile_error_is_text(browser: DashboardPage) -> None:
    """What a model's server says instead of reasons is shown as text, however it looks."""
    app = web.Application()
    app.router.add_post(f"/v1/models/{AGNOSTIC}:explain", _explain)
    with serving(app) as server, DashboardProgram("--explain-by", f"{AGNOSTIC}={server}") as dashboard:
        dashboard.tell(scored(HOSTILE_REVISION, 0.9))
        browser.open(dashboard.url)
        browser.wait_for_titles("Lake Verrin")
        browser.driver.find_element(By.CSS_SELECTOR, ".why-button").click()
        browser.wait_for(lambda: HOSTILE in browser.text("reasons"))
        assert browser.driver.title == "Revert risk"
        assert browser.driver.find_elements(By.CSS_SELECTOR, "#reasons img, #reasons script") == []
        [complaint] = browser.complaints()  # the browser's own, about the status
        assert "502" in complaint


def test_without_a_lake_the_charts_say_so(browser: DashboardPage, tmp_path: Path) -> None:
    """An address of charts says that there are none, or that the lake is not there yet."""
    for flags, said in (
        ((), "started without a lake"),
        (("--lake", str(tmp_path / "lake")), "the lake does not exist yet"),
    ):
        with DashboardProgram(*flags) as dashboard:
            browser.open(dashboard.url, "?view=charts")
            browser.wait_for(lambda said=said: said in browser.text("no-lake"))
    assert all("503" in complaint for complaint in browser.complaints())


def test_restart(browser: DashboardPage) -> None:
    """When the server is gone the page says so, and what was seen stays."""
    with DashboardProgram() as dashboard:
        browser.open(dashboard.url)
        dashboard.tell(scored(1, 0.9, title="One"))
        browser.wait_for_titles("One")
    browser.wait_for(lambda: "does not answer" in browser.text("connection"))
    assert browser.titles() == ["One"]


def test_another_language(browser: DashboardPage, tmp_path: Path) -> None:
    """A wiki's translation gives the page its words, its language and its direction; what it lacks stays English."""
    words = {
        "lang": "ar",
        "dir": "rtl",
        "diff": "الفرق",
        "open-edits": {"few": "{n} تعديلات", "other": "{n} تعديل"},
    }
    path = tmp_path / "ar.json"
    path.write_text(orjson.dumps(words).decode())
    with DashboardProgram("--messages", str(path)) as dashboard:
        dashboard.tell(*(scored(n, 0.9, page_id=n) for n in (1, 2, 3)))
        browser.driver.get(dashboard.url)
        browser.wait_for(lambda: len(browser.cards()) == 3)
        assert browser.driver.find_element(By.CSS_SELECTOR, ".card a").text.startswith("الفرق")
        assert browser.text("edits-heading").endswith("تعديلات")
        assert browser.driver.find_element(By.TAG_NAME, "html").get_attribute("dir") == "rtl"
