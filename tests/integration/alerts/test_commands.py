"""`revertrisk surge`: the output of its commands, their exit status, and the receivers of messages."""

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from revertrisk.alerts.errors import AlertsConfigurationError
from revertrisk.alerts.receivers import close_receivers, make_receivers
from revertrisk.alerts.report import fit_lake
from revertrisk.alerts.run import RunSettings, watch_sources
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import Store
from revertrisk.alerts.try_out import send_test_messages
from revertrisk.lake.open_or_create import make_lake
from revertrisk.lake.writer import Batch, LakeWriter, RecordPlace
from revertrisk.streams.opening import SourceSettings
from tests.fakes.edit_streams import Stream, canary
from tests.fakes.kafka_cluster import kafka_cluster
from tests.fakes.lake_events import as_lines, edits, page_change
from tests.fakes.loopback import held_port, serving

DAY = 1440
BEGIN = 33_999_840
"""In 2034: later than any clock, so that a watch that starts now sends messages about it."""
SURGE = BEGIN + DAY + 180


def lines_of_a_surge() -> list[bytes]:
    shape = {"enwiki": lambda now: 6.0 if SURGE <= now < SURGE + 60 else 1.0}
    return list(Stream(BEGIN, DAY + 480, {"enwiki": 3.0}, shape).events())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surge")
    (folder / "events.jsonl").write_bytes(b"\n".join(lines_of_a_surge()) + b"\n")
    (folder / "other").write_text(
        "this is no state of a watch, but something else that is long enough to be read"
    )
    (folder / "program.py").write_text('import json\nprint("no event")\n{"meta": {}}\n')
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "SLACK_WEBHOOK_URL"}
    command = [sys.executable, "-m", "revertrisk.cli.app", "surge", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


CASES: list[tuple[tuple[str, ...], int, str]] = [
    (("replay", "--source", "jsonl:events.jsonl", "--json"), 0, '"series":"edits","start":"2034-08-25T03:0'),
    (
        ("run", "--source", "jsonl:events.jsonl", "--wiki", "enwiki"),
        0,
        "enwiki: the surge of edits has ended.",
    ),
    (("replay", "--source", "jsonl:events.jsonl"), 0, "\n1 incident\n"),
    (("run", "--source", "jsonl:missing", "--state", "new"), 1, "missing: cannot be opened"),
    (("replay", "--source", "eventstreams:x"), 2, "EventStreams has no end"),
    (("run", "--source", "jsonl:program.py"), 1, "program.py: 0 events, 3 unreadable: expected one event"),
    (("run", "--source", "jsonl:program.py"), 1, "program.py: 0 events, 3 unreadable: expected one event"),
    (("replay", "--source", "jsonl:program.py"), 1, "program.py: 0 events, 3 unreadable: expected one event"),
    (("replay", "--source", "csv:events"), 2, "source: expected jsonl:FILE"),
    (
        ("replay", "--source", "jsonl:events.jsonl", "--budget-days", "3"),
        2,
        "budget-days: expected at least 7",
    ),
    (
        ("replay", "--source", "jsonl:events.jsonl", "--threshold", "1.2"),
        2,
        "threshold: expected a probability",
    ),
    (
        ("run", "--source", "jsonl:events.jsonl", "--state", "other"),
        78,
        "state: other: file is not a database",
    ),
    (("test-message", "--webhook", "ftp://host/secret"), 78, "webhook: expected an address"),
    (("fit", "--lake", "nowhere"), 78, "nowhere: "),
]


@pytest.mark.ci("commands")
@pytest.mark.parametrize(("arguments", "status", "words"), CASES, ids=lambda case: str(case)[:40])
def test_what_it_says(folder: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    """Each command ends with its status and a sentence; an address is not repeated, since it may be a secret."""
    ran = run(folder, *arguments)
    assert ran.returncode == status, ran.stderr
    assert words in (ran.stdout if status == 0 else ran.stderr)
    assert "secret" not in ran.stderr


@dataclass
class Receiver:
    """A webhook that refuses the first requests."""

    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/{way}", self.take)
        return app

    async def take(self, request: web.Request) -> web.Response:
        if self.refusals:
            status, headers = self.refusals.pop(0)
            return web.Response(status=status, headers=headers)
        self.taken.append(await request.json())
        return web.Response(text="ok")


async def test_both_messages_go_each_way() -> None:
    """A start and an end, marked as a test, go to Slack, through a 429 and a 503, and to a JSON webhook."""
    receiver = Receiver([(429, {"retry-after": "0"}), (503, {})])
    with serving(receiver.app()) as url:
        status = await send_test_messages(make_receivers(f"{url}/slack", [f"{url}/json"], as_json=False))
    assert status == 0
    slack, documents = receiver.taken[:2], receiver.taken[2:]
    assert all(message["text"].startswith("THIS IS A TEST.") for message in slack)
    assert [document["kind"] for document in documents] == ["start", "end"]
    assert len({document["incident_id"] for document in documents}) == 1
    assert all(document["test"] for document in documents)


async def test_a_refusal_is_a_status(capsys: pytest.CaptureFixture[str]) -> None:
    """A webhook that does not take the message is named by its host and its status, not by its path."""
    with serving(Receiver([(404, {})] * 9).app()) as url:
        assert await send_test_messages(make_receivers(None, [f"{url}/json"], as_json=False)) == 1
    host = url.removeprefix("http://")
    assert capsys.readouterr().err == f"revertrisk: the webhook at {host} answered with status 404\n"


async def test_a_webhook_that_is_not_there_is_named_by_its_host(capsys: pytest.CaptureFixture[str]) -> None:
    """Of several webhooks, the one that cannot be reached is known by its host; its path is a secret."""
    with serving(Receiver().app()) as url, held_port() as port:
        receivers = make_receivers(None, [f"{url}/json", f"http://127.0.0.1:{port}/hidden"], as_json=False)
        assert await send_test_messages(receivers) == 1
    errors = capsys.readouterr().err
    assert f"the webhook at 127.0.0.1:{port} could not be reached (Client" in errors
    assert "hidden" not in errors


async def test_a_file_that_is_partly_readable_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unreadable lines are no events; the next run continues after them, and is no error."""
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join([b"no event", *lines_of_a_surge()[:10], b"{}", b""]))
    settings = RunSettings(sources=(f"jsonl:{path}",), state=str(tmp_path / "state"), watch=WatchSettings())
    found = []
    for _ in range(2):
        watch = await watch_sources(settings, [], asyncio.Event())
        found.append((watch.counters.events, watch.counters.unreadable))
    assert found == [(10, 2), (0, 0)]
    assert f"jsonl:{path}: 10 events, 2 unreadable" in caplog.text


async def watched(state: Path, source: str, url: str, **opening: Any) -> None:
    settings = RunSettings(
        sources=(source,),
        state=str(state),
        watch=WatchSettings(wikis=frozenset({"enwiki"}), receivers=("webhook",)),
        opening=SourceSettings(**opening),
    )
    receivers = make_receivers(None, [f"{url}/json"], as_json=False)
    try:
        await watch_sources(settings, receivers, asyncio.Event())
    finally:
        await close_receivers(receivers)


async def test_a_file_is_continued(tmp_path: Path) -> None:
    """Events are not read again: the end of a surge comes from the second half, once."""
    lines = lines_of_a_surge()
    path = tmp_path / "events.jsonl"
    cut = len(lines) * 3 // 4
    path.write_bytes(b"\n".join(lines[:cut]) + b"\n")
    receiver = Receiver()
    with serving(receiver.app()) as url:
        await watched(tmp_path / "state", f"jsonl:{path}", url)
        first = len(receiver.taken)
        with path.open("ab") as file:
            file.write(b"\n".join(lines[cut:]) + b"\n")
        await watched(tmp_path / "state", f"jsonl:{path}", url)
        await watched(tmp_path / "state", f"jsonl:{path}", url)
    assert first <= 1
    assert [document["kind"] for document in receiver.taken] == ["start", "end"]
    # One watch at a time.
    with (
        Store(str(tmp_path / "state")),
        pytest.raises(AlertsConfigurationError, match="another watch is using it"),
    ):
        Store(str(tmp_path / "state"))


@pytest.mark.ci("kafka")
async def test_kafka_is_continued(tmp_path: Path) -> None:
    """The offsets of all partitions are kept with the state: nothing is counted twice, and each message goes once."""
    lines = lines_of_a_surge()
    receiver = Receiver()
    with kafka_cluster() as cluster, serving(receiver.app()) as url:
        half = len(lines) // 2
        kafka = (f"bootstrap.servers={cluster.brokers}",)
        cluster.create("edits", 1)
        cluster.produce("edits", [(0, line) for line in lines[:half]])
        await watched(tmp_path / "state", "kafka:edits", url, kafka=kafka, to_end=True)
        cluster.produce("edits", [(0, line) for line in lines[half:]])
        await watched(tmp_path / "state", "kafka:edits", url, kafka=kafka, to_end=True)
    assert [document["kind"] for document in receiver.taken] == ["start", "end"]
    with Store(str(tmp_path / "state")) as store:
        edits_kept = store.history.counts("enwiki", "edits", BEGIN, BEGIN + DAY + 470).sum()
    expected = sum(b'"page_change_kind"' in line for line in lines)
    assert edits_kept == pytest.approx(expected, rel=0.05)


@pytest.mark.ci("kafka")
async def test_a_datacentre_without_edits_holds_nothing_up(tmp_path: Path) -> None:
    """With hourly canaries alone in the second datacentre's topic, messages are sent and places are kept."""
    lines = lines_of_a_surge()
    receiver = Receiver()
    with kafka_cluster() as cluster, serving(receiver.app()) as url:
        cluster.create("eqiad.edits", 1)
        cluster.create("codfw.edits", 1)
        hours = [(0, canary(60.0 * BEGIN + 3600 * hour, hour)) for hour in range(1, 31)]
        cluster.produce("codfw.edits", hours)
        cluster.produce("eqiad.edits", [(0, line) for line in lines])
        opening: dict[str, Any] = {
            "kafka": (f"bootstrap.servers={cluster.brokers}",),
            "datacentres": ("eqiad", "codfw"),
            "to_end": True,
        }
        await watched(tmp_path / "state", "kafka:edits", url, **opening)
        await watched(tmp_path / "state", "kafka:edits", url, **opening)
    assert [document["kind"] for document in receiver.taken] == ["start", "end"]
    with Store(str(tmp_path / "state")) as store:
        place = json.loads(store.place("kafka:eqiad.edits,codfw.edits") or "{}")
    assert place == {"eqiad.edits[0]": len(lines), "codfw.edits[0]": 30}


@pytest.mark.ci("lake")
def test_a_lake_is_fitted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report has each wiki with its dispersion, its threshold and what the budget means, and a plot."""
    lake = make_lake(str(tmp_path / "lake"), str(tmp_path / "key"))
    writer = LakeWriter(lake)
    events = as_lines([page_change(edit) for edit in edits(6000, days=3)])
    writer.write(Batch(events, [RecordPlace("a", 0)] * len(events), resume={"a": "1"}))
    writer.close()
    assert fit_lake(str(tmp_path / "lake"), tmp_path / "report", WatchSettings()) == 0
    text = (tmp_path / "report/report.md").read_text()
    assert "| enwiki | 2 | " in text
    wikis = text.count("| provisional")
    assert f"one in {14 * 2 * wikis} days for each of these watches" in text
    assert "provisional" in text
    assert (tmp_path / "report/enwiki.png").stat().st_size > 1000
    assert json.dumps(str(tmp_path / "report/report.md"))[1:-1] in capsys.readouterr().out
