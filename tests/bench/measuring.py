"""Servers are asked in turn over the same upstreams, and what they took is measured from outside."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import uvloop

from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from tests.bench import report
from tests.bench.compute import COMPUTE_METRIC, MODELS, NULL_NAME
from tests.bench.delivered import UndeliveredError, check_delivered
from tests.bench.figures import Figures, Scenario
from tests.bench.load import shoot
from tests.bench.processes import Server, on_core, running
from tests.bench.steadiness import Slice, Steadiness, health_at_saturation, steady
from tests.bench.traffic import Traffic
from tests.bench.upstreams import Upstreams, upstreams

WARM_UP_SECONDS = 1.5
Seen = TypeVar("Seen")


class Bench:
    """Measures servers in turn, over the same upstreams."""

    def __init__(
        self, servers: dict[str, Server], behind: Upstreams, *, delivering: Collection[str], pinned: bool
    ) -> None:
        """``delivering`` are the servers that emit an event for every request."""
        self.servers = servers
        self.pinned = pinned
        self._behind = behind
        self._delivering = delivering
        self._validator = EventValidator(SchemaRepository().load(PREDICTION_SCHEMA))
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
        for name in self.servers:
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

    def steadiness(self, name: str, model: str, pairs: int, seconds: float) -> Steadiness:
        """See what a large page and saturation do to the others; the last of the edits is the large page."""
        server, path = self.servers[name], f"/v1/models/{model}%3Apredict"
        self._behind.wait(20, 20)

        def at_a_steady_rate(*, large: bool) -> Slice:
            seen = _run(steady(server, path, self._traffic, self._next_number, large=large, seconds=seconds))
            self._take(name, seen.numbers)
            return seen

        found = []
        for _ in range(pairs):
            found.append((at_a_steady_rate(large=False), at_a_steady_rate(large=True)))
            report.progress_of_pair(*found[-1])
        self._behind.wait(0, 0)
        self.use(Traffic(self._traffic.edits[:-1]))
        requests = self._traffic.requests(path, self._next_number)
        shot, health = _run(health_at_saturation(server, requests, seconds))
        self._take(name, shot.numbers)
        return Steadiness(model, found, health)

    def _slice(self, name: str, scenario: Scenario, seconds: float) -> Figures:
        server = self.servers[name]
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
        if name in self._delivering:
            try:
                self.delivered += check_delivered(numbers, bodies, self._validator)
            except UndeliveredError as error:
                raise UndeliveredError(f"{name}: {error}") from error
        return queries


def _run(measuring: Coroutine[Any, Any, Seen]) -> Seen:
    return asyncio.Runner(loop_factory=uvloop.new_event_loop).run(measuring)


@contextmanager
def bench(
    commands: Callable[[str, Path], Mapping[str, Sequence[str]]],
    *,
    delivering: Collection[str],
    roots: Mapping[str, Path] = MappingProxyType({}),
) -> Iterator[Bench]:
    """Run servers on one core, and the upstreams with this process on another, while the context lasts.

    ``commands`` gets the upstreams' URL and a scratch folder, and returns command lines by name. A server runs in the
    checkout that ``roots`` has for its name, or in this one.
    """
    cores = sorted(os.sched_getaffinity(0))
    server_core, other_core = (cores[0], cores[-1]) if len(cores) > 1 else (None, None)
    with tempfile.TemporaryDirectory() as scratch, on_core(other_core), upstreams() as behind:
        folder = Path(scratch)
        with running(commands(behind.url, folder), server_core, folder, roots) as servers:
            yield Bench(servers, behind, delivering=delivering, pinned=server_core is not None)
