#!/usr/bin/env python3
"""Write the capacity table of docs/operations.md from what the benchmark wrote into docs/performance.md.

`make bench` runs it after its measurements. A pod has one core, like the benchmark's server, and is planned for half of
its capacity. There is one pod more than the load needs, so that one can be unavailable, and there are at least three,
enough for one in each of three zones.
"""

import argparse
import math
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).resolve().parents[2] / "docs"
BEGIN, END = "<!-- charts/tools/capacity.py writes from here -->", "<!-- to here -->"
RATES = {16: "all Wikipedias, about 16 edits/s", 30: "a peak of 30 edits/s"}
"""Edits a second, and the heading of the column."""
LATENCY = "MediaWiki / EventGate ms"
CPU = "ours CPU us (compute)"
LOADED_TO = 0.5
FEWEST_PODS = 3


class CapacityError(Exception):
    """A document does not have an expected part; the message names both."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The benchmark's figures for one model, at concurrency 32, with upstreams that answer at once."""

    model: str
    cpu_us: int
    """CPU time of one edit, everything included."""
    edits_per_second: int
    """On one core."""
    memory_mb: int
    """The server's highest memory."""

    def pods(self, rate: float) -> tuple[int, int]:
        """Return how many pods a rate (edits a second) needs, and how many to deploy for it."""
        needed = math.ceil(rate / (LOADED_TO * self.edits_per_second))
        return needed, max(FEWEST_PODS, needed + 1)


def measured(performance: str) -> Iterator[Measured]:
    """Yield each model's figures from the text of docs/performance.md; raises CapacityError."""
    memory = {row["model"]: row["MB"] for row in _rows(performance, "model", "MB")}
    asked = _rows(performance, "model", "concurrency", LATENCY, "ours req/s", CPU)
    for row in asked:
        if not row["model"].startswith("revertrisk-") or (row["concurrency"], row[LATENCY]) != (
            "32",
            "0 / 0",
        ):
            continue
        if row["model"] not in memory:
            raise CapacityError(f"performance.md: there is no memory figure of {row['model']}")
        cpu_us, _, _ = row[CPU].partition(" ")
        yield Measured(row["model"], int(cpu_us), int(row["ours req/s"]), int(memory[row["model"]]))


def table(performance: str) -> str:
    """Return the capacity table for the text of docs/performance.md; raises CapacityError."""
    models = list(measured(performance))
    if not models:
        raise CapacityError("performance.md: there is no model in the table")
    lines = [
        f"| model | CPU of an edit | edits/s of one core | {' | '.join(RATES.values())} | memory of a pod |",
        f"| --- | --- | --- |{' --- |' * len(RATES)} --- |",
    ]
    for each in models:
        pods = (each.pods(rate) for rate in RATES)
        cells = [f"{have} pods ({needed} would do)" for needed, have in pods]
        lines.append(
            f"| `{each.model}` | {each.cpu_us / 1000:.1f} ms | {each.edits_per_second} | {' | '.join(cells)} "
            f"| {each.memory_mb} MB |"
        )
    return "\n".join(lines)


def renewed(operations: str, performance: str) -> str:
    """Return the text of docs/operations.md with a new table; raises CapacityError."""
    between = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
    text, found = between.subn(lambda _: f"{table(performance)}\n", operations)
    if found != 1:
        raise CapacityError(f"operations.md: expected {BEGIN} once, and {END} after it")
    return text


def _rows(document: str, *columns: str) -> Iterator[dict[str, str]]:
    """Yield the rows of the first table that has these columns; raises CapacityError if none has."""
    for block in re.split(r"\n{2,}", document.strip()):
        head, *rows = (
            [cell.strip() for cell in line.strip("| ").split(" | ")] for line in block.splitlines()
        )
        if set(columns) <= set(head):
            yield from (dict(zip(head, row, strict=True)) for row in rows[1:] if len(row) == len(head))
            return
    raise CapacityError(f"performance.md: there is no table with the columns {', '.join(columns)}")


def main() -> int:
    """Run as a program."""
    parser = argparse.ArgumentParser(description="Write the capacity table from the benchmark's figures.")
    parser.add_argument("--performance", type=Path, default=DOCS / "performance.md")
    parser.add_argument("--operations", type=Path, default=DOCS / "operations.md")
    arguments = parser.parse_args()
    try:
        text = renewed(arguments.operations.read_text(), arguments.performance.read_text())
    except CapacityError as exc:
        sys.stderr.write(f"capacity: {exc}\n")
        return 1
    arguments.operations.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
