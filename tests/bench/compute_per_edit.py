"""CPU time of features and model for each edit of an export's pages, on one core, for both models.

Run it as a program: ``python -m tests.bench.compute_per_edit [EXPORT]``.
"""

import os
import platform
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier, limit_threads
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.scoring.training.recipes import RECIPES
from tests.bench.processes import on_core
from tests.fakes.real_data import EDITS, PAGE

EVERY = 20
"""One edit of so many is timed: a page changes its character over the years."""
REPEATS = 3
AIMS_MS = {"revertrisk-language-agnostic": 0.6, "revertrisk-multilingual": 0.9}
"""Milliseconds at the median."""


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU time for one edit, in milliseconds."""

    edits: int
    median: float
    p95: float
    largest: float


def time_edits(classifier: TorchClassifier, revisions: Iterable[Revision]) -> Timing:
    """Score edits one at a time; each counts with the least of a few times, which neighbours disturbed least."""
    spent = [min(_milliseconds(classifier, revision) for _ in range(REPEATS)) for revision in revisions]
    median, p95 = np.percentile(spent, [50, 95])
    return Timing(len(spent), float(median), float(p95), max(spent))


def _milliseconds(classifier: TorchClassifier, revision: Revision) -> float:
    started = time.process_time_ns()
    classifier.score([revision])
    return (time.process_time_ns() - started) / 1e6


def measure(export: Path) -> dict[str, Timing]:
    """Time every model on the same edits, each scored by itself."""
    edits = (each for each, _, _ in scorable_revisions(export, wiki_id="enwiki", language="en"))
    sample = list(islice(edits, 0, None, EVERY))
    return {model: time_edits(TorchClassifier.load(shipped(model)), sample) for model in RECIPES}


def table(timings: dict[str, Timing]) -> str:
    """Return the figures as a Markdown table."""
    rows = [
        f"| {model} | {each.edits} | {each.median:.2f} | {each.p95:.2f} | {each.largest:.2f} | {AIMS_MS[model]:g} |"
        for model, each in timings.items()
    ]
    header = "| model | edits | median, ms of CPU | p95 | largest | aim for the median |"
    return "\n".join([header, "| --- " * 6 + "|", *rows])


def main() -> None:
    """Print the times, and what they were measured on."""
    export = Path(sys.argv[1]) if len(sys.argv) > 1 else EDITS / PAGE
    if not export.is_file():
        sys.stdout.write(f"Compute per edit: not measured, there is no export at {export}\n")
        return
    core = max(os.sched_getaffinity(0))
    limit_threads(1)
    with on_core(core):
        timings = measure(export)
    sys.stdout.write(
        f"Features and model, every {EVERY}th edit of {export.name}, each scored by itself on core {core}, "
        f"the least of {REPEATS} times; "
        f"Python {platform.python_version()}, {platform.machine()}, load {os.getloadavg()[0]:.1f} at the end.\n\n"
        f"{table(timings)}\n"
    )


if __name__ == "__main__":
    main()
