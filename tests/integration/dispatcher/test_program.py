"""The dispatcher as a process: standard input, signals, exit status, what it prints."""

import gzip
import json
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.dispatchers import StartDispatcher
from tests.fakes.scripted_http import PRODUCED, Misbehaviour, Reply, ScriptedServer

RULE = """
rules:
  - name: model
    topic: t
    match: {wiki_id: enwiki, page: {namespace_id: 0}}
    exec: {method: post, uri: '{{globals.target}}/predict', body: {event: '{{message}}'}}
"""


def line(number: int, **changes: Any) -> bytes:
    event = {"meta": {}, "wiki_id": "enwiki", "page": {"namespace_id": 0}, "number": number} | changes
    return json.dumps(event).encode() + b"\n"


def number_of(body: bytes) -> int:
    number = json.loads(body)["event"]["number"]
    assert isinstance(number, int)
    return number


@pytest.fixture(autouse=True)
def rule(tmp_path: Path) -> None:
    (tmp_path / "rule.yaml").write_text(RULE)


async def test_standard_input_is_dispatched_as_it_comes(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher
) -> None:
    """An event goes out while the pipe is still open, and the end of the pipe is the end of the run."""
    process = await start_dispatcher(model_server.url, "jsonl:-")
    await process.give(line(1))
    await model_server.arrived(1)
    await process.give(line(2) + line(3, wiki_id="dewiki"))
    await model_server.arrived(2)
    status, out, err = await process.printed()
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert (summary["read"], summary["outcomes"]) == (3, {"produced": 2, "unmatched:wiki_id": 1})
    assert summary["committed"] == {"jsonl:-": 3}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_requests_finish_and_reads_no_more(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, number: signal.Signals
) -> None:
    """What is under way gets its answer and is committed; the idle pipe does not hold the end up."""
    model_server.gate.clear()
    process = await start_dispatcher(model_server.url, "jsonl:-")
    await process.give(line(1) + line(2))
    await model_server.arrived(2)
    process.process.send_signal(number)
    model_server.gate.set()
    assert process.process.stdout is not None
    summary = json.loads(await process.process.stdout.readline())
    assert summary["outcomes"] == {"produced": 2}
    assert summary["committed"] == {"jsonl:-": 2}
    assert await process.process.wait() == 0  # with its standard input still open


async def test_a_dead_letter_is_an_exit_status(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """A caller sees that something was given up; the log names the place and not the event."""
    model_server.script = lambda _: Reply(400, {"code": "invalid_event"})
    process = await start_dispatcher(model_server.url, "jsonl:-")
    await process.give(line(1, performer={"user_text": "Alice"}))
    status, out, err = await process.printed()
    assert (status, json.loads(out)["given_up"]) == (1, 1)
    assert "gave up jsonl:-:1 after 1 tries: status_400" in err
    assert "Alice" not in err
    assert json.loads((tmp_path / "dead.jsonl").read_text())["event"]["performer"] == {"user_text": "Alice"}


async def test_a_full_disk_stops_the_run_and_commits_nothing(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """What cannot be kept is not given up: the reason names the file, and the next run reads the event again."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(line(1, revision={"rev_id": 1}) + line(2, revision={"rev_id": 2}))
    settings = {"checkpoint": str(tmp_path / "checkpoint")}
    model_server.script = lambda _: Reply(400)
    dispatcher = await start_dispatcher(
        model_server.url, f"jsonl:{events}", dead_letters="/dev/full", **settings
    )
    status, _, err = await dispatcher.finished()
    assert (status, err) == (1, "dead_letters: /dev/full: cannot be written: No space left on device\n")

    model_server.script = lambda _: Reply.outcome("skipped:redirect")
    dispatcher = await start_dispatcher(model_server.url, f"jsonl:{events}", skips="/dev/full", **settings)
    status, _, err = await dispatcher.finished()
    assert (status, err) == (1, "skips: /dev/full: cannot be written: No space left on device\n")

    model_server.seen.clear()
    model_server.script = lambda _: PRODUCED
    dispatcher = await start_dispatcher(model_server.url, f"jsonl:{events}", **settings)
    status, summary, _ = await dispatcher.finished()
    assert (status, summary["outcomes"]) == (0, {"produced": 2})


async def test_two_dispatchers_do_not_share_a_checkpoint(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """The second one is refused; when the first one is killed, the next goes on where it was."""
    events = tmp_path / "events.jsonl"
    events.write_bytes(b"".join(line(number) for number in range(500)))
    settings = {"checkpoint": str(tmp_path / "checkpoint"), "concurrency": 2}
    model_server.script = lambda seen: Misbehaviour.HANG if number_of(seen.body) == 300 else PRODUCED
    first = await start_dispatcher(model_server.url, f"jsonl:{events}", **settings)
    await model_server.arrived(400)
    second = await start_dispatcher(model_server.url, f"jsonl:{events}", **settings)
    status, _, err = await second.finished()
    assert status == 2
    assert "another process reads" in err
    await first.kill()
    model_server.script = lambda _: PRODUCED
    third = await start_dispatcher(model_server.url, f"jsonl:{events}", **settings)
    status, _, _ = await third.finished()
    assert status == 0
    assert {number_of(seen.body) for seen in model_server.seen} == set(range(500))


async def test_a_server_that_does_not_say_what_it_did_is_named_once(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher
) -> None:
    """An empty 200 may come from anything: it counts apart from what was produced, and a warning says so."""
    model_server.script = lambda _: Reply(200, b"")
    process = await start_dispatcher(model_server.url, "jsonl:-")
    await process.give(line(1) + line(2))
    status, out, err = await process.printed()
    assert (status, json.loads(out)["outcomes"]) == (0, {"accepted": 2})
    assert err.count("answers 200 without x-revertrisk-outcome") == err.count("\n") == 1


async def test_a_source_that_breaks_is_an_exit_status(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """What could be read of a cut-off file is dispatched, and the run fails with the reason."""
    path = tmp_path / "cut.gz"
    whole = gzip.compress(b"".join(line(number) for number in range(5)))
    path.write_bytes(whole + b"\x1f\x8b\x08")
    status, out, err = await (await start_dispatcher(model_server.url, f"jsonl:{path}")).printed()
    assert (status, err) == (1, f"jsonl:{path}: the packed file is cut off\n")
    assert json.loads(out)["outcomes"] == {"produced": 5}


@pytest.mark.parametrize(
    ("target", "source", "reason"),
    [
        ("", "jsonl:-", "rules[0].exec.uri: uses {{globals.target}}"),
        ("nowhere", "jsonl:-", "target: expected http://host:port"),
        ("http://127.0.0.1:1", "tape:-", "source: expected jsonl:FILE"),
    ],
)
async def test_what_cannot_work_stops_the_start(
    start_dispatcher: StartDispatcher, target: str, source: str, reason: str
) -> None:
    """A wrong setting is one clear line and its own exit status."""
    status, out, err = await (await start_dispatcher(target, source)).printed()
    assert (status, out) == (2, "")
    assert reason in err
    assert err.count("\n") == 1


async def test_a_dry_run_says_who_takes_what_and_sends_nothing(
    model_server: ScriptedServer, start_dispatcher: StartDispatcher, tmp_path: Path
) -> None:
    """Each event gets a line: the rule that takes it, or the first condition that failed."""
    process = await start_dispatcher(model_server.url, "jsonl:-", dry_run=True)
    await process.give(
        line(1)
        + line(2, wiki_id="dewiki")
        + line(3, page={"namespace_id": 1})
        + line(4, meta={"domain": "canary"})
        + b"broken\n",
    )
    status, out, err = await process.printed()
    assert (status, err) == (1, "")
    assert out.splitlines() == [
        "jsonl:-:1: model takes it",
        "jsonl:-:2: model does not take it: match: wiki_id is not 'enwiki'",
        "jsonl:-:3: model does not take it: match: page.namespace_id is not 0",
        "jsonl:-:4: model does not take it: meta.domain is 'canary'",
        "jsonl:-:5: not an event: invalid_json",
    ]
    assert model_server.seen == []
    assert not (tmp_path / "dead.jsonl").exists()
