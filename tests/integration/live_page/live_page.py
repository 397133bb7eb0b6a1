"""The live page as its user sees it."""

from collections.abc import Callable

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 30
"""Seconds until something that does not come counts as missing."""
_ROWS = """
const cells = (row) => [...row.cells].filter((cell) => !cell.hidden).map((cell) => cell.innerText.trim());
return [...document.querySelectorAll("#body tr")].map(cells);
"""


class LivePage:
    """A browser at the live page of a gate."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, gate: str) -> None:
        """Open a gate's page and wait until it is connected."""
        self.driver.get(f"{gate}/_mock/")
        self.wait_for(lambda: self.text("connection") == "Live")

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait until something is so."""
        WebDriverWait(self.driver, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def element(self, name: str) -> WebElement:
        """Return the element with an id."""
        return self.driver.find_element(By.ID, name)

    def text(self, name: str) -> str:
        """Return the text of the element with an id."""
        return self.element(name).text

    def rows(self) -> list[list[str]]:
        """Return the text of each cell that is shown, row by row; all at one moment."""
        rows: list[list[str]] = self.driver.execute_script(_ROWS)
        return rows

    def heads(self) -> list[str]:
        """Return the texts over the columns that are shown."""
        found = self.driver.find_elements(By.CSS_SELECTOR, "#heads th")
        return [head.text for head in found if head.is_displayed()]

    def wait_for_rows(self, number: int) -> list[list[str]]:
        """Wait until so many rows are shown, and return them."""
        self.wait_for(lambda: len(self.rows()) == number)
        return self.rows()

    def focused(self) -> str:
        """Return the id of the element that has the focus; empty if it has none."""
        return str(self.driver.switch_to.active_element.get_attribute("id"))

    def press(self, *keys: str) -> None:
        """Press keys, wherever the focus is."""
        for key in keys:
            self.driver.switch_to.active_element.send_keys(key)

    def tab_to(self, name: str) -> None:
        """Press Tab until the element with an id has the focus."""
        for _ in range(30):
            if self.focused() == name:
                return
            self.press(Keys.TAB)
        raise AssertionError(f"{name} cannot be reached with the keyboard")

    def complaints(self) -> list[str]:
        """Return what the browser has complained about since the last time, lost connections apart."""
        entries = self.driver.get_log("browser")  # type: ignore[no-untyped-call]  # Selenium's Chromium part has no types
        return [entry["message"] for entry in entries if "net::ERR_" not in entry["message"]]
