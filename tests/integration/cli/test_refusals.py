"""What commands say where an address or a flag cannot be used."""

import os
import socket
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

RULE = "revertrisk/dispatcher/rules/revertrisk-multilingual.yaml"
DISPATCH = ("dispatch", "--source", "jsonl:/dev/null", "--rule", RULE, "--target", "http://127.0.0.1:9")
ROOT = Path(__file__).resolve().parents[3]


def refused(*arguments: str) -> str:
    """Run a command that must end at once with status 2, and return its standard error."""
    ended = subprocess.run(
        [sys.executable, "-m", "revertrisk.cli.app", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False), ended.stderr
    return ended.stderr


@pytest.mark.parametrize("program", ["mock-eventgate", "mock-mediawiki"])
def test_a_port_that_is_taken_is_named_with_what_to_do(program: str) -> None:
    """In one line, without the number of an error."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(program, "--port", str(port))
    assert said == (
        f"revertrisk: 127.0.0.1:{port} cannot be listened on: address already in use; "
        "give another --port, 0 for a free one, or another --host\n"
    )


@pytest.mark.parametrize("program", ["mock-eventgate", "mock-mediawiki"])
def test_a_port_that_is_none_is_refused(program: str) -> None:
    """By the name of the flag, and with what was expected."""
    said = refused(program, "--port", "99999")
    assert said == "revertrisk: port: expected a number from 0 to 65535, not 99999\n"


def test_what_only_edits_made_now_have_is_refused_without_them() -> None:
    """Whoever forgot ``--live`` is not shown samples instead."""
    assert refused("demo", "--limit", "5") == "revertrisk: --limit: only with --live\n"


def test_an_argument_that_is_no_text_is_refused() -> None:
    """Whichever it is: a query, a name, or the path of a lake."""
    assert refused("sql", "--lake", "lake", "\udcff") == "revertrisk: argument 4 is not UTF-8\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ("label", "{input}", "--out", "{output}"),
        ("evaluate", "--model", "revertrisk-multilingual", "--data", "{input}", "--scores", "{output}"),
        ("evaluate", "--model", "revertrisk-multilingual", "--data", "{input}", "--html", "{output}"),
        (
            *("reconcile", "--events", "jsonl:{input}", "--predictions", "jsonl:/dev/null", "--rule", RULE),
            *("--since", "2026-01-01T00:00:00Z", "--until", "2026-01-02T00:00:00Z", "--output", "{output}"),
        ),
        ("dispatch", "--source", "jsonl:{input}", *DISPATCH[3:], "--dead-letters", "{output}"),
        ("dispatch", "--source", "jsonl:{input}", *DISPATCH[3:], "--skips", "{output}"),
        ("redrive", "--source", "dead-letters:{input}", *DISPATCH[3:], "--dead-letters", "{output}"),
    ],
    ids=lambda arguments: " ".join(arguments[:1]),
)
def test_an_output_does_not_replace_what_is_read(arguments: tuple[str, ...], tmp_path: Path) -> None:
    """By whatever name: the input stays as it is."""
    read, written = tmp_path / "input", tmp_path / "output"
    read.write_text("{}\n")
    written.hardlink_to(read)
    said = refused(*(each.format(input=read, output=written) for each in arguments))
    assert "another" in said
    assert read.read_text() == "{}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("whatif", "--lake", "lake", "--wiki", "enwiki", "--a-day", "inf"), "'--a-day'"),
        (("dashboard", "--source", "jsonl:/dev/null", "--hours", "1e300"), "'--hours'"),
        (
            ("backfill", "--wiki", "enwiki", "--titles", RULE, "--local", "x", "--page-age-from", "1e308"),
            "page-age-from: expected a number of days from 0 to 36,500",
        ),
        (("surge", "replay", "--source", "jsonl:/dev/null", "--budget-days", "inf"), "budget-days: expected at most"),
        (("surge", "replay", "--source", "jsonl:/dev/null", "--threshold", "=0.5"), "threshold: expected a prob"),
        (("surge", "run", "--source", "jsonl:/dev/null", "--state", ""), "state: expected the path of a file"),
    ],
)  # fmt: skip
def test_a_value_that_no_run_can_use_is_refused(arguments: tuple[str, ...], words: str) -> None:
    """With the name of its flag."""
    assert words in refused(*arguments)


def test_a_host_that_is_none_is_named() -> None:
    """A name that no resolver knows."""
    said = refused("mock-eventgate", "--host", "no.such.host.invalid", "--port", "0")
    assert said.startswith("revertrisk: no.such.host.invalid:0 cannot be listened on: ")
    assert "Errno" not in said


def test_the_version_is_told() -> None:
    """T4: ``--version`` names the distribution and its version."""
    told = subprocess.check_output([sys.executable, "-m", "revertrisk.cli.app", "--version"], text=True)
    assert told == f"revertrisk-events {version('revertrisk-events')}\n"


LOUD = "LOG_LEVEL: expected one of DEBUG, INFO, WARNING, ERROR, not 'LOUD'"
NOWHERE = "PROMETHEUS_MULTIPROC_DIR: /nowhere is not a folder: create it, or unset the variable"
NO_TEMPORARY = (
    "import tempfile; tempfile._candidate_tempdir_list = lambda: ['/nowhere'];"
    "from revertrisk.cli.app import main; main()"
)
MODEL = ("--model", "revertrisk-multilingual")
EVALUATE = ("evaluate", *MODEL, "--data", RULE)


@pytest.mark.parametrize(
    ("arguments", "environment", "output", "status", "sentence"),
    [
        (DISPATCH, {"PROMETHEUS_MULTIPROC_DIR": "/nowhere"}, None, 2, NOWHERE),
        ((*DISPATCH, "--dead-letters", "/nowhere/x"), {}, None, 2, "dead_letters: /nowhere/x: cannot be written"),
        (("serve",), {"PROMETHEUS_MULTIPROC_DIR": "/nowhere"}, None, 78, NOWHERE),
        (("serve",), {"PROMETHEUS_MULTIPROC_DIR": "/proc/self"}, None, 78, "/proc/self cannot be written"),
        (("demo",), {}, None, 2, "no folder for temporary files is writable: set TMPDIR to a folder that is"),
        (("page-changes",), {}, "/dev/full", 1, "No space left on device"),
        (("thresholds", "--help"), {}, "/dev/full", 1, "No space left on device"),
        ((*EVALUATE, "--html", "/nowhere/x"), {}, None, 2, "--html: /nowhere is not a folder"),
        ((*EVALUATE, "--scores", "/proc/self/x"), {}, None, 2, "--scores: /proc/self/x cannot be written"),
        (("train", *MODEL, "--data", ".", "--out", "/proc/x"), {}, None, 2, "--out: /proc/x cannot be written"),
        (("backfill", "--wiki", "enwiki", "--titles", RULE, "--local", "x"), {"LOG_LEVEL": "LOUD"}, None, 2, LOUD),
        (("mock-eventgate", "--port", "0"), {"LOG_LEVEL": "LOUD"}, None, 2, LOUD),
        (("mock-mediawiki", "--port", "0"), {"LOG_LEVEL": "LOUD"}, None, 2, LOUD),
    ],
)  # fmt: skip
def test_what_the_surroundings_lack_is_said_in_a_sentence(
    arguments: tuple[str, ...], environment: dict[str, str], output: str | None, status: int, sentence: str
) -> None:
    """T4, T5: variables, folders and outputs that cannot be used; nothing is computed first, and no traceback."""
    command = ["-c", NO_TEMPORARY] if arguments == ("demo",) else ["-m", "revertrisk.cli.app"]
    with open(output or os.devnull, "w") as out:  # noqa: PTH123 - a device
        ended = subprocess.run(
            [sys.executable, *command, *arguments],
            stdout=out,
            stderr=subprocess.PIPE,
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            cwd=ROOT,
            text=True,
            timeout=60,
            check=False,
        )
    assert (ended.returncode, "Traceback" in ended.stderr) == (status, False), ended.stderr
    assert sentence in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "shell", "status"),
    [
        ("page-changes", "| head -1", 0),
        ("page-changes --limit 1", ">&-", 0),
        ("--help", "| true", 1),
        (" ".join(DISPATCH).replace("/dev/null", "EVENTS") + " --dry-run", "| true", 1),
    ],
)
def test_a_reader_that_leaves_hears_nothing_more(
    tmp_path: Path, arguments: str, shell: str, status: int
) -> None:
    """T5: a closed standard output is no traceback, nor a word of the interpreter's at the end."""
    events = tmp_path / "events.jsonl"
    events.write_text('{"wiki_id": "enwiki"}\n' * 20_000)
    command = f"{sys.executable} -m revertrisk.cli.app {arguments.replace('EVENTS', str(events))}"
    redirection, _, reader = shell.partition("|")
    ended = subprocess.run(
        ["bash", "-c", f"({command} {redirection}; echo $? >&2) | {reader or 'cat'}"],  # noqa: S607 - any bash
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stderr == f"{status}\n"
