"""The live page for those who do not see it, or do not see it well, or use no mouse."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.integration.live_page.browser import prefer_colours
from tests.integration.live_page.gate_program import MULTILINGUAL, GateProgram, scored
from tests.integration.live_page.live_page import LivePage

pytestmark = pytest.mark.ci("browser")

# The contrast of each text with what it stands on, as WCAG 2 computes it; only the worst are returned.
_POOR_CONTRAST = """
const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
const luminance = (colour) => {
  const [r, g, b] = channels(colour).slice(0, 3).map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if ((channels(colour)[3] ?? 1) === 1) return colour;
  }
};
document.getAnimations().forEach((animation) => animation.finish());
const poor = [];
let seen = 0;
for (const element of document.querySelectorAll("body *")) {
  const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!hasText || !element.checkVisibility() || element.closest(".unseen, option, script, noscript")) continue;
  seen += 1;
  const pair = [getComputedStyle(element).color, behind(element)].map(luminance).sort().reverse();
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < 4.5) poor.push(`${element.className} ${element.textContent.trim()}: ${contrast.toFixed(2)}`);
}
return [seen, poor];
"""
_COUNT_ANNOUNCEMENTS = """
window.announced = [];
const announcer = document.getElementById("announcer");
new MutationObserver(() => window.announced.push(announcer.textContent)).observe(announcer, {childList: true});
"""
_NAMED_ROLES = {"button", "combobox", "link", "slider", "table", "form", "region"}


@pytest.fixture
def busy_page(page: LivePage, gate: GateProgram) -> LivePage:
    """Return a page with everything on it that it can show."""
    gate.post(scored(1, 0.1), scored(2, 0.4, MULTILINGUAL), scored(3, 0.9), {"$schema": "/none/1.0.0"})
    page.wait_for_rows(4)
    page.wait_for(lambda: page.text("refused") == "1")
    return page


def accessible_nodes(page: LivePage) -> list[tuple[str, str]]:
    """Return role and name of what the browser tells a screen reader."""
    nodes: list[dict[str, Any]] = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    return [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node["ignored"] and "role" in node
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(busy_page: LivePage, scheme: str) -> None:
    """All text can be told from what it stands on, light or dark."""
    prefer_colours(busy_page.driver, scheme)
    seen, poor = busy_page.driver.execute_script(_POOR_CONTRAST)
    assert seen > 30
    assert poor == []


def test_names_and_landmarks(busy_page: LivePage) -> None:
    """What can be operated or jumped to has a name, and the page's parts are landmarks."""
    nodes = accessible_nodes(busy_page)
    assert [node for node in nodes if node[0] in _NAMED_ROLES and not node[1]] == []
    roles = {role for role, _ in nodes}
    assert {"banner", "main", "contentinfo", "form", "table", "columnheader", "rowheader", "status"} <= roles
    names = {name for role, name in nodes if role in {"combobox", "slider", "button"}}
    assert names == {"Show", "Wiki", "Model", "Minimal risk", "Clear filters", "Pause"}


def test_focus_can_be_seen(busy_page: LivePage) -> None:
    """Whatever Tab reaches shows that it has the focus, in the order of the page."""
    reached = []
    for _ in range(14):
        busy_page.press(Keys.TAB)
        focused = busy_page.driver.switch_to.active_element
        assert focused.value_of_css_property("outline-style") == "solid"
        reached.append(focused.get_attribute("id") or focused.get_attribute("role") or focused.text)
    assert reached == [
        "Skip to the edits",
        "filter-kind",
        "filter-wiki",
        "filter-model",
        "filter-risk",
        "Clear filters",
        "pause",
        "region",
        *["Fjell"] * 3,
        "accepted",
        "refused",
        "counts",
    ]


def test_risk_is_not_in_colour_alone(busy_page: LivePage) -> None:
    """Each risk has its number and its word."""
    risks = [found.text.split() for found in busy_page.driver.find_elements(By.CSS_SELECTOR, ".risk")]
    assert sorted(risks) == [["0.100", "low"], ["0.400", "medium"], ["0.900", "high"]]


def test_screen_readers_are_not_flooded(page: LivePage, gate: GateProgram) -> None:
    """What comes is told in sums, not one by one, and no row is told by itself; reasons are told when asked for."""
    page.driver.execute_script(_COUNT_ANNOUNCEMENTS)
    for rev_id in range(1, 41):
        gate.post(scored(rev_id, 0.1))
        page.wait_for_rows(rev_id)
    page.wait_for(lambda: page.driver.execute_script("return window.announced.length > 0"))
    announced = page.driver.execute_script("return window.announced")
    assert announced[0] == "1 new prediction."
    assert len(announced) < 10
    live = page.driver.find_elements(By.CSS_SELECTOR, "[aria-live], [role=status], [role=alert], [role=log]")
    assert [element.get_attribute("id") for element in live] == ["connection", "reasons-body", "announcer"]


@pytest.fixture
def phone(busy_page: LivePage) -> Iterator[LivePage]:
    """Return the page on a phone's screen."""
    metrics = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    busy_page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    yield busy_page
    wide = metrics | {"width": 1280, "height": 800}
    busy_page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", wide)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_a_row_on_a_phone(phone: LivePage, scheme: str) -> None:
    """T3: the risk comes first, with its model's name; all is readable without scrolling sideways, as a table still."""
    prefer_colours(phone.driver, scheme)
    assert phone.driver.execute_script("return document.documentElement.scrollWidth") <= 390
    for row in phone.driver.find_elements(By.CSS_SELECTOR, "#body tr.prediction"):
        cells = row.find_elements(By.CSS_SELECTOR, "td:not([hidden]), th")
        assert all(cell.is_displayed() and cell.rect["x"] + cell.rect["width"] <= 390 for cell in cells)
        top = min(cells, key=lambda cell: cell.rect["y"])
        assert "score" in str(top.get_attribute("class"))
    roles = {role for role, _ in accessible_nodes(phone)}
    assert {"table", "row", "columnheader", "rowheader", "cell"} <= roles
    assert phone.driver.execute_script(_POOR_CONTRAST)[1] == []


def test_filters_are_folded_on_a_phone(phone: LivePage) -> None:
    """T3: the filters open by keyboard, say how many are active when folded, and cards fill the screen."""
    phone.wait_for(lambda: not phone.element("filter-wiki").is_displayed())
    assert phone.driver.find_element(By.CSS_SELECTOR, "#body tr").rect["y"] < 400
    summary = phone.driver.find_element(By.CSS_SELECTOR, "#filter-fold summary")
    phone.driver.execute_script("arguments[0].focus()", summary)
    phone.press(Keys.ENTER)
    phone.tab_to("filter-kind")
    phone.press("r")
    phone.wait_for_rows(1)
    summary.click()
    phone.wait_for(lambda: not phone.element("filter-wiki").is_displayed())
    assert summary.text == "Filters (1 active)"
