"""`revertrisk lake run`: several sources, ends, signals, kills."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from revertrisk.lake import Reader
from revertrisk.lake.open_or_create import make_lake, open_lake
from revertrisk.lake.run import RunSettings, fill
from revertrisk.lake.schema import TABLES
from revertrisk.streams.base import SourceError
from revertrisk.streams.opening import SourceSettings
from tests.fakes.event_stream import EventStream
from tests.fakes.kafka_cluster import KafkaCluster, kafka_cluster
from tests.fakes.lake_events import (
    MULTILINGUAL,
    as_lines,
    author_hidden,
    canary,
    edits,
    page_change,
    prediction,
)
from tests.fakes.lake_oracle import differences
from tests.fakes.loopback import serving
from tests.load.lake import run

DATA_TABLES = [table for table in TABLES if table.name != "place"]


def events_of(number: int, seed: int = 7, days: int = 3) -> list[dict[str, Any]]:
    """Return what streams bring of some edits, shuffled, a tenth twice."""
    known = list(edits(number, seed=seed, days=days))
    events = [page_change(edit) for edit in known]
    events += [prediction(edit) for edit in known] + [prediction(edit, MULTILINGUAL) for edit in known]
    events += [author_hidden(edit, after_s=86_400 * (edit.number % 40)) for edit in known[::13]]
    events += [
        page_change(edit, kind="undelete", after_s=86_400 * (edit.number % 40)) for edit in known[::17]
    ]
    chance = random.Random(seed)  # noqa: S311 - no secret
    events += chance.choices(events, k=len(events) // 10)
    chance.shuffle(events)
    return events


def write_file(path: Path, events: list[dict[str, Any]]) -> str:
    path.write_bytes(b"\n".join(as_lines(events)) + b"\n")
    return f"jsonl:{path}"


def settings(tmp_path: Path, *sources: str, **more: Any) -> RunSettings:
    return RunSettings(sources=sources, to=str(tmp_path / "lake"), key_file=str(tmp_path / "key"), **more)


async def filled(run: RunSettings, stop: asyncio.Event | None = None) -> dict[str, int]:
    written = await fill(run, make_lake(run.to, run.key_file), stop or asyncio.Event())
    return written.rows


async def test_several_files_end_and_are_continued(tmp_path: Path) -> None:
    """Each file is read to its end; the next run takes in what was added since, a replay nothing at all."""
    events = [*events_of(60), canary()]
    half = len(events) // 2
    first, second = (
        write_file(tmp_path / name, part) for name, part in (("a", events[:half]), ("b", events[half:]))
    )
    await filled(settings(tmp_path, first, second))
    reader = Reader(str(tmp_path / "lake"))
    assert differences(reader.connection, events) == []

    assert await filled(settings(tmp_path, first, second)) == {}
    more = events_of(80, seed=8)
    with (tmp_path / "a").open("ab") as file:
        file.write(b"\n".join(as_lines(more)))
    await filled(settings(tmp_path, first))
    reader.refresh()
    assert differences(reader.connection, events + more) == []

    lake = open_lake(str(tmp_path / "lake"))
    before = {table.name: sorted(lake.files(table)) for table in DATA_TABLES}
    assert await filled(settings(tmp_path, first, second, opening=SourceSettings(from_beginning=True))) == {}
    assert {table.name: sorted(lake.files(table)) for table in DATA_TABLES} == before


async def test_a_record_that_is_nested_too_deep_does_not_stop_the_writer(tmp_path: Path) -> None:
    """It is listed as unreadable, once, and what stands beside it is taken in; the next run does not meet it again."""
    events = events_of(10)
    deep = b'{"x":' + b"[" * 300 + b"]" * 300 + b"}\n"
    (tmp_path / "events").write_bytes(deep + b"\n".join(as_lines(events)) + b"\n")
    await filled(settings(tmp_path, f"jsonl:{tmp_path}/events"))
    reader = Reader(str(tmp_path / "lake"))
    assert reader.query("SELECT place, reason FROM unreadable").fetchall() == [(1, "not_an_event")]
    assert differences(reader.connection, events) == []
    assert await filled(settings(tmp_path, f"jsonl:{tmp_path}/events")) == {}


async def test_a_record_that_is_too_long_for_the_engine_does_not_stop_the_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kafka can have larger records than the engine reads; it is listed, and what stands beside it is taken in."""
    events = events_of(10)
    monkeypatch.setattr("revertrisk.lake.run.MAX_EVENT_BYTES", 50_000)
    long = as_lines([{"x": "a" * 50_000}])
    (tmp_path / "events").write_bytes(b"\n".join(long + as_lines(events)) + b"\n")
    await filled(settings(tmp_path, f"jsonl:{tmp_path}/events"))
    reader = Reader(str(tmp_path / "lake"))
    assert reader.query("SELECT place, reason FROM unreadable").fetchall() == [(1, "record_too_long")]
    assert differences(reader.connection, events) == []


async def test_an_old_export_keeps_its_actors_until_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reverts by the author are told in edits of years ago, however often the lake is maintained meanwhile."""
    monkeypatch.setattr("revertrisk.lake.run.MAX_ROWS", 20)
    monkeypatch.setattr("revertrisk.lake.run.MAINTAIN_EVERY_S", 0.0)
    known = [
        replace(edit, moment=edit.moment - timedelta(days=3000), user=edit.page_id)
        for edit in edits(80, pages=5, days=30)
    ]
    source = write_file(tmp_path / "export", [page_change(edit) for edit in known])
    await filled(settings(tmp_path, source))
    tables = Reader(str(tmp_path / "lake")).connection
    found = tables.execute("SELECT count(*) > 3, count(*) = count(is_self), bool_and(is_self) FROM reverted")
    assert found.fetchall() == [(True, True, True)]
    keys = "SELECT count(actor_key) FROM {} ANTI JOIN bot USING (wiki_id, actor_key)"
    assert [tables.execute(keys.format(name)).fetchall() for name in ("revision", "revert")] == [[(0,)]] * 2


async def test_eventstreams_is_resumed_where_the_lake_is(tmp_path: Path) -> None:
    """A stopped writer has written what it took; the next one asks for what comes after it."""
    events = events_of(20)
    served = EventStream(as_lines(events), cuts=iter([4000, 9000]))
    with serving(served.app()) as url:
        stop = asyncio.Event()
        run = settings(tmp_path, f"eventstreams:{url}/v2/stream/all", batch_s=0.2)
        task = asyncio.create_task(filled(run, stop))
        place = None
        while place is None or f'"offset": {len(events) - 1}' not in place:
            await asyncio.sleep(0.2)
            place = _place(tmp_path)
        stop.set()
        await task
        served.requests.clear()
        stop = asyncio.Event()
        task = asyncio.create_task(filled(run, stop))
        while not served.requests:
            await asyncio.sleep(0.05)
        stop.set()
        await task
    assert f'"offset": {len(events) - 1}' in (served.requests[0][0] or "").replace('":', '": ')
    assert differences(Reader(run.to).connection, events) == []


def _place(tmp_path: Path) -> str | None:
    reader = Reader(str(tmp_path / "lake"))
    rows = reader.query("SELECT place FROM place").fetchall()
    return str(rows[0][0]).replace('\\"', '"').replace('":', '": ').replace(":  ", ": ") if rows else None


async def test_a_source_that_breaks_leaves_what_it_brought(tmp_path: Path) -> None:
    """A file that is cut off in its compression fails the run; the lines before are in the lake."""
    events = events_of(40)
    good = write_file(tmp_path / "good", events)
    with pytest.raises(SourceError, match="cannot be opened"):
        await filled(settings(tmp_path, good, f"jsonl:{tmp_path}/missing"))
    await filled(settings(tmp_path, good))
    assert differences(Reader(str(tmp_path / "lake")).connection, events) == []


def start(tmp_path: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        "-m",
        "revertrisk.cli.app",
        "lake",
        "run",
        "--to",
        str(tmp_path / "lake"),
        *arguments,
    ]
    environment = os.environ | {"LAKE_KEY_FILE": str(tmp_path / "key")}
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, stderr=pipe)


def test_sigterm_writes_what_was_taken_and_ends_with_zero(tmp_path: Path) -> None:
    """A pipe that stays open does not hold up the end, and its events are in the lake."""
    events = events_of(30)
    with start(tmp_path, "--source", "jsonl:-", "--batch-seconds", "0.2") as writer:
        assert writer.stdin and writer.stdout and writer.stderr  # noqa: PT018 - for mypy
        wrapped = as_lines({"event": event} for event in events)  # as some tools write them
        writer.stdin.write(b"no event\n" + b"\n".join(wrapped) + b"\n")
        writer.stdin.flush()
        writer.stderr.readline()  # the first batch is written
        writer.send_signal(signal.SIGTERM)
        said = writer.stdout.read().decode()
    assert writer.returncode == 0
    assert said.startswith(f"{len(events) + 1:,} events into ")
    reader = Reader(str(tmp_path / "lake"))
    assert differences(reader.connection, events) == []
    assert reader.query("SELECT source, place, reason FROM unreadable").fetchall() == [
        ("jsonl:-", 1, "not_an_event")
    ]


@pytest.mark.ci("full disk")
@pytest.mark.parametrize(
    ("size", "filled", "words"),
    [
        ("100k", 0, "prediction: cannot be written: the disk is full"),
        ("300k", 0, "revision: cannot be written: the disk is full"),
        ("440k", 0, "page_event: cannot be written: the disk is full"),
        ("64m", 62, "the disk is full: 1 MB are free, a batch needs at least 3 MB"),
    ],
    ids=[
        "while predictions are written",
        "while revisions are written",
        "while titles are written",
        "before",
    ],
)
def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path, size: str, filled: int, words: str) -> None:
    """The run ends with 1 and one sentence; with room again, the next one completes the lake."""
    events = events_of(3000, days=1)
    source = write_file(tmp_path / "events", events)
    (tmp_path / "disk").mkdir()
    command = f"{sys.executable} -m revertrisk.cli.app lake run --source {source} --to {tmp_path}/disk/lake"
    script = (
        f"mount -t tmpfs -o size={size} none {tmp_path}/disk || exit 99; "
        f"head -c {filled}M /dev/zero > {tmp_path}/disk/other; "
        f"{command} 2> {tmp_path}/said; echo status $?; rm {tmp_path}/disk/other; "
        f"mount -o remount,size=64m {tmp_path}/disk; {command}; echo status $?; "
        f"cp -r {tmp_path}/disk/lake {tmp_path}/lake"
    )
    environment = os.environ | {"LAKE_KEY_FILE": str(tmp_path / "key")}
    unshare = ["/usr/bin/unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    ran = subprocess.run([*unshare, "sh", "-c", script], env=environment, capture_output=True, check=False)
    if ran.returncode == 99 or b"unshare" in ran.stderr:
        pytest.skip(f"a small disk cannot be mounted here: {ran.stderr.decode().strip()}")
    printed = (tmp_path / "said").read_text()
    assert filled == 0 or "panicked" not in printed
    *_, said = (
        printed.splitlines()
    )  # if the disk fills during a write, deltalake can print a panic of its own before
    assert said.startswith("revertrisk: ")
    assert words in said
    assert [line for line in ran.stdout.decode().splitlines() if line.startswith("status")] == [
        "status 1",
        "status 0",
    ]
    assert differences(Reader(str(tmp_path / "lake")).connection, events) == []


@pytest.mark.ci("kill loops")
@pytest.mark.timeout(900)
def test_two_writers_killed_at_any_moment_equal_the_oracle(tmp_path: Path) -> None:
    """Two writers of the same lake at once, killed twenty times in all, lose nothing and double nothing."""
    found = run(tmp_path, 20_000)
    assert found.problems == []
    assert found.kills >= 10


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as running:
        yield running


@pytest.mark.ci("Kafka brokers")
async def test_a_kafka_group_continues_where_the_lake_is(cluster: KafkaCluster, tmp_path: Path) -> None:
    """Topics of two data centres are read to their end; the group continues behind it, with another writer."""
    events = events_of(40)
    topics = ("eqiad.everything", "codfw.everything")
    for topic in topics:
        cluster.create(topic, 2)
    kafka = SourceSettings(
        from_beginning=True,
        kafka=(f"bootstrap.servers={cluster.brokers}", "session.timeout.ms=6000"),
        datacentres=("eqiad", "codfw"),
        to_end=True,
    )
    run = settings(tmp_path, "kafka:everything", opening=kafka)
    for begin in (0, 1):
        lines = as_lines(events[begin::2])
        cluster.produce(topics[begin], [(number % 2, line) for number, line in enumerate(lines)])
        rows = await filled(run)
        assert sum(rows.values()) > 0
    assert await filled(run) == {}
    assert differences(Reader(run.to).connection, events) == []
