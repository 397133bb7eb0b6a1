"""The live page in a real browser."""

from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from revertrisk.cli.programs import running
from tests.integration.live_page.browser import prefer_colours
from tests.integration.live_page.conftest import DIFF_BASE
from tests.integration.live_page.gate_program import AGNOSTIC, MULTILINGUAL, GateProgram, scored
from tests.integration.live_page.live_page import LivePage
from tests.integration.mock_eventgate.gate_client import ONE

pytestmark = pytest.mark.ci("browser")

PERSONAL = "Exempelsson"


def test_empty(page: LivePage) -> None:
    """An empty gate's page says so, and how to fill it."""
    page.wait_for(lambda: page.text("empty-text").startswith("There are no events yet."))
    assert page.text("accepted") == "0"
    assert not page.element("rows").is_displayed()


def test_nothing_shown_is_not_nothing_come(page: LivePage, gate: GateProgram) -> None:
    """While the gate has counted something that no row shows yet, the page does not say that nothing has come."""
    page.tab_to("pause")
    page.press(Keys.SPACE)
    gate.post(scored(1, 0.1))
    page.wait_for(lambda: page.text("accepted") == "1")
    assert page.text("empty-text") == "Nothing to show yet."
    assert not page.element("empty-hint").is_displayed()
    page.press(Keys.SPACE)
    page.wait_for_rows(1)
    gate.forget()
    page.wait_for(lambda: page.text("empty-text").startswith("There are no events yet."))


def test_accepted_event_appears(page: LivePage, gate: GateProgram) -> None:
    """An event that is posted appears with wiki, title, revision, user kind and risk as number and word."""
    assert gate.post(scored(345, 0.873)) == 201
    [[_, wiki, title, user, risk]] = page.wait_for_rows(1)
    assert (wiki, title, user) == ("nnwiki", "Fjell 345", "unknown")
    assert risk.split() == ["0.873", "high", "⚑", "predicts:", "revert"]
    page.wait_for(lambda: page.text("accepted") == "1")
    assert page.heads()[4] == f"{AGNOSTIC}\nv7"


def test_refused_event_appears(page: LivePage, gate: GateProgram) -> None:
    """A refused event appears with the gate's reason, is counted, and is told to screen readers."""
    event = scored(345, 0.5, wiki_id="svwiki")
    event["page"]["page_id"] = "twelve"
    assert gate.post(event) == 400
    [[_, wiki, title, _, reason]] = page.wait_for_rows(1)
    assert (wiki, title) == ("svwiki", "Fjell 345")
    assert reason.startswith("✕ Refused")
    assert "'.page.page_id' should be integer" in reason
    assert f"{AGNOSTIC} → {ONE}" in reason
    page.wait_for(lambda: page.text("refused") == "1")
    page.wait_for(lambda: "1 event refused." in str(page.element("announcer").get_attribute("textContent")))


@pytest.mark.parametrize(
    "event", [None, [], "text", {}, {"meta": {"stream": 3}, "page": [], "revision": "x"}]
)
def test_refused_nonsense_appears(page: LivePage, gate: GateProgram, event: object) -> None:
    """Whatever is refused appears, even where it is no event at all."""
    gate.post(event, scored(1, 0.1))
    rows = page.wait_for_rows(2)
    assert any("✕ Refused" in row[-1] for row in rows)


def test_models_side_by_side(page: LivePage, gate: GateProgram) -> None:
    """T3: two models' scores of a revision are in one row, another wiki's are not; a dash says why in words."""
    gate.post(scored(345, 0.1), scored(346, 0.2))
    page.wait_for_rows(2)
    gate.post(scored(345, 0.9, MULTILINGUAL), scored(345, 0.4, MULTILINGUAL, wiki_id="svwiki"))
    rows = page.wait_for_rows(3)
    assert [head.split("\n")[0] for head in page.heads()[4:]] == [AGNOSTIC, MULTILINGUAL]
    assert [[row[1], *(cell.split()[0] for cell in row[4:])] for row in rows] == [
        ["svwiki", "—", "0.400"],
        ["nnwiki", "0.200", "—"],
        ["nnwiki", "0.100", "0.900"],
    ]
    assert [rows[0][4], rows[1][5]] == ["— no score", "— does not score nnwiki"]


def test_earlier_events_are_shown(browser: LivePage, gate: GateProgram) -> None:
    """A page that is opened late begins with what came before, refused events included."""
    gate.post(scored(1, 0.1), scored(2, 0.2), {"$schema": "/none/1.0.0"})
    browser.open(gate.url)
    assert len(browser.wait_for_rows(3)) == 3


def test_user_kinds(page: LivePage, gate: GateProgram) -> None:
    """The kind of user is shown, and never a name or an address."""
    users = {
        "registered": {"user_id": 7, "user_text": PERSONAL, "is_temp": False},
        "temporary": {"user_id": 8, "user_text": PERSONAL, "is_temp": True},
        "IP": {"user_text": "192.0.2.1"},
        "unknown": {},
    }
    gate.post(*(scored(i, 0.1, performer=user) for i, user in enumerate(users.values(), 1)))
    rows = page.wait_for_rows(4)
    assert [row[3] for row in rows] == list(users)[::-1]
    source = page.driver.page_source
    assert PERSONAL not in source
    assert "192.0.2.1" not in source


def test_title_is_text(page: LivePage, gate: GateProgram) -> None:
    """A title that looks like HTML is shown as it is, and does nothing."""
    title = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>&amp;"
    event = scored(345, 0.1)
    event["page"]["page_title"] = title
    refused = scored(346, 0.1, wiki_id=f"<b>{title}</b>", dt=title)
    refused["page"]["page_title"] = title
    assert gate.post(event, refused) == 207
    rows = page.wait_for_rows(2)
    assert all(row[2].startswith(title) for row in rows)
    assert page.driver.title == "Revert risk, live"
    assert page.driver.find_elements(By.CSS_SELECTOR, "#body img, #body script, #body b") == []


def test_right_to_left_title(page: LivePage, gate: GateProgram) -> None:
    """A title from right to left does not turn what stands beside it."""
    event = scored(345, 0.1)
    event["page"]["page_title"] = "جبل (علم)"
    gate.post(event)
    page.wait_for_rows(1)
    title = page.driver.find_element(By.CSS_SELECTOR, ".page bdi")
    revision = page.driver.find_element(By.CSS_SELECTOR, ".page .revision")
    assert title.value_of_css_property("direction") == "rtl"
    assert title.value_of_css_property("unicode-bidi") == "isolate"
    assert title.rect["x"] < revision.rect["x"]


def test_link_to_the_mock_wiki(page: LivePage, gate: GateProgram) -> None:
    """The title links to the diff at the address that the gate was given."""
    gate.post(scored(345, 0.1, wiki_id="zh_yuewiki"), scored(346, 0.1, wiki_id="../x?y"))
    page.wait_for_rows(2)
    links = [link.get_attribute("href") for link in page.driver.find_elements(By.CSS_SELECTOR, ".page a")]
    assert links == [f"{DIFF_BASE}/_mock/diff/..%2Fx%3Fy/346", f"{DIFF_BASE}/_mock/diff/zh_yuewiki/345"]


def test_link_leads_to_the_diff(browser: LivePage, tmp_path: Path) -> None:
    """The title of a sample edit links to the mock MediaWiki's page about just that edit."""
    with (
        running(["mock-mediawiki", "--port", "0"], tmp_path / "wiki.log") as wiki,
        GateProgram("--diff-base", wiki.url) as gate,
    ):
        assert gate.post(scored(1364881020, 0.1, wiki_id="enwiki")) == 201
        browser.open(gate.url)
        browser.wait_for_rows(1)
        link = browser.driver.find_element(By.CSS_SELECTOR, ".page a")
        browser.driver.get(str(link.get_attribute("href")))
        assert browser.driver.title == "Lake Verrin: revision 1364881020"


def test_link_to_the_wiki(browser: LivePage) -> None:
    """Without such an address it links to the wiki itself, and a URI of another kind is no link."""
    with GateProgram() as gate:
        uris = ("https://nn.wikipedia.org/wiki/Fjell?x=1", "javascript:document.title='taken'", "/relative")
        for rev_id, uri in enumerate(uris, 1):
            event = scored(rev_id, 0.1)
            event["meta"]["uri"] = uri
            assert gate.post(event) == 201
        browser.open(gate.url)
        browser.wait_for_rows(3)
        [link] = browser.driver.find_elements(By.CSS_SELECTOR, ".page a")
        assert link.get_attribute("href") == "https://nn.wikipedia.org/wiki/Fjell?x=1&diff=1"


def test_filters_by_keyboard(page: LivePage, gate: GateProgram) -> None:
    """Wiki, model, risk and kind can be chosen with the keyboard alone, and cleared again."""
    broken = scored(9, 0.1)
    del broken["changelog_kind"]
    swedish = (scored(2, 0.95, wiki_id="svwiki"), scored(3, 0.6, MULTILINGUAL, wiki_id="svwiki"))
    gate.post(scored(1, 0.1), *swedish, broken)
    page.wait_for_rows(4)

    def shown() -> list[str]:
        return [row[2].split()[-1] for row in page.rows()]

    page.tab_to("filter-wiki")
    page.press("s")
    page.wait_for(lambda: shown() == ["3", "2"])
    page.press(Keys.ARROW_UP, Keys.ARROW_UP)
    page.wait_for(lambda: len(shown()) == 4)

    page.tab_to("filter-model")
    page.press(Keys.ARROW_DOWN, Keys.ARROW_DOWN)
    page.wait_for(lambda: shown() == ["3"])
    assert [head.split("\n")[0] for head in page.heads()[4:]] == [MULTILINGUAL]
    page.press(Keys.HOME)
    page.wait_for(lambda: len(shown()) == 4)

    page.tab_to("filter-risk")
    page.press(*[Keys.ARROW_RIGHT] * 14)
    page.wait_for(lambda: page.text("filter-risk-shown") == "0.70")
    assert sorted(shown()) == ["2", "9"]  # what is refused has no risk, and is not hidden for that

    page.driver.find_element(By.TAG_NAME, "body").click()
    page.tab_to("filter-kind")
    page.press("r")
    page.wait_for(lambda: shown() == ["9"])
    page.press(Keys.ARROW_UP)
    page.wait_for(lambda: shown() == ["2"])
    assert page.text("shown") == "1"

    while page.driver.switch_to.active_element.text != "Clear filters":
        page.press(Keys.TAB)
    page.press(Keys.ENTER)
    page.wait_for(lambda: len(shown()) == 4)
    assert page.text("filter-risk-shown") == "0.00"


def test_filters_hold_for_what_comes(page: LivePage, gate: GateProgram) -> None:
    """A revision comes into view as soon as one of its scores passes the filters."""
    gate.post(scored(1, 0.1))
    page.wait_for_rows(1)
    page.tab_to("filter-risk")
    page.press(Keys.END)
    page.wait_for_rows(0)
    assert page.text("empty-text") == "No event matches these filters."
    gate.post(scored(2, 0.2), scored(1, 1.0, MULTILINGUAL))
    [[*_, agnostic, multilingual]] = page.wait_for_rows(1)
    assert (agnostic.split()[0], multilingual.split()[0]) == ("0.100", "1.000")


def test_pause(page: LivePage, gate: GateProgram) -> None:
    """While paused, rows stay as they are and counts go on; afterwards what came meanwhile is shown."""
    gate.post(scored(1, 0.1))
    page.wait_for_rows(1)
    page.tab_to("pause")
    page.press(Keys.SPACE)
    assert page.element("pause").get_attribute("aria-pressed") == "true"
    gate.post(scored(2, 0.2), {"$schema": "/none/1.0.0"})
    page.wait_for(lambda: page.text("waiting") == "2 waiting")
    page.wait_for(lambda: (page.text("accepted"), page.text("refused")) == ("2", "1"))
    assert len(page.rows()) == 1
    page.press(Keys.SPACE)
    page.wait_for_rows(3)
    assert page.text("waiting") == ""


def test_focus_stays(page: LivePage, gate: GateProgram) -> None:
    """Whoever is at a row's link stays there when the row changes and others come."""
    gate.post(scored(1, 0.1))
    page.wait_for_rows(1)
    link = page.driver.find_element(By.CSS_SELECTOR, ".page a")
    address = link.get_attribute("href")
    page.driver.execute_script("arguments[0].focus()", link)
    gate.post(scored(2, 0.2), scored(1, 0.3, MULTILINGUAL), scored(1, 0.2))
    page.wait_for_rows(2)
    assert page.driver.switch_to.active_element.get_attribute("href") == address


def test_bounded(page: LivePage, gate: GateProgram) -> None:
    """Of many events the newest 500 rows are shown."""
    for first in range(0, 600, 100):
        assert gate.post(*(scored(first + i, 0.1) for i in range(1, 101))) == 201
    page.wait_for(lambda: page.text("shown") == "500" and page.rows()[0][2] == "Fjell 600")
    rows = page.rows()
    assert (len(rows), rows[-1][2]) == (500, "Fjell 101")
    page.wait_for(lambda: page.text("accepted") == "600")
    page.wait_for(lambda: page.text("rate")[0].isdigit() and float(page.text("rate")) > 0)


def test_restart(browser: LivePage) -> None:
    """When the gate is gone the page says so; when it is back the page begins anew by itself."""
    with GateProgram() as gate:
        browser.open(gate.url)
        gate.post(scored(1, 0.1), {"$schema": "/none/1.0.0"})
        browser.wait_for_rows(2)
        gate.stop()
        browser.wait_for(lambda: "does not answer" in browser.text("connection"))
        assert len(browser.rows()) == 2  # what was seen is not taken away
        gate.start()
        gate.post(scored(2, 0.2), {"$schema": "/none/1.0.0"})
        browser.wait_for(lambda: browser.text("connection") == "Live")
        browser.wait_for(lambda: [row[2] for row in browser.rows() if "Fjell" in row[2]] == ["Fjell 2"])
        browser.wait_for_rows(2)


def test_stream_that_is_cut(browser: LivePage) -> None:
    """A page whose stream ends every now and then misses nothing and shows nothing twice."""
    with GateProgram("--max-stream-seconds", "0.2") as gate:
        browser.driver.get(f"{gate.url}/_mock/")
        for rev_id in range(1, 6):
            gate.post(scored(rev_id, 0.1))
            browser.wait_for_rows(rev_id)


def test_no_stream_of_predictions(browser: LivePage, tmp_path: Path) -> None:
    """A gate whose configuration has no stream of predictions says so, and still shows what it refuses."""
    streams = tmp_path / "streams.yaml"
    streams.write_text("my.test: {schema_title: test/event}")
    with GateProgram("--stream-config", str(streams)) as gate:
        browser.driver.get(f"{gate.url}/_mock/")
        browser.wait_for(lambda: browser.text("connection") == "No prediction stream is configured")
        gate.post(scored(1, 0.1))
        [[*_, reason]] = browser.wait_for_rows(1)
        assert f"{ONE} is not configured." in reason


def test_emptied(page: LivePage, gate: GateProgram) -> None:
    """When the gate is emptied, so is the page; canaries are dropped; an event without a prediction has no score."""
    gate.post(scored(1, 0.1))
    page.wait_for_rows(1)
    gate.forget()
    page.wait_for_rows(0)
    canary, unscored = scored(1, 0.1), scored(2, 0.1)
    canary["meta"]["domain"] = "canary"
    del unscored["predicted_classification"]
    assert gate.post(canary, unscored, scored(3, 0.1)) == 201
    assert [row[2] for row in page.wait_for_rows(2)] == ["Fjell 3", "Fjell 2"]
    assert page.rows()[1][4].split()[0] == "—"


def test_nothing_from_outside(page: LivePage, gate: GateProgram) -> None:
    """All that the page loads comes from the gate."""
    script = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    loaded = page.driver.execute_script(script)
    assert len(loaded) > 8
    assert all(name.startswith(f"{gate.url}/") for name in loaded)


def test_without_javascript(browser: LivePage, gate: GateProgram) -> None:
    """Without JavaScript the page says what it needs and where the same can be read."""
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.driver.get(f"{gate.url}/_mock/")
        note = browser.driver.find_element(By.CSS_SELECTOR, "noscript .note")
        assert note.is_displayed()
        assert "needs JavaScript" in note.text
    finally:
        browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_dark(page: LivePage, gate: GateProgram) -> None:
    """The page is dark for those who prefer that."""
    brightness = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(page.driver.execute_script(brightness)) > 200
    prefer_colours(page.driver, "dark")
    assert max(page.driver.execute_script(brightness)) < 50
