# ruff: noqa: INP001 - a folder of documents is no package
"""Make the reports' pictures in ``docs/screenshots``: ``python -m docs.report_screenshots``, from the project's folder.

The commands report on the lake of the examples in docs/reports.md, and a browser looks at their pages. Needed:
``apt-get install -y chromium chromium-driver fonts-noto-core``.
"""

import sys
import tempfile
from pathlib import Path
from typing import Final

from selenium.webdriver import Chrome
from typer.testing import CliRunner

from revertrisk.cli.app import app
from tests.fakes.outcome_lake import edits, events_of, list_bots, new_lake
from tests.integration.live_page.browser import CHROMIUM, DRIVER, INSTALL, chromium, prefer_colours

FOLDER: Final = Path(__file__).parent / "screenshots"
_REPORTS: Final = {
    "outcomes": (),
    "whatif": ("--wiki", "enwiki", "--share", "0.75", "--a-day", "5"),
    "bots": ("--until", "2026-10-31"),
}
_VIEWS: Final = {
    "": (1280, 800, "light"),
    "-dark": (1280, 800, "dark"),
    "-phone": (390, 844, "light"),
    "-phone-dark": (390, 844, "dark"),
}
_PICTURES: Final = {"outcomes": tuple(_VIEWS), "whatif": ("", "-phone-dark"), "bots": ("", "-phone")}
_MAX_BYTES: Final = 170_000


def main() -> None:
    """Make the lake and the reports, and take the pictures."""
    if CHROMIUM is None or DRIVER is None:
        sys.exit(f"Chromium or its driver is missing: {INSTALL}")
    with tempfile.TemporaryDirectory(prefix="revertrisk-screenshots-") as folder:
        lake = new_lake(Path(folder), events_of(edits(8_000), until_s=40 * 86_400.0))
        list_bots(lake)
        with chromium(Path(folder) / "profile") as browser:
            for command, flags in _REPORTS.items():
                page = Path(folder) / f"{command}.html"
                result = CliRunner().invoke(app, [command, "--lake", lake.root, *flags, "--html", str(page)])
                if result.exit_code:
                    sys.exit(result.output)
                for view in _PICTURES[command]:
                    _take(browser, page, f"report-{command}{view}", *_VIEWS[view])


def _take(browser: Chrome, page: Path, name: str, width: int, height: int, scheme: str) -> None:  # noqa: PLR0913, PLR0917
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    prefer_colours(browser, scheme)
    browser.get(page.as_uri())
    path = FOLDER / f"{name}.png"
    browser.save_screenshot(str(path))
    size_of = path.stat().st_size
    if size_of > _MAX_BYTES:
        sys.exit(f"{path}: expected at most {_MAX_BYTES} bytes, not {size_of}")
    print(f"{path.relative_to(Path.cwd())}: {size_of} bytes")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
