"""The benchmark: our server against the peer's way of working, in one interleaved run.

Run it as a program: ``python tests/bench/run.py [--quick]``. Every server runs all the time and is asked in turn
(ABAB…), so that whatever else the machine does falls on all of them; the ratios of neighbours are what counts.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from event_platform.prediction_change import PREDICTION_SCHEMA
from event_platform.schemas import EventValidator, SchemaRepository
from event_platform.wikis import WikiTable
from mock_mediawiki.__main__ import open_history
from revert_risk import artifact
from tests.bench import compute_per_edit, fast_paths, report
from tests.bench.compute import COMPUTE_METRIC, NULL_NAME
from tests.bench.compute_per_edit import EXPORT as REAL_EXPORT
from tests.bench.load import shoot
from tests.bench.naive_server import ca_file
from tests.bench.processes import ROOT, Server, on_core, running
from tests.bench.report import EXPORT, REAL_EDITS_BY, Figures, Scenario
from tests.bench.steadiness import (
    LARGE_BYTES,
    Slice,
    Steadiness,
    health_at_saturation,
    steady,
    with_large_page,
)
from tests.bench.traffic import Traffic, edits, rev_id
from tests.bench.upstreams import Upstreams, upstreams

MODELS = ("revertrisk-language-agnostic", "revertrisk-multilingual")
WARM_UP_SECONDS = 1.5
Seen = TypeVar("Seen")
WATCHED = f"watched {MODELS[1]}"
"""Our server with the real model, and its event loop's lag as a metric."""
CACHING = "ours, with the revision cache"
IN_ARRAYS = "ours, events in arrays"
DELIVERING = (
    WATCHED,
    CACHING,
    IN_ARRAYS,
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


class UndeliveredError(Exception):
    """An event was lost, sent twice, or is not valid: the figures mean nothing."""


class Bench:
    """Measures servers in turn, over the same upstreams."""

    def __init__(self, servers: dict[str, Server], behind: Upstreams, validator: EventValidator) -> None:
        self._servers = servers
        self._behind = behind
        self._validator = validator
        self._traffic = Traffic([])
        self._next_number = 0
        self.delivered = 0

    def use(self, traffic: Traffic) -> None:
        """Ask about these edits from now on."""
        self._traffic = traffic
        self._next_number += 1000  # so that no chain reaches back to what was asked about as something else
        self._behind.serve(traffic)

    def warm_up(self) -> None:
        """Let every server see traffic, uncounted: lazy imports, connections, caches of compiled things."""
        for name in self._servers:
            self._slice(name, Scenario("", 0, 0, 8, ()), WARM_UP_SECONDS)

    def measure(self, scenario: Scenario, pairs: int, seconds: float) -> list[dict[str, Figures]]:
        """Ask each server of a scenario in turn, so many times."""
        self._behind.wait(scenario.mediawiki_ms, scenario.eventgate_ms)
        rounds = []
        for _ in range(pairs):
            rounds.append({name: self._slice(name, scenario, seconds) for name in scenario.servers})
            report.progress(scenario, rounds[-1])
        self._behind.wait(0, 0)
        return rounds

    def steadiness(self, name: str, model: str, plan: Plan) -> Steadiness:
        """See what a large page and saturation do to the others; the last of the edits is the large page."""
        server, path = self._servers[name], f"/v1/models/{model}%3Apredict"
        self._behind.wait(20, 20)

        def at_a_steady_rate(*, large: bool) -> Slice:
            seen = _run(
                steady(
                    server, path, self._traffic, self._next_number, large=large, seconds=plan.steady_seconds
                )
            )
            self._take(name, seen.numbers)
            return seen

        pairs = []
        for _ in range(plan.more_pairs):
            pairs.append((at_a_steady_rate(large=False), at_a_steady_rate(large=True)))
            report.progress_of_pair(*pairs[-1])
        self._behind.wait(0, 0)
        self.use(Traffic(self._traffic.edits[:-1]))
        requests = self._traffic.requests(path, self._next_number)
        shot, health = _run(health_at_saturation(server, requests, plan.steady_seconds))
        self._take(name, shot.numbers)
        return Steadiness(model, pairs, health)

    def _slice(self, name: str, scenario: Scenario, seconds: float) -> Figures:
        server = self._servers[name]
        model = name.partition(" ")[2] if name.partition(" ")[2] in MODELS else NULL_NAME
        requests = self._traffic.requests(f"/v1/models/{model}%3Apredict", self._next_number)
        compute = server.metric(COMPUTE_METRIC) if model in name else 0.0
        cpu = server.cpu_seconds()
        shot = _run(shoot(server.port, requests, concurrency=scenario.concurrency, seconds=seconds))
        cpu = server.cpu_seconds() - cpu
        compute = server.metric(COMPUTE_METRIC) - compute if model in name else 0.0
        return Figures.of(shot, cpu=cpu, compute=compute, queries=self._take(name, shot.numbers))

    def _take(self, name: str, numbers: Sequence[int]) -> int:
        """Take what the upstreams have recorded of these events, and return the number of queries."""
        self._next_number = max(numbers) + 1
        bodies, queries = self._behind.take()
        if name in DELIVERING:
            self._check(name, numbers, bodies)
        return queries

    def _check(self, name: str, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """See that every request's event was delivered, once and valid."""
        events = [event for body in bodies for event in _events(body)]
        if Counter(event["revision"]["rev_id"] for event in events) != Counter(map(rev_id, numbers)):
            raise UndeliveredError(f"{name}: {len(numbers)} requests, {len(events)} events")
        for event in events:
            # EventGate fills in meta.dt before it validates.
            event["meta"].setdefault("dt", event["dt"])
            violations = self._validator.violations(event) if not self._validator.is_valid(event) else []
            if violations:
                raise UndeliveredError(f"{name}: an event is not valid: {violations}")
        self.delivered += len(events)


def _run(measuring: Coroutine[Any, Any, Seen]) -> Seen:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(measuring)


def _events(body: bytes) -> Iterator[dict[str, Any]]:
    document = orjson.loads(body)
    yield from document if isinstance(document, list) else [document]


def scenarios(plan: Plan) -> Iterator[tuple[Scenario, int]]:
    """Yield what is measured, each with its number of rounds."""
    for latency in (0, 50):
        for concurrency in plan.concurrencies:
            aimed_at = (latency, concurrency) in {(0, 32), (50, 64), (50, 1)}
            everybody = (latency, concurrency) == (0, 32)
            servers = ("ours", "naive", "echo, our REST layer", "echo, KServe's", "echo, ASGI")
            yield (
                Scenario("no model", latency, latency, concurrency, servers if everybody else servers[:2]),
                plan.more_pairs if aimed_at else plan.pairs,
            )
    for latency, concurrency in ((0, 32), (50, 64)):
        for model in MODELS:
            servers = (f"ours {model}", f"naive {model}")
            yield Scenario(model, latency, latency, concurrency, servers), plan.more_pairs


@cache
def supported(wiki_id: str) -> bool:
    """Tell whether every model was made for a wiki."""
    limits = [artifact.load_metadata(artifact.shipped(model)).supported_wikis for model in MODELS]
    return all(limit is None or wiki_id in limit for limit in limits)


def commands(upstream: str, ca: Path) -> dict[str, list[str]]:
    """Return the command lines of all servers."""
    ours = ["tests/bench/our_server.py", "--upstream", upstream]
    naive = ["tests/bench/naive_server.py", "--upstream", upstream, "--ca-file", str(ca)]
    return {
        "ours": ours,
        "naive": naive,
        "echo, our REST layer": [*ours, "--echo"],
        "echo, KServe's": [*naive, "--echo"],
        "echo, ASGI": ["tests/bench/asgi_echo.py"],
        **{f"ours {model}": [*ours, "--model", model] for model in MODELS},
        CACHING: [*ours, "--set", "revision_cache_bytes=33554432"],
        IN_ARRAYS: [*ours, "--set", "eventgate_batch_max=20"],
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
    parser.add_argument("--quick", action="store_true", help="under two minutes; writes no document")
    parser.add_argument("--dump", type=Path, help="take the edits of a MediaWiki XML export throughout")
    parser.add_argument(
        "--export", type=Path, default=REAL_EXPORT, help="an export for the row of real edits"
    )
    arguments = parser.parse_args()
    plan = QUICK if arguments.quick else FULL
    cores = sorted(os.sched_getaffinity(0))
    server_core, other_core = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    wikis = WikiTable.load()
    history = open_history(arguments.dump, wikis)
    began = time.monotonic()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(on_core(other_core))
        behind = stack.enter_context(upstreams())
        servers = stack.enter_context(running(commands(behind.url, ca_file(folder)), server_core, folder))
        bench = Bench(servers, behind, EventValidator(SchemaRepository().load(PREDICTION_SCHEMA)))
        many = edits(history, wikis, supported, most=200)
        bench.use(Traffic(many))
        bench.warm_up()
        measured = {
            scenario: bench.measure(scenario, pairs, plan.seconds) for scenario, pairs in scenarios(plan)
        }
        arrays = Scenario("no model, EVENTGATE_BATCH_MAX=20", 0, 0, 32, (IN_ARRAYS, "naive"))
        measured[arrays] = bench.measure(arrays, plan.pairs, plan.seconds)
        bench.use(Traffic(edits(history, wikis, supported, most=200, only_wiki="enwiki")))
        for server, what in (("ours", "one wiki"), (IN_ARRAYS, "one wiki, EVENTGATE_BATCH_MAX=20")):
            one_wiki = Scenario(f"no model, {what}", 0, 0, 32, (server, "naive"))
            measured[one_wiki] = bench.measure(one_wiki, plan.pairs, plan.seconds)
        bench.use(Traffic(many, chained=True))
        for server in ("ours", CACHING):
            seen_before = Scenario(f"no model, parents seen before{server[4:]}", 0, 0, 32, (server, "naive"))
            measured[seen_before] = bench.measure(seen_before, plan.pairs, plan.seconds)
        if arguments.export.is_file():
            real_edits = edits(open_history(arguments.export, wikis), wikis, supported, most=200, padded_to=0)
            bench.use(Traffic(real_edits))
            # All of one wiki, so no more than WIKI_LIMIT at a time.
            real = Scenario(EXPORT, 20, 0, 32, (REAL_EDITS_BY, f"naive {MODELS[1]}"))
            measured[real] = bench.measure(real, plan.pairs, plan.seconds)
        (large,) = edits(history, wikis, supported, most=1, padded_to=LARGE_BYTES)
        bench.use(with_large_page(many, large))
        steadiness = bench.steadiness(WATCHED, MODELS[1], plan)
        memory = {model: servers[f"ours {model}"].memory_mb() for model in MODELS}
    ran_on = report.ran_on(pinned=server_core is not None, edits=many)
    ran_on += f" {bench.delivered} events, each delivered exactly once and valid, in {time.monotonic() - began:.0f} s."
    compute = "" if arguments.quick else compute_section(arguments.export)
    text = report.markdown(measured, steadiness, memory, compute, ran_on) + "\n" + fast_paths.section()
    sys.stdout.write(text + "\n")
    if not arguments.quick and arguments.dump is None:
        report.write(text, measured)


if __name__ == "__main__":
    main()
