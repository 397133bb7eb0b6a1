"""The commands of the lake: what they say, and their exit status."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.fakes.lake_events import as_lines, edits, page_change, prediction


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"LAKE_KEY_FILE": str(folder / "key")}
    command = [sys.executable, "-m", "revertrisk.cli.app", *arguments]
    return subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a lake, made by the command itself, and things that are no lake."""
    folder = tmp_path_factory.mktemp("commands")
    known = list(edits(50, pages=4))
    lines = as_lines([page_change(edit) for edit in known] + [prediction(edit) for edit in known])
    (folder / "events.jsonl").write_bytes(b"\n".join(lines))
    (folder / "bots.yaml").write_text("bots: [{wiki_id: dewiki, name: User 10, acts_on: scores}]")
    (folder / "query.sql").write_bytes(b"SELECT \xff'")
    (folder / "other").mkdir()
    (folder / "other/file").write_text("")
    (folder / "other-key").write_text("00" * 32)
    (folder / "other-key").chmod(0o600)
    ran = run(folder, "lake", "run", "--source", "jsonl:events.jsonl", "--to", "lake")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("100 events into lake: page_event 50, prediction 50, ")
    assert json.loads(ran.stderr.splitlines()[0])["labels"] == {"events": 100, "unreadable": 0}
    return folder


CPU_OF_THE_START_S = 5.0
"""More than any start of the program takes."""
ERASE = ("lake", "erase", "--lake", "lake")
RUN = ("lake", "run", "--source", "jsonl:events.jsonl", "--to")


CASES: list[tuple[tuple[str, ...], int, str]] = [
    (("sql", "--lake", "lake", "--format", "csv", "SELECT count(*) AS n FROM prediction"), 0, "n\n50\n"),
    (("lake", "check", "--lake", "lake"), 0, "lake: no findings"),
    ((*ERASE, "--actor", "enwiki:User 3", "--grace", "0"), 0, "rows erased"),
    ((*ERASE, "--actor", "enwiki:nobody_here", "--grace", "0"), 0, "nothing found for enwiki:Nobody here: "),
    ((*ERASE, "--actor", "en:User 3"), 2, "expected the id of a wiki, such as enwiki, not 'en'"),
    ((*ERASE, "--revision", f"enwiki:{10**20}"), 2, "revision: expected WIKI:ID, such as enwiki:12345"),
    ((*ERASE, "--actor", "enwiki:User 3", "--grace", "inf"), 2, "less than or equal to 86400"),
    (("sql", "--lake", "lake", "--file", "query.sql"), 2, "revertrisk: the query is not UTF-8 at byte 7"),
    (("lake", "prune", "--lake", "lake", "--before", "2026-01-01"), 0, "lake: 0 files"),
    (("lake", "bots", "--lake", "lake"), 0, "lake: bots listed: 11, unchanged\n  bgwiki PSS 9: reverts: 0\n"),
    (
        ("lake", "bots", "bots.yaml", "--lake", "lake"),
        2,
        "bots.yaml: bots[0].acts_on: expected 'rules' or 'model'",
    ),
    (("lake", "run", "--source", "jsonl:missing", "--to", "lake"), 1, "missing: cannot be opened"),
    (("lake", "run", "--source", "csv:events", "--to", "new"), 2, "source: expected jsonl:FILE"),
    (
        ("lake", "run", "--source", "kafka:topic", "--to", "new"),
        2,
        "bootstrap.servers=HOST:PORT[,…] is missing",
    ),
    (
        ("lake", "run", "--source", "kafka:a topic", "--to", "lake"),
        2,
        "'a topic' is not the name of a topic",
    ),
    (
        ("lake", "run", "--source", "eventstreams:ftp://host/x", "--to", "lake"),
        2,
        "expected eventstreams:STREAM",
    ),
    ((*RUN, "lake", "--wiki", "en"), 2, "wiki: expected the id of a wiki, such as enwiki, not 'en'"),
    (("sql", "--lake", "lake"), 2, "give either a query or --file"),
    (("sql", "--lake", "lake", "SELECT nothing FROM prediction"), 2, "nothing"),
    (ERASE, 2, "expected --actor, --page or --revision"),
    ((*ERASE, "--page", "enwiki"), 2, "page: expected WIKI:ID"),
    (("lake", "prune", "--lake", "lake", "--before", "May"), 2, "before: expected a day"),
    (
        ("sql", "--lake", "other", "SELECT 1"),
        78,
        "expected a lake or an empty folder, but it contains 'file'",
    ),
    (("lake", "bots", "--lake", "lake", "--key-file", "other-key"), 78, "this is the key of another lake"),
    ((*RUN, "other"), 78, "expected a lake or an empty folder, but it contains 'file'"),
    ((*RUN, "lake", "--key-file", "other-key"), 78, "this is the key of another lake"),
    ((*RUN, "lake", "--key-file", "no-key"), 78, "is missing; set LAKE_KEY_FILE to its file"),
    ((*RUN, "new", "--key-file", "new/key"), 78, "must not be in the lake's own folder"),
]
ALL_IN_ONE = """
import json, sys
from typer.testing import CliRunner
from revertrisk.cli.app import app
for arguments in json.load(sys.stdin):
    result = CliRunner().invoke(app, arguments)
    print(json.dumps([result.exit_code, result.output, repr(result.exception)]), file=sys.__stdout__)
"""
"""Starting Python for each would cost more than all of them together."""


@pytest.fixture(scope="module")
def answers(folder: Path) -> list[tuple[int, str, str]]:
    environment = os.environ | {"LAKE_KEY_FILE": str(folder / "key")}
    ran = subprocess.run(
        [sys.executable, "-c", ALL_IN_ONE],
        input=json.dumps([case[0] for case in CASES]),
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ran.stdout.splitlines()]


@pytest.mark.parametrize("number", range(len(CASES)), ids=[" ".join(case[0]) for case in CASES])
def test_the_status_and_a_sentence(folder: Path, answers: list[tuple[int, str, str]], number: int) -> None:
    """0 done, 1 something broke, 2 a flag or a query, 78 the lake or its key; and no traceback."""
    _, status, words = CASES[number]
    exit_code, output, exception = answers[number]
    assert exit_code == status, output + exception
    assert words in output
    assert not (folder / "new").exists()


def test_ctrl_c_ends_a_query(folder: Path) -> None:
    """At once, with the status of a signal, and without a traceback."""
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE (a.range * b.range) % 7 = 3"
    command = [sys.executable, "-m", "revertrisk.cli.app", "sql", "--lake", "lake", endless]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as program:
        watched = psutil.Process(program.pid)
        while program.poll() is None and watched.cpu_times().user < CPU_OF_THE_START_S:
            time.sleep(0.05)
        program.send_signal(signal.SIGINT)
        _, said = program.communicate(timeout=60)
    assert program.returncode == 128 + signal.SIGINT
    assert "Traceback" not in said
