"""Holds both Grafana dashboards against a real Prometheus that is fed by the real programs: ``make peers``.

Every expression must return a series. The sample edits go through a server, a dispatcher, a lake, its report and a
watch; on purpose an event is refused, one is skipped and one is given up, so that failures have series too. Prometheus
is Debian's (``apt-get install prometheus``). The exit status is 0 if every expression has a series.
"""

# ruff: noqa: T201 - a program that prints what it found

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import urllib3
import yaml

from mock_mediawiki.page_changes import page_changes
from mock_mediawiki.samples import SampleHistory
from revertrisk.cli.programs import LOOPBACK, running
from revertrisk.event_platform.streams import PREDICTION_STREAMS
from revertrisk.wiki.table import WikiTable
from tests.fakes.lake_events import WIKIS, edits, page_change, prediction
from tests.fakes.lakes import filled_lake

ROOT: Final = Path(__file__).resolve().parents[2]
FILES: Final = ROOT / "charts" / "revertrisk" / "files"
MODEL: Final = "revertrisk-language-agnostic"
PATIENCE_S: Final = 120.0
DRIP_S: Final = 0.5
ONLY_ON_KAFKA: Final = "dispatcher_offset_resets_total"
"""Has a series only where Kafka has lost what was to be read; a test of the dispatcher brings that about."""
_ROLES: Final = {
    "server": "producer",
    "dispatcher": "dispatcher",
    "lake": "lake",
    "outcomes": "lake",
    "surge": "surge",
}


def main() -> int:
    """Start everything, ask every expression until it has a series, and print those that have none."""
    prometheus = shutil.which("prometheus")
    if prometheus is None:
        sys.exit("prometheus is missing: as root: apt-get install -y --no-install-recommends prometheus")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="revertrisk-prometheus-")))
        targets = _programs(stack, folder)
        url = stack.enter_context(_prometheus(prometheus, folder, targets))
        missing = _wait(url)
    expressions = _expressions()
    for expression in missing:
        print(f"no series: {expression}")
    print(f"{len(expressions)} expressions of both dashboards: {len(missing) or 'none'} without a series")
    return 1 if missing else 0


def _programs(stack: ExitStack, folder: Path) -> dict[str, int]:
    """Run the programs; return the port of each one's metrics by its name."""
    ports = {name: _free_port() for name in ("dispatcher", "lake", "outcomes", "surge")}
    wiki = stack.enter_context(running(["mock-mediawiki", "--port", "0"], folder / "wiki.log")).url
    gate = stack.enter_context(running(["mock-eventgate", "--port", "0"], folder / "gate.log")).url
    settings = {
        "HTTP_HOST": LOOPBACK,
        "HTTP_PORT": "0",
        "ENABLE_GRPC": "false",
        "MODEL_NAME": MODEL,
        "WIKI_URL": wiki,
        "EVENTGATE_URL": gate,
        "EVENTGATE_STREAM": PREDICTION_STREAMS[MODEL],
        "LOG_FORMAT": "ecs",
    }
    server = stack.enter_context(running(["serve"], folder / "server.log", settings)).url
    events = _events()
    streams = f"eventstreams:{gate}/v2/stream/{PREDICTION_STREAMS[MODEL]}"
    lake = str(folder / "lake")
    rule = ROOT / "revertrisk" / "dispatcher" / "rules" / f"{MODEL}.yaml"
    dispatch = ["dispatch", f"--rule={rule}", f"--target={server}", f"--dead-letters={folder / 'dead.jsonl'}"]
    feed = stack.enter_context(
        _program([*dispatch, "--source=jsonl:-", f"--metrics-port={ports['dispatcher']}"])
    )
    (folder / "changes.jsonl").write_bytes(b"".join(events))
    sources = [f"--source=jsonl:{folder / 'changes.jsonl'}", f"--source={streams}"]
    keys = [f"--key-file={folder / 'key'}", "--batch-seconds=1", "--from-beginning"]
    stack.enter_context(
        _program(["lake", "run", f"--to={lake}", *keys, *sources, f"--metrics-port={ports['lake']}"])
    )
    stack.enter_context(
        _program(["outcomes", f"--lake={_matured_lake(folder)}", f"--serve={ports['outcomes']}"])
    )
    watch = ["surge", "run", f"--state={folder / 'surge.sqlite'}", "--wiki=enwiki", f"--source={streams}"]
    watch += [f"--source=jsonl:{_busy_days(folder)}", f"--metrics-port={ports['surge']}"]
    stack.enter_context(_program(watch))
    # A rate needs counters that rise while they are looked at.
    threading.Thread(target=_drip, args=(feed, events), daemon=True).start()
    return {"server": int(server.rpartition(":")[2]), **ports}


def _drip(feed: subprocess.Popen[bytes], events: list[bytes]) -> None:
    assert feed.stdin is not None
    with suppress(ValueError, OSError):  # the dispatcher is ended when all has been seen
        for event in events:
            feed.stdin.write(event)
            feed.stdin.flush()
            time.sleep(DRIP_S)


def _events() -> list[bytes]:
    """Return the sample edits as lines: among the first is one with a field of tomorrow, and one to be refused."""
    wikis = WikiTable.load()
    events: list[dict[str, Any]] = list(page_changes(SampleHistory.shipped(wikis), wikis))
    strange = next(event for event in events if event["wiki_id"] == "enwiki")
    refused = orjson.loads(orjson.dumps(strange))
    strange["of_tomorrow"] = 1
    refused["meta"]["id"] = "1f0f9a9e-0000-4000-8000-000000000000"
    refused["revision"]["rev_dt"] = "yesterday"
    return [orjson.dumps(event) + b"\n" for event in [*events[:5], refused, *events[5:]]]


def _busy_days(folder: Path) -> Path:
    """Write three days of a wiki that is edited seven times a minute."""
    path = folder / "busy.jsonl"
    changes = (page_change(replace(edit, wiki_id="enwiki")) for edit in edits(30_000, days=3))
    path.write_bytes(b"".join(orjson.dumps(event) + b"\n" for event in changes))
    return path


@contextmanager
def _program(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "revertrisk.cli.app", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, cwd=ROOT) as process:
        yield process
        process.terminate()


def _matured_lake(folder: Path) -> str:
    """Return a lake with edits enough for every figure: two days of them, and one of each wiki forty days later."""
    (folder / "matured").mkdir()
    known = list(edits(4000, days=2))
    later = replace(
        known[0], page_id=9_999, rev_id=1, parent_id=0, moment=known[0].moment + timedelta(days=40)
    )
    changes = [page_change(edit) for edit in (*known, *(replace(later, wiki_id=wiki) for wiki in WIKIS))]
    return filled_lake(folder / "matured", [*changes, *(prediction(edit) for edit in known)])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _prometheus(program: str, folder: Path, targets: dict[str, int]) -> Iterator[str]:
    """Run Prometheus over the programs, with the labels that the chart's ServiceMonitor gives."""
    jobs = [
        {
            "targets": [f"{LOOPBACK}:{port}"],
            "labels": {"namespace": "models", "inference_service": name, "role": _ROLES[name]},
        }
        for name, port in targets.items()
    ]
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FILES / "alerts.yaml")],
        "scrape_configs": [{"job_name": "revertrisk", "static_configs": jobs}],
    }
    path = folder / "prometheus.yaml"
    path.write_text(yaml.safe_dump(configuration))
    port = _free_port()
    command = [
        program, f"--config.file={path}", f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={LOOPBACK}:{port}", "--log.level=error",
    ]  # fmt: skip
    with subprocess.Popen(command) as process:
        yield f"http://{LOOPBACK}:{port}"
        process.terminate()


def _expressions() -> list[str]:
    panels = [
        panel
        for name in ("dashboard.json", "predictions.json")
        for panel in json.loads((FILES / name).read_text())["panels"]
    ]
    found = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [each for each in found if ONLY_ON_KAFKA not in each]


def _wait(url: str) -> list[str]:
    """Ask until every expression has a series; return those that have none in the end."""
    missing = _expressions()
    give_up_at = time.monotonic() + PATIENCE_S
    while missing and time.monotonic() < give_up_at:
        time.sleep(2)
        missing = [expression for expression in missing if not _has_series(url, expression)]
    return missing


def _has_series(url: str, expression: str) -> bool:
    query = expression.replace("$__rate_interval", "1m")
    query = re.sub(r"\$\w+", ".*", query)
    try:
        answer = urllib3.request("GET", f"{url}/api/v1/query", fields={"query": query}).json()
    except (urllib3.exceptions.HTTPError, ValueError):
        return False  # it is starting
    if answer["status"] != "success":
        raise ValueError(f"{query}: {answer['error']}")
    return any(
        value not in {"NaN", "+Inf"} for *_, value in (each["value"] for each in answer["data"]["result"])
    )


if __name__ == "__main__":
    sys.exit(main())
