"""Edits and predictions from several sources: their minutes are counted together, whichever is read first."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from revertrisk.alerts.replay import found_in
from revertrisk.alerts.run import RunSettings, watch_sources
from revertrisk.alerts.settings import WatchSettings
from revertrisk.alerts.store import Store
from revertrisk.alerts.watch import Watch
from revertrisk.streams.opening import SourceSettings
from tests.fakes.edit_streams import Stream
from tests.fakes.event_stream import EventStream
from tests.fakes.kafka_cluster import kafka_cluster
from tests.fakes.loopback import serving

DAY = 1440
BEGIN = 33_999_840
"""A midnight in 2034: later than any clock."""
ATTACK = BEGIN + DAY + 180
SETTINGS = WatchSettings(wikis=frozenset({"enwiki"}))
ONCE = 1.0
"""Edits are scored once each."""


def both(begin: int = BEGIN, minutes: int = DAY + 480) -> tuple[list[bytes], list[bytes]]:
    """Return edits, and their predictions, which are high-risk in an hour of an attack."""
    stream = Stream(
        begin, minutes, {"enwiki": 4.0}, predicted=ONCE,
        risky=lambda now: 0.5 if ATTACK <= now < ATTACK + 60 else 0.06,
    )  # fmt: skip
    lines = list(stream.events())
    is_prediction = [b"predicted_classification" in line for line in lines]
    return (
        [line for line, is_one in zip(lines, is_prediction, strict=True) if not is_one],
        [line for line, is_one in zip(lines, is_prediction, strict=True) if is_one],
    )


def written(path: Path, lines: Iterable[bytes]) -> str:
    path.write_bytes(b"\n".join(lines) + b"\n")
    return f"jsonl:{path}"


async def watched(
    folder: Path,
    sources: Sequence[str],
    until: Callable[[Path], Awaitable[None]] | None = None,
    **opening: Any,
) -> Watch:
    """Watch sources to their end, or until something is true of the state."""
    state, stop = folder / "state", asyncio.Event()
    settings = RunSettings(
        sources=tuple(sources), state=str(state), watch=SETTINGS, opening=SourceSettings(**opening)
    )
    run = asyncio.create_task(watch_sources(settings, [], stop))
    if until is not None:
        await until(state)
        stop.set()
    return await run


def assert_counted(folder: Path, edits: Sequence[bytes], predictions: Sequence[bytes], watch: Watch) -> None:
    """Every event was counted in time, and the attack was found in the predictions alone."""
    assert watch.counters.late == 0
    with Store(str(folder / "state")) as store:
        for quantity, lines in (("edits", edits), ("predictions", predictions)):
            counts = store.history.counts("enwiki", quantity, BEGIN, BEGIN + DAY + 470)
            number = sum(b'"page_change_kind"' in line for line in lines)  # the others are canary events
            assert counts.sum() == pytest.approx(number * (DAY + 470) / (DAY + 480), rel=0.02)
        assert {each["series"] for each in store.incidents()} == {"high_risk", "share"}
        assert all(ATTACK <= each["found"] < ATTACK + 30 for each in store.incidents())


async def test_two_files(tmp_path: Path) -> None:
    """Files are read in step: a replay and a run find the same as in one file with both."""
    edits, predictions = both()
    sources = [written(tmp_path / "edits", edits), written(tmp_path / "predictions", predictions)]
    together = sorted([*edits, *predictions], key=lambda line: line.split(b'"dt":"')[1][:24])
    expected = await found_in([written(tmp_path / "both", together)], SETTINGS, SourceSettings())
    for order in (sources, sources[::-1]):
        found = await found_in(order, SETTINGS, SourceSettings())
        assert [asdict(each) for each in found] == [asdict(each) for each in expected]
    assert_counted(tmp_path, edits, predictions, await watched(tmp_path, sources))


async def test_a_file_that_begins_earlier_makes_no_zeros(tmp_path: Path) -> None:
    """Predictions of a day before the first edit are counted, and that day is not one of zero edits."""
    edits, predictions = both(BEGIN - DAY, 2 * DAY + 480)
    edits = [line for line in edits if b'"dt":"2034-08-23' not in line]
    sources = [written(tmp_path / "edits", edits), written(tmp_path / "predictions", predictions)]
    await watched(tmp_path, sources)
    with Store(str(tmp_path / "state")) as store:
        days = {series: model["days"] for _, series, model, _ in store.series()}
        assert store.history.counts("enwiki", "predictions", BEGIN - DAY, BEGIN).sum() > 0
        assert {each["series"] for each in store.incidents()} == {"high_risk", "share"}
    assert days == {"edits": 1, "high_risk": 2, "share": 2}


async def test_a_file_that_ends_early_is_not_waited_for(tmp_path: Path) -> None:
    """The minutes after its end are closed, so a replay finds what the other file has then."""
    edits, predictions = both()
    predictions = [line for line in predictions if b'"dt":"2034-08-24T0' in line]
    sources = [written(tmp_path / "edits", edits), written(tmp_path / "predictions", predictions)]
    found = await found_in(sources, SETTINGS, SourceSettings())
    assert {each.series for each in found} == {"predictions"}


async def test_two_streams_of_eventstreams(tmp_path: Path) -> None:
    """The server may send one stream a day ahead of the other in one answer."""
    edits, predictions = both()
    last = len(edits) + len(predictions) - 1
    with serving(EventStream([*edits, *predictions]).app()) as url:
        names = "mediawiki.page_change.v1,mediawiki.page_revert_risk_prediction_change.v1"

        async def until(state: Path) -> None:
            await read_to(state, last)

        watch = await watched(tmp_path, [f"eventstreams:{url}/v2/stream/{names}"], until)
    assert_counted(tmp_path, edits, predictions, watch)


@pytest.mark.ci("kafka")
async def test_two_topics_of_kafka(tmp_path: Path) -> None:
    """The consumer may read one topic far ahead of the other, and a topic may have an empty partition."""
    edits, predictions = both()
    with kafka_cluster() as cluster:
        for topic, lines in (("edits", edits), ("predictions", predictions)):
            cluster.create(topic, 2)
            cluster.produce(topic, [(0, line) for line in lines])
        kafka = (f"bootstrap.servers={cluster.brokers}",)
        watch = await watched(tmp_path, ["kafka:edits,predictions"], kafka=kafka, to_end=True)
    assert_counted(tmp_path, edits, predictions, watch)


async def read_to(state: Path, offset: int) -> None:
    """Wait until the state has the place of an event of EventStreams."""
    wanted = f'\\"offset\\": {offset}}}'
    while True:
        await asyncio.sleep(0.05)
        if state.exists():
            database = sqlite3.connect(f"file:{state}?mode=ro", uri=True)
            try:
                rows = database.execute("SELECT place FROM place").fetchall()
            except sqlite3.OperationalError:  # it is being made
                rows = []
            finally:
                database.close()
            if any(wanted in row[0] for row in rows):
                return
