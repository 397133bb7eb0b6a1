"""Scoring in the backfill's own process: the same predictions, in a file."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from revertrisk.consumer.prediction import PredictionRecord
from revertrisk.consumer.reader import PredictionReader
from tests.fakes.backfills import ALL_TIME, BACKFILL_STREAM, Command, ended
from tests.fakes.clients import Client, StartServer

FLAGS = ("--wiki", "dewiki", "--wiki", "enwiki", *ALL_TIME)
SEED = 3


def predictions(file: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def without_receipt(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return events by id, without the time at which they were taken."""
    return {
        event["meta"]["id"]: event
        | {"meta": {name: value for name, value in event["meta"].items() if name != "dt"}}
        for event in events
    }


@pytest.fixture
def local(tmp_path: Path, sample_wiki: str) -> Command:
    return Command(
        tmp_path, ("--wiki-url", sample_wiki, "--local", "out.jsonl", "--yes", "--rate", "500", *FLAGS)
    )


async def test_a_file_has_what_the_stream_would_have(
    client: Client,
    tmp_path: Path,
    local: Command,
    start_server: StartServer,
    sample_wiki: str,
    empty_gate: str,
    command: Callable[[str, str], Command],
) -> None:
    """Id for id and byte for byte but for the time of receipt; a consumer reads it; nothing is posted."""
    before = (await client.get(f"{empty_gate}/_mock/stats"))["requests"]
    done = await local.run()
    assert (done.status, done.report["left"]) == (0, 0), done.log
    assert (await client.get(f"{empty_gate}/_mock/stats"))["requests"] == before
    written = predictions(tmp_path / "out.jsonl")
    assert len(written) == done.report["scored"] > 10
    reader = PredictionReader()
    assert all(isinstance(reader.read(event), PredictionRecord) for event in written)
    environment = {"WIKI_URL": sample_wiki, "EVENTGATE_URL": empty_gate, "EVENTGATE_STREAM": BACKFILL_STREAM}
    with start_server(**environment) as server:
        sent = await command(sample_wiki, server.url).having(*FLAGS, "--checkpoint", "sent.sqlite").run()
    assert sent.report["skipped"] == done.report["skipped"]
    assert without_receipt(written) == without_receipt(await client.accepted(empty_gate))


@pytest.mark.timeout(300)
async def test_killed_it_writes_each_prediction_once(tmp_path: Path, local: Command) -> None:
    """Also where a kill fell between a line and its note in the checkpoint, or within a line."""
    chance = random.Random(SEED)  # noqa: S311 - chance that repeats is what is wanted
    out = tmp_path / "out.jsonl"
    for lines in sorted(chance.sample(range(1, 12), 3)):
        process = await local.start("--rate", "20")
        while process.returncode is None and not (out.exists() and out.read_bytes().count(b"\n") >= lines):
            await asyncio.sleep(0.01)
        if process.returncode is None:
            process.kill()
        await ended(process)
        with out.open("ab") as torn:
            torn.write(b'{"meta": {"id"')
    last = await local.run()
    assert (last.status, last.report["left"]) == (0, 0), last.log
    written = predictions(out)
    assert len({event["meta"]["id"] for event in written}) == len(written) == last.report["scored"]


async def test_what_is_no_longer_in_the_file_is_scored_again(tmp_path: Path, local: Command) -> None:
    """The end of the file was cut off after a finished run, and then the file was deleted."""
    out = tmp_path / "out.jsonl"
    first = await local.run()
    whole = {event["meta"]["id"] for event in predictions(out)}
    for damage in (lambda: out.write_bytes(out.read_bytes()[:-1000]), out.unlink):
        damage()
        again = await local.run()
        assert (again.status, again.report["scored"]) == (0, first.report["scored"]), again.log
        assert sorted(event["meta"]["id"] for event in predictions(out)) == sorted(whole)


async def test_a_file_that_another_one_wrote_is_left_alone(tmp_path: Path, local: Command) -> None:
    """A new backfill writes to a new file."""
    (tmp_path / "out.jsonl").write_text("{}")
    refused = await local.run()
    assert refused.status == 2
    assert "is not empty, and this backfill did not write it" in refused.log
    assert (tmp_path / "out.jsonl").read_text() == "{}"
