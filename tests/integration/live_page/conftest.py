from collections.abc import Iterator

import pytest

from tests.fakes.installed import installed
from tests.integration.live_page.browser import INSTALL, chromium, prefer_colours
from tests.integration.live_page.gate_program import GateProgram
from tests.integration.live_page.live_page import LivePage

DIFF_BASE = "http://127.0.0.1:8193"


@pytest.fixture(scope="session")
def shared_gate() -> Iterator[GateProgram]:
    with GateProgram("--diff-base", f"{DIFF_BASE}/") as gate:
        yield gate


@pytest.fixture
def gate(shared_gate: GateProgram) -> GateProgram:
    """Return an empty mock EventGate."""
    shared_gate.forget()
    return shared_gate


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePage]:
    for program in ("chromium", "chromedriver"):
        installed(program, INSTALL)
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as driver:
        yield LivePage(driver)


@pytest.fixture
def browser(shared_browser: LivePage) -> Iterator[LivePage]:
    """Return a browser that shows nothing yet; what it complains about meanwhile fails the test."""
    prefer_colours(shared_browser.driver, "light")
    shared_browser.complaints()
    yield shared_browser
    shared_browser.driver.get("about:blank")
    assert shared_browser.complaints() == []


@pytest.fixture
def page(browser: LivePage, gate: GateProgram) -> LivePage:
    """Return the live page of the empty gate, connected."""
    browser.open(gate.url)
    return browser
