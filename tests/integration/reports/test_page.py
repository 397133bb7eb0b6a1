"""The pages of the reports in a real browser: desktop and phone, light and dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from typer.testing import CliRunner

from revertrisk.cli.app import app
from revertrisk.lake.tables import Lake
from tests.integration.live_page.browser import CHROMIUM, DRIVER, INSTALL, chromium, prefer_colours

pytestmark = [
    pytest.mark.ci("browser"),
    pytest.mark.skipif(CHROMIUM is None or DRIVER is None, reason=f"no Chromium: {INSTALL}"),
]
DESKTOP = 1280
COMMANDS = {
    "outcomes": (),
    "whatif": ("--wiki", "enwiki", "--a-day", "5"),
    "bots": (),
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with chromium(tmp_path_factory.mktemp("browser") / "profile") as driver:
        yield driver


@pytest.mark.parametrize("command", COMMANDS)
def test_the_page_fits_and_follows_colours(browser: Chrome, lake: Lake, tmp_path: Path, command: str) -> None:
    """Nothing is wider than the window, on a desktop no table scrolls, no error is logged; plots follow the mode."""
    page = tmp_path / "report.html"
    result = CliRunner().invoke(app, [command, "--lake", lake.root, *COMMANDS[command], "--html", str(page)])
    assert result.exit_code == 0, result.output
    seen = set()
    for width, scheme in ((DESKTOP, "light"), (DESKTOP, "dark"), (390, "light"), (390, "dark")):
        size = {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        prefer_colours(browser, scheme)
        browser.get(page.as_uri())
        assert browser.execute_script("return document.documentElement.scrollWidth") == width
        for selector in ("svg", "p", "h1", "h2", "dd"):
            script = f"return [...document.querySelectorAll('{selector}')].map(e => e.getBoundingClientRect().right)"
            assert all(right <= width for right in browser.execute_script(script))
        if width == DESKTOP:
            wide = "return [...document.querySelectorAll('.scroll')].filter(e => e.scrollWidth > e.clientWidth).length"
            assert browser.execute_script(wide) == 0
        colours = browser.execute_script(
            "const of = e => getComputedStyle(e);"
            "return [of(document.body).backgroundColor, of(document.body).color,"
            " of(document.querySelector('svg text')).fill]"
        )
        seen.add((scheme, *colours))
        assert colours[1] == colours[2] != colours[0]
        assert browser.get_log("browser") == []
    assert len(seen) == 2
