# ruff: noqa: INP001 - a folder of documents is no package
"""Make the pictures in ``docs/screenshots``: ``python -m docs.screenshots``, from the project's folder.

The real programs run on loopback, the sample edits go through both models, and a browser looks at the live page and
at the dashboard, whose charts are of a lake with made-up edits. Needed:
``apt-get install -y chromium chromium-driver fonts-noto-core fonts-noto-cjk``.
"""

import asyncio
import copy
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Final

import urllib3

from mock_mediawiki.page_changes import write_page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.alerts.incidents import Incident
from revertrisk.alerts.store import Store
from revertrisk.cli.programs import LOOPBACK, running
from revertrisk.dispatcher.app import DispatchSettings, dispatch
from revertrisk.event_platform.streams import PREDICTION_STREAMS
from revertrisk.wiki.table import WikiTable
from tests.fakes.lake_events import START, edits, page_change, prediction
from tests.fakes.lakes import filled_lake
from tests.integration.dashboard.dashboard_page import DashboardPage
from tests.integration.live_page.browser import CHROMIUM, DRIVER, INSTALL, chromium, prefer_colours
from tests.integration.live_page.live_page import LivePage

FOLDER: Final = Path(__file__).parent / "screenshots"
_SHOWN_LAST: Final = 22
_FEWEST_CARDS: Final = 5
_CHARTS: Final = 6
_MAX_BYTES: Final = 200_000
_DESKTOP: Final = (1280, 800)
_PHONE: Final = (390, 844)


def main() -> None:
    """Start the programs, take the pictures, and end the programs."""
    if CHROMIUM is None or DRIVER is None:
        sys.exit(f"Chromium or its driver is missing: {INSTALL}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-screenshots-")))
        wiki = stack.enter_context(running(["mock-mediawiki", "--port", "0"], folder / "wiki.log")).url
        gate = stack.enter_context(_gate("--diff-base", wiki))
        servers = {
            model: stack.enter_context(
                running(["serve"], folder / f"{model}.log", _settings(model, wiki, gate))
            ).url
            for model in PREDICTION_STREAMS
        }
        urllib3.request("PUT", f"{gate}/_mock/explainers", json=servers)
        page = LivePage(stack.enter_context(chromium(folder / "profile")))
        prefer_colours(page.driver, "light")
        page.open(gate)
        page.wait_for(lambda: page.element("empty").is_displayed())
        _take(page, "live-empty")
        asyncio.run(_dispatch(folder, servers))
        _settle(page, gate)
        _take(page, "live-busy")
        _show_reasons(page)
        _take(page, "live-reasons")
        _resize(page, *_PHONE)
        _take(page, "live-phone-reasons")
        page.element("reasons-close").click()
        _take(page, "live-phone")
        _resize(page, *_DESKTOP)
        _post_refused(gate)
        _settle(page, gate)
        _take(page, "live-refused")
        prefer_colours(page.driver, "dark")
        _take(page, "live-dark")
        _take_dashboard(stack, folder, page, wiki=wiki, gate=gate, servers=servers)


def _surge(folder: Path) -> Path:
    """Write the state of a watch with a surge in the time of the made-up edits, which is open."""
    path, begin = folder / "surge.sqlite", int(START.timestamp()) // 60 + 1800
    with Store(str(path)) as store:
        surge = Incident("1", "enwiki", "high_risk", begin, begin + 5, observed=96, expected=31)
        store.note_incident(surge.as_state())
        store.commit()
    return path


def _thresholds(folder: Path) -> Path:
    """Write low thresholds for the sample edits: those with a high risk have all been reverted."""
    limits = [{"wiki_id": "all", "group": "all", "threshold": {"value": 0.03}}]
    models = [
        {"model_name": model, "model_version": "revertrisk-events-2", "limits": limits}
        for model in PREDICTION_STREAMS
    ]
    path = folder / "thresholds.json"
    path.write_text(json.dumps(models))
    return path


def _take_dashboard(  # noqa: PLR0913 - what runs
    stack: ExitStack, folder: Path, page: LivePage, *, wiki: str, gate: str, servers: dict[str, str]
) -> None:
    known = list(edits(9_000, days=2))
    changes = [page_change(edit) for edit in known]
    predictions = [prediction(edit, model) for edit in known for model in servers]
    lake = filled_lake(folder, [*changes, *predictions])
    flags = [
        f"--lake={lake}",
        f"--diff-base={wiki}",
        f"--thresholds={_thresholds(folder)}",
        "--threshold=0.9",
        "--silent-after=3600",
        "--port=0",
    ]
    flags += [f"--explain-by={model}={server}" for model, server in servers.items()]
    streams = ",".join(PREDICTION_STREAMS.values())
    sources = [
        f"--source=jsonl:{folder / 'page_changes.jsonl'}",
        f"--source=eventstreams:{gate}/v2/stream/{streams}",
    ]
    seen = DashboardPage(page.driver)
    quiet = ["dashboard", sources[1], "--threshold=0.99", "--silent-after=3600", "--port=0"]
    with running(quiet, folder / "empty.log") as empty:
        prefer_colours(seen.driver, "light")
        _resize(seen, *_PHONE)
        seen.open(empty.url)
        seen.wait_for(lambda: seen.element("empty").is_displayed())
        _take(seen, "dashboard-phone-empty")
    url = stack.enter_context(running(["dashboard", *sources, *flags], folder / "dashboard.log")).url
    with running(
        ["dashboard", *sources, *flags, f"--surges={_surge(folder)}"], folder / "surge.log"
    ) as watched:
        _resize(seen, *_DESKTOP)
        seen.open(watched.url)
        seen.wait_for(lambda: seen.text("surges") and seen.element("view-charts").is_displayed())
        _take(seen, "dashboard-surge")
        seen.open(watched.url, "?view=charts&hours=168")
        seen.wait_for(lambda: len(seen.driver.find_elements("css selector", ".chart table")) == _CHARTS)
        _take(seen, "dashboard-surge-chart")
    for scheme in ("light", "dark"):
        prefer_colours(seen.driver, scheme)
        for screen, size in (("", _DESKTOP), ("-phone", _PHONE)):
            _resize(seen, *size)
            seen.open(url)
            seen.wait_for(
                lambda: len(seen.cards()) > _FEWEST_CARDS and seen.element("view-charts").is_displayed()
            )
            _take(seen, f"dashboard{screen}-edits-{scheme}")
            seen.open(url, "?view=charts&hours=168")
            seen.wait_for(lambda: len(seen.driver.find_elements("css selector", ".chart table")) == _CHARTS)
            _take(seen, f"dashboard{screen}-charts-{scheme}")


@contextmanager
def _gate(*arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "revertrisk.cli.app", "mock-eventgate", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own program
        if process.stdout is None:
            raise RuntimeError("its output is piped")
        yield process.stdout.readline().decode().split()[-1]
        process.terminate()


def _settings(model: str, wiki: str, gate: str) -> dict[str, str]:
    return {
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": "0",
        "ENABLE_GRPC": "false",
        "SHUTDOWN_DELAY_SECONDS": "0",
        "LOG_FORMAT": "ecs",
        "MODEL_NAME": model,
        "WIKI_URL": wiki,
        "EVENTGATE_URL": gate,
        "EVENTGATE_STREAM": PREDICTION_STREAMS[model],
    }


async def _dispatch(folder: Path, servers: dict[str, str]) -> None:
    events = folder / "page_changes.jsonl"
    wikis = WikiTable.load()
    with events.open("wb") as out:
        write_page_changes(SampleHistory.shipped(wikis), wikis, out)
    lines = events.read_bytes().splitlines(keepends=True)
    # The picture shows the newest rows; the first edits are in many languages, and some are bad.
    events.write_bytes(b"".join(lines[_SHOWN_LAST:] + lines[:_SHOWN_LAST]))
    for model, target in servers.items():
        await dispatch(
            DispatchSettings(
                source=f"jsonl:{events}",
                rule_file=Path(str(files("revertrisk.dispatcher") / "rules" / f"{model}.yaml")),
                target=target,
                dead_letters=folder / f"dead-letters-{model}.jsonl",
            )
        )


def _post_refused(gate: str) -> None:
    """Post events as producers with a mistake would; each is made from one that was accepted."""
    accepted = urllib3.request("GET", f"{gate}/_mock/events").json()["events"]
    wrong_type, wrong_stream, wrong_class = (copy.deepcopy(accepted[n]["event"]) for n in (-3, -9, -14))
    wrong_type["page"]["page_id"] = str(wrong_type["page"]["page_id"])
    wrong_stream["meta"]["stream"] = "mediawiki.page_revert_risk_prediction_change.v2"
    del wrong_class["predicted_classification"]["probabilities"]
    for event in (wrong_stream, wrong_type, wrong_class):
        urllib3.request("POST", f"{gate}/v1/events", json=event)


def _settle(page: LivePage, gate: str) -> None:
    """Wait until everything that the gate has is counted and shown, and nothing moves any more."""
    accepted = urllib3.request("GET", f"{gate}/_mock/events").json()["events"]
    refused = urllib3.request("GET", f"{gate}/_mock/refused").json()["events"]
    predictions = [item["event"] for item in accepted if "predicted_classification" in item["event"]]
    revisions = {(event["wiki_id"], event["revision"]["rev_id"]) for event in predictions}
    page.wait_for(lambda: page.text("accepted") == f"{len(predictions):,}")
    page.wait_for(lambda: page.text("refused") == f"{len(refused):,}")
    page.wait_for(lambda: page.text("shown") == f"{len(revisions) + len(refused):,}")
    page.wait_for(lambda: page.driver.execute_script("return document.getAnimations().length === 0"))


def _show_reasons(page: LivePage) -> None:
    """Open the reasons of the newest score that is high."""
    script = "document.querySelector('.score:has(.band.high) .why-button').click()"
    page.driver.execute_script(script)
    page.wait_for(lambda: page.text("reasons-body").startswith("Risk"))


def _resize(page: LivePage, width: int, height: int) -> None:
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def _take(page: LivePage, name: str) -> None:
    path = FOLDER / f"{name}.png"
    FOLDER.mkdir(exist_ok=True)
    page.driver.save_screenshot(str(path))
    size = path.stat().st_size
    if size > _MAX_BYTES:
        sys.exit(f"{path}: expected at most {_MAX_BYTES} bytes, not {size}")
    print(f"{path.relative_to(Path.cwd())}: {size} bytes")  # noqa: T201 - what the command is for


if __name__ == "__main__":
    main()
