"""The benchmark: our server against the peer's way of working, in one interleaved run.

Run it as a program: ``python tests/bench/run.py [--quick]``. Every server runs all the time and is asked in turn
(ABAB…), so that whatever else the machine does falls on all of them; the ratios of neighbours are what counts.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import uvloop

sys.path.insert(0, str(Path(__file__).parents[2]))

from event_platform.prediction_change import PREDICTION_SCHEMA
from event_platform.schemas import EventValidator, SchemaRepository
from event_platform.wikis import WikiTable
from mock_mediawiki.__main__ import open_history
from revert_risk import artifact
from tests.bench import report, traffic
from tests.bench.compute import COMPUTE_METRIC, NULL_NAME
from tests.bench.load import shoot
from tests.bench.naive_server import ca_file
from tests.bench.processes import Server, on_core, running
from tests.bench.report import Figures, Scenario
from tests.bench.upstreams import Upstreams, upstreams

MODELS = ("revertrisk-language-agnostic", "revertrisk-multilingual")
WARM_UP_SECONDS = 1.5
DELIVERING = ("ours", "naive", *(f"{side} {model}" for side in ("ours", "naive") for model in MODELS))
"""Servers that emit an event for every request."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: pairs, and seconds for one slice of one server."""

    concurrencies: tuple[int, ...]
    pairs: int
    more_pairs: int
    """For the figures that an aim hangs on."""
    seconds: float


QUICK = Plan((1, 32, 64), pairs=2, more_pairs=3, seconds=0.8)
FULL = Plan((1, 8, 32, 64), pairs=3, more_pairs=5, seconds=2.0)


class UndeliveredError(Exception):
    """An event was lost, sent twice, or is not valid: the figures mean nothing."""


class Bench:
    """Measures servers in turn, over the same upstreams."""

    def __init__(self, servers: dict[str, Server], behind: Upstreams, validator: EventValidator) -> None:
        self._servers = servers
        self._behind = behind
        self._validator = validator
        self._edits: list[traffic.Edit] = []
        self._next_number = 0
        self.delivered = 0

    def use(self, edits: list[traffic.Edit]) -> None:
        """Serve these edits from now on."""
        self._edits = edits
        self._behind.serve(edits)

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

    def _slice(self, name: str, scenario: Scenario, seconds: float) -> Figures:
        server = self._servers[name]
        model = name.partition(" ")[2] if name.partition(" ")[2] in MODELS else NULL_NAME
        requests = traffic.requests(self._edits, f"/v1/models/{model}:predict", self._next_number)
        compute = server.metric(COMPUTE_METRIC) if model in name else 0.0
        cpu = server.cpu_seconds()
        shot = asyncio.Runner(loop_factory=uvloop.new_event_loop).run(
            shoot(server.port, requests, concurrency=scenario.concurrency, seconds=seconds)
        )
        cpu = server.cpu_seconds() - cpu
        compute = server.metric(COMPUTE_METRIC) - compute if model in name else 0.0
        self._next_number = max(shot.numbers) + 1
        bodies, queries = self._behind.take()
        if name in DELIVERING:
            self._check(name, shot.numbers, bodies)
        return Figures.of(shot, cpu=cpu, compute=compute, queries=queries)

    def _check(self, name: str, numbers: Sequence[int], bodies: Sequence[bytes]) -> None:
        """See that every request's event was delivered, once and valid."""
        events = [event for body in bodies for event in _events(body)]
        if Counter(event["revision"]["rev_id"] for event in events) != Counter(map(traffic.rev_id, numbers)):
            raise UndeliveredError(f"{name}: {len(numbers)} requests, {len(events)} events")
        for event in events:
            # EventGate fills in meta.dt before it validates.
            event["meta"].setdefault("dt", event["dt"])
            violations = self._validator.violations(event) if not self._validator.is_valid(event) else []
            if violations:
                raise UndeliveredError(f"{name}: an event is not valid: {violations}")
        self.delivered += len(events)


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
    for model in MODELS:
        yield Scenario(model, 0, 0, 32, (f"ours {model}", f"naive {model}")), plan.more_pairs


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
        **{f"naive {model}": [*naive, "--model", model] for model in MODELS},
    }


def main() -> None:
    """Measure, print, and write docs/performance.md and its plot after a full run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="about a minute; writes no document")
    parser.add_argument("--dump", type=Path, help="take the edits of a MediaWiki XML export")
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
        many = traffic.edits(history, wikis, supported, most=200)
        bench.use(many)
        bench.warm_up()
        measured = {
            scenario: bench.measure(scenario, pairs, plan.seconds) for scenario, pairs in scenarios(plan)
        }
        bench.use(traffic.edits(history, wikis, supported, most=200, only_wiki="enwiki"))
        one_wiki = Scenario("no model, one wiki", 0, 0, 32, ("ours", "naive"))
        measured[one_wiki] = bench.measure(one_wiki, plan.more_pairs, plan.seconds)
    ran_on = report.ran_on(pinned=server_core is not None, edits=many)
    ran_on += f" {bench.delivered} events, each delivered exactly once and valid, in {time.monotonic() - began:.0f} s."
    text = report.markdown(measured, ran_on)
    sys.stdout.write(text + "\n")
    if not arguments.quick and arguments.dump is None:
        report.write(text, measured)


if __name__ == "__main__":
    main()
