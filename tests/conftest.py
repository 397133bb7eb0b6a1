"""What is left to `make ci` is said at the end of a run without it, from the tests' own marks."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import hypothesis
import pytest

pytest_plugins = ["tests.fakes.program_fixtures", "tests.fakes.real_lakes"]

# No test compares a time with a bound: an example may take as long as a busy machine makes it take.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")

LEFT = pytest.StashKey[Counter[str]]()
"""Of what kinds the tests are that were left out for their mark, and how many of each."""


def pytest_configure(config: pytest.Config) -> None:
    config.stash[LEFT] = Counter()


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("ci"):
            item.config.stash[LEFT][mark.args[0]] += 1


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the counts of a process of xdist to the one that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left"] = dict(session.config.stash[LEFT])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Take the counts of a process of xdist; each has the same, as each collects everything."""
    node.config.stash[LEFT] = Counter(getattr(node, "workeroutput", {}).get("left"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left := config.stash[LEFT]:
        kinds = ", ".join(f"{kind} ({count})" for kind, count in sorted(left.items()))
        terminalreporter.write_line(f"`make ci` adds: {kinds}, and the load runs")
