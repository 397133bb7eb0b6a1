"""A burst of one wiki: how much of what its callers can ask is served, while both upstreams take their time."""

import statistics
from collections.abc import Iterator, Sequence

from tests.bench.compute import MODELS
from tests.bench.figures import Figures, Measured, Scenario

CALLERS = (64, 80)
"""80 is what change-propagation has under way at most."""
UPSTREAM_MS = 50
LEAST_SHARE, LEAST_SHARE_WITH_MODEL = 0.85, 0.75


def one_wiki_scenarios() -> Iterator[Scenario]:
    """Yield what is measured; an answer other than 200 stops the benchmark, so none is refused."""
    for compute in ("no model", *MODELS):
        server = f"ours {compute}" if compute in MODELS else "ours"
        for callers in CALLERS:
            yield Scenario(compute, UPSTREAM_MS, UPSTREAM_MS, callers, (server,))


def one_wiki_aims(measured: Measured) -> list[str]:
    """Set each aim beside what was reached."""
    return [
        f"| one wiki, {scenario.concurrency} callers, {UPSTREAM_MS}/{UPSTREAM_MS} ms, {scenario.compute}: at least "
        f"{LEAST_SHARE_WITH_MODEL if scenario.compute in MODELS else LEAST_SHARE} of what they can ask, none refused "
        f"| {_share(scenario, [each[scenario.servers[0]] for each in rounds])} |"
        for scenario, rounds in measured.items()
    ]


def one_wiki_table(measured: Measured) -> list[str]:
    """Write the table."""
    lines = [
        (
            f"A burst of one wiki, MediaWiki and EventGate at {UPSTREAM_MS} ms each. A caller asks again at once, so "
            "callers can ask their number in every tenth of a second. None was refused."
        ),
        "",
        "| model | callers | req/s | share of what they can ask | p50 / p95 / p99 ms | MediaWiki queries a request |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for scenario, rounds in measured.items():
        figures = [each[scenario.servers[0]] for each in rounds]
        seen = Figures.median(figures)
        lines.append(
            f"| {scenario.compute} | {scenario.concurrency} | {seen.rate:.0f} | {_share(scenario, figures)} "
            f"| {seen.p50_ms:.1f} / {seen.p95_ms:.1f} / {seen.p99_ms:.1f} | {seen.queries:.2f} |"
        )
    return lines


def _share(scenario: Scenario, figures: Sequence[Figures]) -> str:
    most = 1000 * scenario.concurrency / (scenario.mediawiki_ms + scenario.eventgate_ms)
    shares = sorted(each.rate / most for each in figures)
    return f"{statistics.median(shares):.2f} ({shares[0]:.2f} to {shares[-1]:.2f})"
