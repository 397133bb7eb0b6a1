"""The dashboard for those who do not see it, or do not see it well, or use no mouse; its charts; and what it holds."""

import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from revertrisk.alerts.bank import model_as_json
from revertrisk.alerts.history import EDITS
from revertrisk.alerts.incidents import Incident, Series
from revertrisk.alerts.series_fit import fit_series
from revertrisk.alerts.store import Store
from revertrisk.lake import Reader
from tests.fakes.installed import installed
from tests.fakes.lake_events import MULTILINGUAL, START, edits, page_change, prediction
from tests.fakes.lakes import filled_lake
from tests.fakes.streamed_edits import AGNOSTIC, page_changed, scored
from tests.integration.dashboard.dashboard_page import DESKTOP, PHONE, DashboardPage
from tests.integration.dashboard.program import DashboardProgram
from tests.integration.live_page.browser import prefer_colours

pytestmark = pytest.mark.ci("browser")

AXE = "axe-core@4.14.1"
_RUN_AXE = """
const [done] = arguments;
axe.run(document, {resultTypes: ["violations"]}).then(({violations}) => done(violations
  .filter(({impact}) => impact === "serious" || impact === "critical")
  .map(({id, nodes}) => `${id}: ${nodes.map(({html}) => html).join(" ")}`)));
"""
_COUNT_PIXELS = """
const canvas = document.querySelector(".chart canvas");
const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
let found = 0;
for (let at = 0; at < data.length; at += 4) found += arguments[0].every((part, place) => data[at + place] === part);
return found;
"""
_HEAP = "return performance.memory.usedJSHeapSize"
REPLAYED = 10_000
MOST_GROWTH = 4_000_000
"""Bytes; the messages of the replay alone are three times as many."""


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the script of axe-core, from npm."""
    npm = installed("npm", "as root: apt-get install -y npm")
    folder = tmp_path_factory.mktemp("axe")
    subprocess.run([npm, "pack", "--silent", AXE], cwd=folder, check=True, capture_output=True, timeout=100)
    [archive] = folder.glob("*.tgz")
    with tarfile.open(archive) as files:
        script = files.extractfile("package/axe.min.js")
        assert script is not None
        return script.read().decode()


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> str:
    known = list(edits(1500, days=2))
    events = [page_change(edit) for edit in known]
    events += [prediction(edit, model) for edit in known for model in (AGNOSTIC, MULTILINGUAL)]
    return filled_lake(tmp_path_factory.mktemp("lake"), events)


@pytest.fixture
def busy(browser: DashboardPage, lake: str) -> Iterator[DashboardPage]:
    """Return the page with all that it can show."""
    explain = ("--explain-by", f"{AGNOSTIC}=http://127.0.0.1:9")
    with DashboardProgram("--lake", lake, *explain) as dashboard:
        dashboard.tell(
            *(
                scored(n, 0.55 + n / 100, page_id=n, title="جبل (علم)" if n % 2 else "Lake_Verrin")
                for n in range(1, 9)
            ),
            page_changed(20, page_id=8, undoes=(8, 8)),
        )
        browser.open(dashboard.url)
        browser.wait_for(lambda: len(browser.cards()) == 7)
        yield browser


def show_charts(page: DashboardPage) -> None:
    """Go to the charts of the whole lake and wait until they are there."""
    page.wait_for(lambda: page.element("view-charts").is_displayed())
    page.element("view-charts").click()
    Select(page.element("hours")).select_by_value("168")
    page.wait_for(lambda: len(page.driver.find_elements(By.CSS_SELECTOR, ".chart table")) == 6)


@pytest.mark.parametrize("metrics", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    busy: DashboardPage, axe: str, metrics: dict[str, Any], scheme: str
) -> None:
    """Neither view has a finding of axe-core that is serious or critical, on no screen, light or dark."""
    busy.resize(metrics)
    prefer_colours(busy.driver, scheme)
    busy.driver.execute_script(axe)
    busy.wait_for(lambda: busy.driver.execute_script("return document.getAnimations().length === 0"))
    assert busy.driver.execute_async_script(_RUN_AXE) == []
    show_charts(busy)
    for details in busy.driver.find_elements(By.CSS_SELECTOR, ".chart details > summary"):
        details.click()
    assert busy.driver.execute_async_script(_RUN_AXE) == []
    assert busy.driver.execute_script("return document.documentElement.scrollWidth") <= metrics["width"]


def test_charts_by_keyboard(busy: DashboardPage) -> None:
    """The view, its filters, a chart's table and its SQL are reached and opened with the keyboard alone."""
    busy.wait_for(lambda: busy.element("view-charts").is_displayed())
    busy.tab_to("view-charts")
    busy.press(Keys.ENTER)
    busy.wait_for(lambda: busy.element("charts").is_displayed())
    busy.tab_to("hours")
    busy.press(Keys.END)
    busy.wait_for(lambda: "hours=720" in busy.driver.current_url)
    busy.wait_for(lambda: len(busy.driver.find_elements(By.CSS_SELECTOR, ".chart table")) == 6)
    busy.press(Keys.TAB, Keys.ENTER)
    table = busy.driver.find_element(By.CSS_SELECTOR, ".chart table")
    busy.wait_for(table.is_displayed)
    busy.press(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER)
    busy.wait_for(busy.driver.find_element(By.CSS_SELECTOR, ".chart pre").is_displayed)


def test_numbers_on_the_page_are_those_of_its_sql(busy: DashboardPage, lake: str) -> None:
    """What the table shows is what the SQL beside it gives."""
    show_charts(busy)
    chart = busy.driver.find_elements(By.CSS_SELECTOR, ".chart")[3]
    busy.wait_for(lambda: "Busiest pages" in chart.text)
    shown = [row.text for row in chart.find_elements(By.CSS_SELECTOR, "tbody tr")]
    sql = str(chart.find_element(By.TAG_NAME, "pre").get_attribute("textContent"))
    rows = Reader(lake).query(sql).fetchall()
    assert len(shown) == len(rows) == 20
    for text, (wiki_id, title, people, number, _) in zip(shown, rows, strict=True):
        assert text.startswith(wiki_id)
        assert f"{title.replace('_', ' ')} {people} {number} " in text
    charts = busy.driver.find_elements(By.CSS_SELECTOR, ".chart canvas")
    assert [canvas.is_displayed() for canvas in charts] == [True, True]


def test_charts_begin_with_a_sentence(busy: DashboardPage) -> None:
    """Each chart says in one sentence what it shows, and of which time; its definitions are folded."""
    show_charts(busy)
    busy.wait_for(lambda: all(busy.sentences()) and len(busy.sentences()) == 6)
    edits_seen, _, at_risk, _, _, outcomes = busy.sentences()
    assert edits_seen.startswith("1,500 edits, ")
    wikis = {edit.wiki_id for edit in edits(1500, days=2)}
    assert at_risk.startswith("Of 1,500 scored edits, ")
    assert at_risk.endswith(f"wikis: {len(wikis)}.")
    assert outcomes == "It cannot be said yet how many of the listed edits are reverted."
    chart = busy.driver.find_element(By.CSS_SELECTOR, ".chart")
    assert "the time of the newest edit in the lake" in chart.text
    assert "surges are shaded" not in chart.text


def test_screen_readers(busy: DashboardPage) -> None:
    """Whatever can be operated has a name, and what moves by itself is told in sums by one region."""
    nodes = busy.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = {"button", "combobox", "link", "form", "navigation", "region"}
    found = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and "role" in node
    ]
    assert [node for node in found if node[0] in named and not node[1]] == []
    assert {"banner", "navigation", "main", "form", "list", "listitem", "heading", "status"} <= {
        role for role, _ in found
    }
    live = busy.driver.find_elements(By.CSS_SELECTOR, "[aria-live], [role=status], [role=alert], [role=log]")
    assert [element.get_attribute("id") for element in live] == ["connection", "reasons-body", "announcer"]


def test_heap_stays_flat(page: DashboardPage, dashboard: DashboardProgram) -> None:
    """A page that has seen ten thousand events holds no more than one that has seen a few hundred."""

    def heap_after(first: int, last: int) -> int:
        for start in range(first, last, 200):
            events = [scored(n, 0.9, page_id=n % 500, title=f"Page {n}") for n in range(start, start + 200)]
            reverts = [page_changed(n + 1, page_id=n % 500, undoes=(n, n)) for n in range(start, start + 150)]
            dashboard.tell(*events, *reverts)
            newest = f"Page {start + 199}"
            page.wait_for(lambda newest=newest: page.shows_after_new(newest))
        page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
        return int(page.driver.execute_script(_HEAP))

    few = heap_after(1, 1000)
    assert heap_after(1001, REPLAYED) < few + MOST_GROWTH


def test_a_surge_is_told_and_shaded(browser: DashboardPage, lake: str, tmp_path: Path) -> None:
    """An open surge stands over the edits and beside the chart of its time, whose shade has its words too."""
    begin, state = int(START.timestamp()) // 60, tmp_path / "surge.sqlite"
    with Store(str(state)) as store:
        for number, (since, ended) in enumerate(((300, 420), (2000, None))):
            until = None if ended is None else begin + ended
            incident = Incident(str(number), "enwiki", "edits", begin + since, begin + since, ended=until)
            store.note_incident(replace(incident, observed=90, expected=30).as_state())
        store.commit()
    with DashboardProgram("--lake", lake, "--surges", str(state)) as dashboard:
        browser.open(dashboard.url)
        browser.wait_for(
            lambda: browser.text("surges").startswith("enwiki: more edits than usual, 3 times the usual,")
        )
        show_charts(browser)
        chart = browser.driver.find_element(By.CSS_SELECTOR, ".chart .surges")
        assert len(chart.find_elements(By.TAG_NAME, "li")) == 2
        assert painted(browser, "--high-back") > 1000


def painted(page: DashboardPage, colour: str) -> int:
    """Return how many pixels of the first chart have a colour of the style sheet."""
    script = "return getComputedStyle(document.body).getPropertyValue(arguments[0]).trim()"
    shade = str(page.driver.execute_script(script, colour)).lstrip("#")
    rgb = [int(shade[place : place + 2], 16) for place in (0, 2, 4)]
    return int(page.driver.execute_script(_COUNT_PIXELS, rgb))


def test_what_is_usual_is_a_band(browser: DashboardPage, lake: str, tmp_path: Path) -> None:
    """With the state of a watch, the edits of a wiki stand beside what is usual at that hour."""
    end, state = int(START.timestamp()) // 60, tmp_path / "surge.sqlite"
    with Store(str(state)) as store:
        for minute in range(end - 3 * 1440, end):
            store.history.add("enwiki", EDITS, minute, 1 + minute % 2)
        watched = fit_series(
            store, "enwiki", ["enwiki"], Series.EDITS, begun=end - 3 * 1440, end=end, known=None
        )
        assert watched is not None
        store.note_series("enwiki", "edits", model_as_json(watched.model), watched.state)
        store.commit()
    with DashboardProgram("--lake", lake, "--surges", str(state)) as dashboard:
        browser.open(dashboard.url, "?wiki=enwiki")
        show_charts(browser)
        browser.wait_for(
            lambda: "usual at this hour" in browser.driver.find_element(By.CLASS_NAME, "legend").text
        )
        assert painted(browser, "--arrival") > 1000


def test_nothing_from_outside(busy: DashboardPage, tmp_path: Path) -> None:
    """All that the page loads comes from its server."""
    show_charts(busy)
    loaded = busy.driver.execute_script(
        "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    )
    origin = busy.driver.execute_script("return location.origin")
    assert len(loaded) > 20
    assert all(name.startswith(f"{origin}/") for name in loaded)
