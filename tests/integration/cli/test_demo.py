"""The demo is the whole system in one command: it must end well, and leave nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

COMMAND = [sys.executable, "-m", "revertrisk.cli.app", "demo"]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def demo(folder: Path, *flags: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *flags],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)} | environment,
    )


@pytest.mark.ci("demos")
def test_chaos_loses_nothing(folder: Path) -> None:
    """While both upstreams fail, the same predictions arrive as without faults, and every promise is shown kept."""
    with demo(folder, "--chaos", "--seed", "11") as process:
        output, _ = process.communicate(timeout=110)
    assert process.returncode == 0, output
    assert output.endswith("243 predictions expected, 243 on the stream: nothing lost.\n")
    assert [int(count) for count in re.findall(r"│ produced +│ +(\d+) │", output)] == [132, 111]
    assert "EventGate has an outage of 3 seconds" in output
    assert "The outage of EventGate is over" in output
    counts = {
        name: int(found[1])
        for name, text in {
            "faults": r"^(\d+) faults occurred: [1-9]\d* at MediaWiki, [1-9]\d* at EventGate\.$",
            "retried": r"^(\d+) events were sent more than once, with \d+ retries in total;",
            "repeated": r"^(\d+) predictions arrived twice, each time identical",
        }.items()
        if (found := re.search(text, output, re.MULTILINE))
    }
    assert counts["retried"] == len(re.findall(r"↻ \w+ \d+ \(.*\) arrived at try \d+", output)) > 0
    assert counts["repeated"] == len(re.findall(r"≡ \w+ \d+ \(.*\) arrived twice, identical", output)) > 0
    occurred = re.findall(r"^ +⚡ (?:MediaWiki|EventGate) [^:]*?(?: \((\d+) times\))?$", output, re.MULTILINE)
    assert counts["faults"] == sum(int(times or 1) for times in occurred)


def test_a_signal_ends_its_programs_with_it(folder: Path) -> None:
    """No mock stays behind, no temporary folder."""
    with demo(folder) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "mock EventGate listens" in line:
                break
        children = psutil.Process(process.pid).children(recursive=True)
        assert len(children) >= 2
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        assert process.wait(60) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []


@pytest.mark.ci("demos")
def test_without_the_lakes_extra_it_says_so(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """One sentence stands for the question, and all else is as ever."""
    hiding = tmp_path_factory.mktemp("hiding")
    (hiding / "sitecustomize.py").write_text("import sys; sys.modules['duckdb'] = None")
    path = os.pathsep.join([str(hiding), *filter(None, [os.environ.get("PYTHONPATH")])])
    with demo(folder, PYTHONPATH=path) as process:
        output, _ = process.communicate(timeout=110)
    assert process.returncode == 0, output
    last = output.splitlines()[-2:]
    assert last[0] == "EventGate accepted 243 predictions; 0 failed."
    assert last[1].endswith("pip install 'revertrisk-events[lake]'")
