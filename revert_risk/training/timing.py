"""How long a score takes on real pages: CPU time of features and model together, for each edit by itself.

Run as ``python -m revert_risk.training.timing EXPORT [MODEL …]`` with an XML export.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from revert_risk.artifact import shipped
from revert_risk.classifier import TorchClassifier, limit_threads
from revert_risk.revision import Revision
from revert_risk.training.history import scorable_revisions
from revert_risk.training.recipes import RECIPES

_EVERY = 20
"""One edit of so many is timed: a page changes its character over the years."""


@dataclass(frozen=True, slots=True)
class Timing:
    """CPU time for one edit, in milliseconds."""

    edits: int
    median: float
    p95: float
    largest: float


def time_edits(classifier: TorchClassifier, revisions: Iterable[Revision]) -> Timing:
    """Score edits one at a time and measure each."""
    spent = []
    for revision in revisions:
        started = time.process_time_ns()
        classifier.score([revision])
        spent.append((time.process_time_ns() - started) / 1e6)
    median, p95 = np.percentile(spent, [50, 95])
    return Timing(len(spent), float(median), float(p95), max(spent))


def main(arguments: list[str]) -> None:
    """Print the times of each model named, or of all that come with this package."""
    limit_threads(1)
    export, *models = arguments
    edits = (each for each, _, _ in scorable_revisions(Path(export), wiki_id="enwiki", language="en"))
    sample = list(islice(edits, 0, None, _EVERY))
    print("| model | edits | median, ms of CPU | p95 | largest |\n| --- | --- | --- | --- | --- |")  # noqa: T201
    for model in models or RECIPES:
        timing = time_edits(TorchClassifier.load(shipped(model)), sample)
        print(  # noqa: T201 - it is a program
            f"| {model} | {timing.edits} | {timing.median:.2f} | {timing.p95:.2f} | {timing.largest:.2f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
