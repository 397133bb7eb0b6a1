"""What fails is kept, said, and can be sent again."""

import asyncio
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import orjson

from tests.fakes.backfills import ALL_TIME, BACKFILL_STREAM, Command, ended
from tests.fakes.clients import Client, StartServer

RANGE = ("--wiki", "enwiki", *ALL_TIME)


async def test_what_was_given_up_is_redriven_by_the_command_in_the_report(
    client: Client,
    tmp_path: Path,
    start_server: StartServer,
    empty_gate: str,
    sample_wiki: str,
    command: Callable[[str, str], Command],
) -> None:
    """The dead letters are the dispatcher's: its redrive takes them, and then nothing is missing."""
    environment = {"WIKI_URL": sample_wiki, "EVENTGATE_URL": empty_gate, "EVENTGATE_STREAM": BACKFILL_STREAM}
    fault = [{"kind": "status", "status": 400, "next": 3}]
    async with client.session.put(f"{empty_gate}/_mock/faults", data=orjson.dumps(fault)) as answer:
        assert answer.status == 200, await answer.text()
    with start_server(**environment) as server:
        done = await command(sample_wiki, server.url).having(*RANGE).run()
        await client.session.delete(f"{empty_gate}/_mock/faults")
        assert done.status == 1, done.log
        assert done.report["failed"] == {"given_up:status_500": 3}
        again = await command(sample_wiki, server.url).having(*RANGE).run()
        assert (again.status, again.report) == (1, done.report), (
            "what lies in the dead letters is not sent again"
        )
        words = done.report["retry_with"].split()
        assert words[:2] == ["revertrisk", "redrive"]
        redrive = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "revertrisk.cli.app", *words[1:], cwd=tmp_path,
            env={"PYTHONPATH": str(Path(__file__).resolve().parents[3])},
        )  # fmt: skip
        assert await redrive.wait() == 0
    accepted = {event["revision"]["rev_id"] for event in await client.accepted(empty_gate)}
    assert len(accepted) == done.plan["to_send"]


async def test_a_wiki_that_is_not_there_is_said_so(tmp_path: Path, backfill_server: str) -> None:
    """An address without a MediaWiki ends the run at once, by name and without anything that it wrote."""
    flags = ("--wiki-url", backfill_server, "--target", backfill_server, "--yes")
    refused = await Command(tmp_path).run(*flags, *RANGE)
    assert refused.status == 1
    assert "enwiki: the MediaWiki API answered with status 404" in refused.log
    assert "run the same command to continue" in refused.log


async def test_a_stopped_run_says_how_to_go_on(
    sample_wiki: str, backfill_server: str, command: Callable[[str, str], Command]
) -> None:
    """SIGTERM ends it in order, and the same command does the rest."""
    this = command(sample_wiki, backfill_server).having(*RANGE)
    process = await this.start("--rate", "3")
    assert process.stderr is not None
    while b"sending begins" not in await process.stderr.readline():
        assert process.returncode is None
    process.terminate()
    out, err = await process.communicate()
    assert process.returncode == 1
    assert b"run the same command to continue" in err
    left = orjson.loads(out.splitlines()[-1])["report"]["left"]
    assert left > 0
    last = await this.run()
    assert (last.status, last.plan["left"], last.report["left"]) == (0, left, 0)


async def test_a_full_disk_is_said_so_and_the_same_command_goes_on(tmp_path: Path, sample_wiki: str) -> None:
    """What the checkpoint holds is kept: once there is room again, nothing is scored twice or missed."""
    output = tmp_path / "predictions.jsonl"
    flags = ("--wiki-url", sample_wiki, "--local", str(output), "--yes", "--rate", "500", *RANGE)
    full = await Command(tmp_path).start(*flags)
    room = 100_000  # for the checkpoint's tables and the plan, not for every outcome
    resource.prlimit(full.pid, resource.RLIMIT_FSIZE, (room, room))
    stopped = await ended(full)
    assert stopped.status == 1, stopped.log
    assert "checkpoint: backfill.sqlite: disk I/O error; what is done is kept" in stopped.log
    assert "Traceback" not in stopped.log
    done = await Command(tmp_path).run(*flags)
    assert (done.status, done.report["left"]) == (0, 0), done.log
    ids = [orjson.loads(line)["meta"]["id"] for line in output.read_bytes().splitlines()]
    assert len(ids) == len(set(ids)) == done.plan["to_send"]
