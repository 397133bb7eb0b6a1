"""The commands of the README and of the pages with examples are run, and give what is shown.

Where the outputs have changed for a good reason, ``make readme`` writes them anew.
"""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from revertrisk.cli.programs import running

ROOT = Path(__file__).resolve().parents[3]
PAGES = (ROOT / "README.md", ROOT / "docs" / "http-api.md")
DEMO_PAGE = ROOT / "docs" / "demo.md"
STREAM = "mediawiki.page_revert_risk_prediction_change.v1"
MULTILINGUAL = "revertrisk-multilingual"
MULTILINGUAL_STREAM = "mediawiki.page_revert_risk_multilingual_prediction_change.v1"
CONSOLE = re.compile(r"^```console\n(\$ .*?)^```$", re.MULTILINE | re.DOTALL)
DEMO = re.compile(r"^```demo\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CHAOS = re.compile(r"^```chaos\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAPTOP = re.compile(r"^```\n(\(revertrisk page-changes; .*?)^```$", re.MULTILINE | re.DOTALL)
DISPATCH = "revertrisk dispatch --source jsonl:- --rule revertrisk/dispatcher/rules/revertrisk-language-agnostic.yaml"
UPDATING = "UPDATE_README" in os.environ
SHOWN_LINES = (22, 60)
"""How much of the demo's output is shown, from its beginning and from its end."""
CHAOS_LINES = 4


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start what the pages start, on free ports, and say which address stands for which."""
    logs = tmp_path_factory.mktemp("readme")
    with ExitStack() as stack:

        def start(name: str, *arguments: str, **environment: str) -> str:
            return stack.enter_context(running(arguments, logs / name, environment)).url

        wiki = start("wiki", "mock-mediawiki", "--port", "0")
        gate = start("gate", "mock-eventgate", "--port", "0")
        common = {
            "HTTP_HOST": "127.0.0.1",
            "HTTP_PORT": "0",
            "ENABLE_GRPC": "false",
            "SHUTDOWN_DELAY_SECONDS": "0",
            "LOG_FORMAT": "ecs",
            "WIKI_URL": wiki,
            "EVENTGATE_URL": gate,
            "ALLOW_REVISION_JSON_INPUT": "true",
        }
        server = start("server", "serve", EVENTGATE_STREAM=STREAM, **common)
        walkthrough = start(
            "walkthrough",
            "serve",
            MODEL_NAME=MULTILINGUAL,
            MODEL_PATH=str(ROOT / "revertrisk" / "scoring" / "artifacts" / MULTILINGUAL),
            FORCE_HTTP="true",
            LENIENT_EVENTS="true",
            EVENTGATE_STREAM=MULTILINGUAL_STREAM,
            **common,
        )
        path = f"/v1/models/{MULTILINGUAL}:"
        yield {
            f"localhost:8080{path}": walkthrough + path,
            "localhost:8080": server,
            "localhost:8192": gate,
            "http://127.0.0.1:8193": wiki,
        }


def split_example(block: str) -> tuple[str, str]:
    """Split a console block into its command and the output that it shows."""
    lines = block.removeprefix("$ ").splitlines()
    for count in range(1, len(lines) + 1):
        command = "\n".join(lines[:count])
        if command.endswith("\\"):
            continue
        try:
            shlex.split(command)
        except ValueError:  # an open quotation mark: the command continues in the next line
            continue
        return command, "\n".join(lines[count:])
    raise AssertionError(f"an example without an end: {block}")


def run(command: str, addresses: dict[str, str], folder: Path = ROOT) -> str:
    for shown, real in addresses.items():
        command = command.replace(shown, real)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip()


EXAMPLES = [
    pytest.param(page, match[1], id=f"{page.stem}-{number}")
    for page in PAGES
    for number, match in enumerate(CONSOLE.finditer(page.read_text()))
]


@pytest.mark.parametrize(("page", "block"), EXAMPLES)
def test_a_command_gives_the_output_that_is_shown(addresses: dict[str, str], page: Path, block: str) -> None:
    """Word for word: the same input gives the same score."""
    command, shown = split_example(block)
    output = run(command, addresses)
    if UPDATING:
        shown_now = f"```console\n$ {command}\n{output}\n```"
        page.write_text(page.read_text().replace(f"```console\n{block}```", shown_now))
    else:
        assert output == shown.rstrip()


def test_the_laptop_lines_give_rows_a_report_and_a_page(
    addresses: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sample edits and their predictions go from the mock EventGate into a lake; queries and the page read it."""
    run(f"revertrisk page-changes | {DISPATCH} --target localhost:8080", addresses)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKE_KEY_FILE", str(tmp_path / "key"))
    (block,) = LAPTOP.findall(PAGES[0].read_text())
    events, *commands, dashboard = block.replace("\\\n", "").splitlines()
    # curl exits with 28 when the time of -m is over.
    script = "\n".join(["set -e", f"{events} || test $? = 28", *commands])
    output = run(script, addresses, tmp_path)
    assert re.search(r"wiki +│ +[1-9]", output)
    assert '"kind":"start"' in output
    assert (tmp_path / "outcomes.html").stat().st_size > 0
    arguments = shlex.split(dashboard, comments=True)
    assert arguments[0] == "revertrisk"
    assert arguments[-2] == "--port"
    with running([*arguments[1:-1], "0"], tmp_path / "dashboard.log"):
        pass


def demo(*flags: str) -> str:
    command = [sys.executable, "-m", "revertrisk.cli.app", "demo", *flags]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_demo_looks_as_shown() -> None:
    """Exit 0, its first lines and its summary; times and ports differ from run to run."""
    output = demo()
    lines = [line.rstrip() for line in output.splitlines()]
    first, last = SHOWN_LINES
    excerpt = "\n".join([*lines[:first], "…", *lines[-last:]])
    text = DEMO_PAGE.read_text()
    shown = DEMO.search(text)
    assert shown is not None
    # What the models say, and the counts, are the same each time; revisions appear in the order of acceptance.
    row = re.compile(r"^[█·-].* (\d\.\d{3}) .*$", re.MULTILINE)
    counts = re.compile(r"^│ .* │$|^EventGate accepted .*", re.MULTILINE)
    has_rows = set(row.findall(shown[1])) <= set(row.findall(output))
    numbers = counts.findall(shown[1])
    if UPDATING and not (has_rows and numbers == counts.findall(output)):
        DEMO_PAGE.write_text(text.replace(shown[0], f"```demo\n{excerpt}\n```"))
        return
    assert has_rows
    assert numbers == counts.findall(output)


@pytest.mark.ci("demos")
def test_chaos_ends_as_shown() -> None:
    """Its last lines: the verdict is the same each time, and how much went wrong differs from run to run."""
    output = demo("--chaos").splitlines()[-CHAOS_LINES:]
    text = DEMO_PAGE.read_text()
    shown = CHAOS.search(text)
    assert shown is not None
    lines = shown[1].splitlines()
    words, words_now = ([re.sub(r"\d+", "N", line) for line in each] for each in (lines, output))
    if UPDATING and (lines[-1], words) != (output[-1], words_now):
        DEMO_PAGE.write_text(text.replace(shown[0], "```chaos\n" + "\n".join(output) + "\n```"))
        return
    assert lines[-1] == output[-1]
    assert words == words_now
