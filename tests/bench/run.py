"""The benchmark: our server against the peer's way of working, in one interleaved run.

Run it as a program: ``python tests/bench/run.py [--quick]``. Every server runs all the time and is asked in turn
(ABAB…), so that whatever else the machine does falls on all of them; the ratios of neighbours are what counts.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from mock_mediawiki.app import open_history
from revertrisk.wiki.table import WikiTable
from tests.bench import compute_per_edit, fast_paths, report
from tests.bench.compute import MODELS, supported
from tests.bench.figures import Scenario
from tests.bench.measuring import bench
from tests.bench.naive_server import ca_file
from tests.bench.one_wiki import one_wiki_scenarios
from tests.bench.processes import ROOT
from tests.bench.report import EXPORT, REAL_EDITS_BY
from tests.bench.steadiness import LARGE_BYTES, with_large_page
from tests.bench.traffic import Traffic, edits
from tests.fakes.real_data import EDITS, PAGE

WATCHED = f"watched {MODELS[1]}"
"""Our server with the real model, and its event loop's lag as a metric."""
DELIVERING = (
    WATCHED,
    "ours",
    "naive",
    *(f"{side} {model}" for side in ("ours", "naive") for model in MODELS),
)
"""Servers that emit an event for every request."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: pairs, and seconds for one slice of one server."""

    concurrencies: tuple[int, ...]
    pairs: int
    more_pairs: int
    """For the figures that an aim hangs on."""
    seconds: float
    steady_seconds: float
    """For a slice at a steady rate, with the large page or without."""


QUICK = Plan((1, 32, 64), pairs=2, more_pairs=3, seconds=0.8, steady_seconds=2.0)
FULL = Plan((1, 8, 32, 64), pairs=3, more_pairs=5, seconds=2.0, steady_seconds=4.0)


def scenarios(plan: Plan) -> Iterator[tuple[Scenario, int]]:
    """Yield what is measured, each with its number of rounds."""
    for latency in (0, 50):
        for concurrency in plan.concurrencies:
            aimed_at = (latency, concurrency) in {(0, 32), (50, 64), (50, 1)}
            everybody = (latency, concurrency) == (0, 32)
            servers: tuple[str, ...] = (
                "ours",
                "naive",
                "echo, our REST layer",
                "echo, KServe's",
                "echo, ASGI",
            )
            yield (
                Scenario("no model", latency, latency, concurrency, servers if everybody else servers[:2]),
                plan.more_pairs if aimed_at else plan.pairs,
            )
    for latency, concurrency in ((0, 32), (50, 64)):
        for model in MODELS:
            servers = (f"ours {model}", f"naive {model}")
            yield Scenario(model, latency, latency, concurrency, servers), plan.more_pairs


def commands(upstream: str, folder: Path) -> dict[str, list[str]]:
    """Return the command lines of all servers."""
    ours = ["tests/bench/our_server.py", "--upstream", upstream]
    naive = ["tests/bench/naive_server.py", "--upstream", upstream, "--ca-file", str(ca_file(folder))]
    return {
        "ours": ours,
        "naive": naive,
        "echo, our REST layer": [*ours, "--echo"],
        "echo, KServe's": [*naive, "--echo"],
        "echo, ASGI": ["tests/bench/asgi_echo.py"],
        **{f"ours {model}": [*ours, "--model", model] for model in MODELS},
        WATCHED: [*ours, "--model", MODELS[1], "--watch-lag"],
        **{f"naive {model}": [*naive, "--model", model] for model in MODELS},
    }


def compute_section(export: Path) -> str:
    """Return what the benchmark of features and models says, which has no server and a process of its own."""
    command = [sys.executable, "-m", compute_per_edit.__name__, str(export)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout


def main() -> None:
    """Measure, print, and write docs/performance.md and its plot after a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about two minutes; writes no document")
    parser.add_argument("--dump", type=Path, help="take the edits of a MediaWiki XML export throughout")
    parser.add_argument(
        "--export", type=Path, default=EDITS / PAGE, help="an export for the row of real edits"
    )
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    wikis = WikiTable.load()
    began = time.monotonic()
    with (
        open_history(arguments.dump, wikis) as history,
        bench(commands, delivering=DELIVERING) as measuring,
    ):
        many = edits(history, wikis, supported, most=200)
        measuring.use(Traffic(many))
        measuring.warm_up()
        measured = {
            scenario: measuring.measure(scenario, pairs, plan.seconds) for scenario, pairs in scenarios(plan)
        }
        measuring.use(Traffic(edits(history, wikis, supported, most=200, only_wiki="enwiki")))
        one_wiki = Scenario("no model, one wiki", 0, 0, 32, ("ours", "naive"))
        measured[one_wiki] = measuring.measure(one_wiki, plan.pairs, plan.seconds)
        bursts = {
            scenario: measuring.measure(scenario, plan.pairs, plan.seconds)
            for scenario in one_wiki_scenarios()
        }
        if arguments.export.is_file():
            with open_history(arguments.export, wikis) as of_export:
                measuring.use(Traffic(edits(of_export, wikis, supported, most=200, padded_to=0)))
            real = Scenario(EXPORT, 20, 0, 32, (REAL_EDITS_BY, f"naive {MODELS[1]}"))
            measured[real] = measuring.measure(real, plan.pairs, plan.seconds)
        (large,) = edits(history, wikis, supported, most=1, padded_to=LARGE_BYTES)
        measuring.use(with_large_page(many, large))
        steadiness = measuring.steadiness(WATCHED, MODELS[1], plan.more_pairs, plan.steady_seconds)
        memory = {model: measuring.servers[f"ours {model}"].memory_mb() for model in MODELS}
    ran_on = report.ran_on(pinned=measuring.pinned, edits=many)
    took = time.monotonic() - began
    ran_on += f" {measuring.delivered} events, each delivered exactly once and valid, in {took:.0f} s."
    compute = "" if arguments.quick else compute_section(arguments.export)
    text = (
        report.markdown(measured, bursts, steadiness, memory, compute, ran_on) + "\n" + fast_paths.section()
    )
    sys.stdout.write(text + "\n")
    if not arguments.quick and arguments.dump is None:
        report.write(text, measured)


if __name__ == "__main__":
    main()
