"""The dashboard as its user sees it."""

from typing import Any

from selenium.webdriver.common.by import By

from tests.integration.live_page.live_page import LivePage

PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
DESKTOP = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
_CARDS = """
return [...document.querySelectorAll("#cards .card")].map((card) => [
  card.querySelector("h3").innerText, card.querySelector(".number").innerText, card.querySelector("p").innerText,
]);
"""


class DashboardPage(LivePage):
    """A browser at a dashboard."""

    def open(self, url: str, query: str = "") -> None:
        """Open the page and wait until it is connected."""
        self.driver.get(f"{url}/{query}")
        self.wait_for(lambda: self.text("connection") == "Live")

    def cards(self) -> list[list[str]]:
        """Return title, risk and facts of each card, in order; all at one moment."""
        cards: list[list[str]] = self.driver.execute_script(_CARDS)
        return cards

    def shows_after_new(self, title: str) -> bool:
        """Show the edits that wait, if there are any, and return whether one has a title."""
        button = self.element("show-new")
        if button.is_displayed():
            button.click()
        return title in self.titles()

    def sentences(self) -> list[str]:
        """Return the sentence with which each chart begins."""
        return [each.text for each in self.driver.find_elements(By.CSS_SELECTOR, ".chart .sentence")]

    def titles(self) -> list[str]:
        """Return the titles in order."""
        return [card[0] for card in self.cards()]

    def wait_for_titles(self, *titles: str) -> None:
        """Wait until these cards are shown in this order."""
        self.wait_for(lambda: self.titles() == list(titles))

    def resize(self, metrics: dict[str, Any]) -> None:
        """Make the screen another one."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
