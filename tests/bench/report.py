"""What the benchmark says: its tables, the document and its plot."""

import os
import platform
import statistics
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.bench.figures import Figures, Measured, Ratio, Rounds, Scenario, ratio
from tests.bench.one_wiki import one_wiki_aims, one_wiki_table
from tests.bench.steadiness import CALLERS, RATE, Slice, Steadiness
from tests.bench.traffic import Edit

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"
PLOT = DOCUMENT.with_suffix(".png")
EXPORT = "revertrisk-multilingual, a real page's history"
"""The scenario of the real edits."""
REAL_EDITS_BY = "ours revertrisk-multilingual"
BEGIN, END = "<!-- make bench writes from here -->", "<!-- to here -->"


def progress(scenario: Scenario, figures: Mapping[str, Figures]) -> None:
    """Say on standard error what one round gave."""
    told = "; ".join(f"{name} {each.rate:.0f}/s {each.cpu_us:.0f} us" for name, each in figures.items())
    where = f"{scenario.compute} {scenario.mediawiki_ms}/{scenario.eventgate_ms} ms x{scenario.concurrency}"
    sys.stderr.write(f"{where}: {told}\n")


def progress_of_pair(without: Slice, with_it: Slice) -> None:
    """Say on standard error what one pair without and with the large page gave."""
    told = "; ".join(
        f"p99 {each.others_p99_ms:.1f} ms, lag {each.lag_ms:.1f} ms" for each in (without, with_it)
    )
    sys.stderr.write(f"large page, without and with: {told}\n")


def ran_on(*, pinned: bool, edits: Sequence[Edit]) -> str:
    """Say what the benchmark ran on, and over what."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("kserve", "uvicorn", "aiohttp", "uvloop", "torch")
    )
    sizes = sorted(edit.size for edit in edits)
    where = (
        "the server alone on one core, load generator and upstreams on another" if pinned else "not pinned"
    )
    return (
        f"{os.cpu_count()} cores of {_processor()}, {where}; Linux {platform.release()}, "
        f"Python {platform.python_version()}, {packages}. {len(edits)} edits of {len({e.wiki_id for e in edits})} "
        f"wikis, {sizes[len(sizes) // 2] / 1000:.0f} kB of text with the parent's at the median, "
        f"{sizes[-1] / 1000:.0f} kB at most; every request is a fresh revision."
    )


def markdown(
    measured: Measured,
    bursts: Measured,
    steadiness: Steadiness,
    memory: Mapping[str, float],
    compute: str,
    ran: str,
) -> str:
    """Write all tables.

    ``bursts`` are of one wiki; ``memory`` is what our server held with each model, in megabytes; ``compute`` is a
    section that is written already.
    """
    tables = (
        [*_aims(measured), *one_wiki_aims(bursts), *_aims_of_steadiness(steadiness)],
        _pairs(measured), one_wiki_table(bursts), _ladder(measured), _steadiness(steadiness), _memory(memory),
        compute.splitlines(),
    )  # fmt: skip
    return "\n".join([ran, *(line for table in tables for line in ("", *table))])


def _pairs(measured: Measured) -> list[str]:
    lines = [
        "Ours and the peer's way of working. Medians; ratios are medians over the pairs, with the extremes.",
        "",
        (
            "| model | MediaWiki / EventGate ms | concurrency | ours req/s | naive req/s | ratio "
            "| ours p50 / p95 / p99 ms | naive p50 / p95 / p99 ms "
            "| ours CPU us (compute) | naive CPU us (compute) | CPU ratio | MediaWiki queries a request |"
        ),
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for scenario, rounds in measured.items():
        us, peer = scenario.servers[:2]
        ours, naive = (Figures.median([each[name] for each in rounds]) for name in (us, peer))
        cells = (
            scenario.compute, f"{scenario.mediawiki_ms} / {scenario.eventgate_ms}", scenario.concurrency,
            f"{ours.rate:.0f}", f"{naive.rate:.0f}", ratio(rounds, us, peer, lambda each: each.rate),
            _latencies(ours), _latencies(naive), _cpu(ours), _cpu(naive),
            ratio(rounds, us, peer, lambda each: each.serving_us), f"{ours.queries:.2f}, naive {naive.queries:.2f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return lines


def _ladder(measured: Measured) -> list[str]:
    (rounds,) = (rounds for scenario, rounds in measured.items() if len(scenario.servers) > 2)
    lines = ["What serving costs without a model, concurrency 32, no latency.", ""]
    lines += ["| server | req/s | CPU us per request |", "| --- | --- | --- |"]
    for name in rounds[0]:
        median = Figures.median([each[name] for each in rounds])
        lines.append(f"| {name} | {median.rate:.0f} | {median.cpu_us:.0f} |")
    return lines


def _memory(memory: Mapping[str, float]) -> list[str]:
    lines = ["The most memory that our server held.", "", "| model | MB |", "| --- | --- |"]
    return [*lines, *(f"| {model} | {megabytes:.0f} |" for model, megabytes in memory.items())]


def _aims(measured: Measured) -> list[str]:
    """Set each aim beside what was reached."""

    def of(compute: str, latency: int, concurrency: int) -> Rounds:
        (rounds,) = (
            rounds
            for each, rounds in measured.items()
            if (each.compute, each.mediawiki_ms, each.concurrency) == (compute, latency, concurrency)
        )
        return rounds

    idle = of("no model", 0, 32)
    one = Figures.median([each["ours"] for each in of("no model", 50, 1)])
    models = sorted({each.compute for each in measured if each.compute.startswith("revertrisk")} - {EXPORT})
    lines = ["| aim | reached |", "| --- | --- |"]
    rows: list[tuple[str, object]] = [
        ("requests/s at least 10 x naive's, no model", ratio(idle, "ours", "naive", lambda each: each.rate)),
        ("CPU at most 0.10 of naive's, no model", ratio(idle, "ours", "naive", lambda each: each.cpu_us)),
        *(
            (f"CPU without compute at most 0.10 of naive's, {model}",
             ratio(of(model, 0, 32), f"ours {model}", f"naive {model}", lambda each: each.serving_us))
            for model in models
        ),
        ("requests/s at least 4 x naive's, 50/50 ms, concurrency 64, no model",
         ratio(of("no model", 50, 64), "ours", "naive", lambda each: each.rate)),
        *(
            (f"the same, {model}",
             ratio(of(model, 50, 64), f"ours {model}", f"naive {model}", lambda each: each.rate))
            for model in models
        ),
        ("p50 at most 1.06 x the two latencies, 50/50 ms, concurrency 1", f"{one.p50_ms / 100:.3f}"),
        ("CPU at most 4 x that of an echo behind the same REST layer",
         ratio(idle, "ours", "echo, our REST layer", lambda each: each.cpu_us)),
    ]  # fmt: skip
    real = [rounds for scenario, rounds in measured.items() if scenario.compute == EXPORT]
    rates = sorted(each[REAL_EDITS_BY].rate for rounds in real for each in rounds)
    rows.append(
        (
            f"at least 160 edits/s, {EXPORT}, MediaWiki at 20 ms",
            f"{statistics.median(rates):.0f} ({rates[0]:.0f} to {rates[-1]:.0f})"
            if rates
            else "not measured: the export is not there",
        )
    )
    return [*lines, *(f"| {aim} | {reached} |" for aim, reached in rows)]


def _aims_of_steadiness(seen: Steadiness) -> list[str]:
    ratios = [with_it.others_p99_ms / without.others_p99_ms for without, with_it in seen.pairs]
    lags = sorted(with_it.lag_ms for _, with_it in seen.pairs)
    rows = (
        (
            "a 2 MB page among small ones: the others' p99 at most 1.2 x that without it",
            Ratio(statistics.median(ratios), min(ratios), max(ratios)),
        ),
        (
            "the event loop at most 25 ms late meanwhile",
            f"{statistics.median(lags):.0f} ms ({lags[0]:.0f} to {lags[-1]:.0f})",
        ),
        ("health p99 below 100 ms at saturation", f"{seen.health.p99_ms:.0f} ms"),
    )
    return [f"| {aim} | {reached} |" for aim, reached in rows]


def _steadiness(seen: Steadiness) -> list[str]:
    without, with_it = zip(*seen.pairs, strict=True)
    large = statistics.median(each.large_p50_ms for each in with_it)
    lines = [
        (
            f"A page of 2 MB once a second among {RATE} requests a second for small ones, {seen.model}, 20/20 ms. "
            f"The large page itself takes {large:.0f} ms."
        ),
        "",
        "| | p99 of the small ones, ms | the event loop was late by at most, ms |",
        "| --- | --- | --- |",
    ]
    for name, slices in (("small ones only", without), ("with the large page", with_it)):
        p99 = statistics.median(each.others_p99_ms for each in slices)
        lines.append(f"| {name} | {p99:.1f} | {statistics.median(each.lag_ms for each in slices):.1f} |")
    health = seen.health
    return [
        *lines,
        "",
        (
            f"Health checks at saturation ({CALLERS} callers, {health.rate:.0f} scores/s): p50 {health.p50_ms:.1f} ms, "
            f"p99 {health.p99_ms:.1f} ms."
        ),
    ]


def write(text: str, measured: Measured) -> None:
    """Put the tables between the document's markers, and draw the plot."""
    document = DOCUMENT.read_text()
    before, rest = document.split(BEGIN)
    _, after = rest.split(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")
    _plot(measured)


def _plot(measured: Measured) -> None:
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and only a full run draws

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for panel, latency in zip(axes, (0, 50), strict=True):
        shown = [s for s in measured if s.compute == "no model" and s.mediawiki_ms == latency]
        for name in ("ours", "naive"):
            rates = [[each[name].rate for each in measured[scenario]] for scenario in shown]
            panel.plot(
                [s.concurrency for s in shown], [statistics.median(r) for r in rates], "o-", label=name
            )
        panel.set(
            title=f"MediaWiki and EventGate at {latency} ms",
            xlabel="concurrency", ylabel="requests a second, one core", xscale="log", yscale="log",
            xticks=[s.concurrency for s in shown], xticklabels=[str(s.concurrency) for s in shown],
        )  # fmt: skip
        panel.grid(visible=True, which="both", alpha=0.3)
        panel.legend()
    figure.savefig(PLOT, dpi=110)


def _latencies(figures: Figures) -> str:
    return f"{figures.p50_ms:.1f} / {figures.p95_ms:.1f} / {figures.p99_ms:.1f}"


def _cpu(figures: Figures) -> str:
    return f"{figures.cpu_us:.0f}" + (f" ({figures.compute_us:.0f})" if figures.compute_us else "")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
