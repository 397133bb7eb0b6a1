from collections.abc import Iterator

import pytest

from tests.fakes.installed import installed
from tests.integration.dashboard.dashboard_page import DESKTOP, DashboardPage
from tests.integration.dashboard.program import DashboardProgram
from tests.integration.live_page.browser import INSTALL, chromium, prefer_colours


@pytest.fixture(scope="session")
def shared_browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DashboardPage]:
    for program in ("chromium", "chromedriver"):
        installed(program, INSTALL)
    with chromium(tmp_path_factory.mktemp("chromium") / "profile") as driver:
        yield DashboardPage(driver)


@pytest.fixture
def browser(shared_browser: DashboardPage) -> Iterator[DashboardPage]:
    """Return a browser that shows nothing yet; what it complains about meanwhile fails the test."""
    prefer_colours(shared_browser.driver, "light")
    shared_browser.resize(DESKTOP)
    shared_browser.complaints()
    yield shared_browser
    shared_browser.driver.get("about:blank")
    assert shared_browser.complaints() == []


@pytest.fixture
def dashboard() -> Iterator[DashboardProgram]:
    with DashboardProgram("--diff-base", "http://127.0.0.1:8193") as program:
        yield program


@pytest.fixture
def page(browser: DashboardPage, dashboard: DashboardProgram) -> DashboardPage:
    """Return the page of a dashboard that has been told nothing."""
    browser.open(dashboard.url)
    return browser
