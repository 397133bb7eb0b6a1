"""The dashboard in a real browser: the edits to look at."""

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

pytestmark = pytest.mark.ci("browser")

GONE_WITHIN_S = 5.0
HOSTILE_REVISION = 666
NONE = "0 reverted, 0 by bots, in the last 24 hours"
ONE_BY_A_BOT = "1 reverted, 1 by bots, in the last 24 hours"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&amp;"


def test_empty(page: DashboardPage) -> None:
    """A page that has been told of nothing says so."""
    page.wait_for(lambda: page.text("edits-heading") == "Nothing to look at")
    assert page.text("empty").startswith("There is no edit to look at now with these filters.")
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
    assert "of Page 1 1" in str(page.driver.switch_to.active_element.get_attribute("textContent"))


def test_pause(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """While paused nothing comes and nothing moves, but what is reverted leaves all the same."""
    dashboard.tell(
        scored(1, 0.9, title="One"), scored(2, 0.9, page_id=8, title="Two", at=NOW + timedelta(minutes=1))
    )
    page.wait_for_titles("Two", "One")
    page.element("pause").click()
    dashboard.tell(
        scored(3, 0.9, page_id=9, title="Three", at=NOW + timedelta(minutes=2)),
        page_changed(4, undoes=(1, 1)),
    )
    page.wait_for(lambda: page.titles() == ["Two"] and page.text("waiting") == "1 waiting")
    page.element("pause").click()
    page.wait_for_titles("Three", "Two")


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
        only_account.click()
        browser.wait_for(lambda: "Only facts about the user" in browser.text("reasons"))
        assert "unregistered" not in browser.text("reasons")


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
