"""Measure whether explanations hold: an edit should score lower without the place that weighed most.

Run as ``python -m revertrisk.scoring.training.heaviest_place EXPORT [MODEL …]`` with an XML export.
"""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier, limit_threads
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.spans import without
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.figures import Estimate
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.scoring.training.recipes import RECIPES

EDITS = 400
EVERY = 36
"""One edit in this many is taken: a page changes its character over the years."""


def sample(export: Path, edits: int = EDITS, every: int = EVERY) -> list[Revision]:
    """Return edits of an export from all over its history."""
    revisions = scorable_revisions(export, wiki_id="enwiki", language="en")
    return [revision for revision, _, _ in islice(revisions, 0, edits * every, every)]


def lowered(classifier: TorchClassifier, revisions: Sequence[Revision]) -> Estimate:
    """Return the share of edits that score lower without their heaviest place, with its 95 % interval."""
    lower = []
    for revision in revisions:
        found = classifier.explain(revision)
        (rest,) = classifier.score([without(revision, found.spans[0].span)])
        lower.append(rest.probability < found.prediction.probability)
    outcomes = np.array(lower, dtype=np.float64)
    return figures.estimates(
        {"share": lambda counts: counts @ outcomes / counts.sum(axis=1)}, np.ones(len(outcomes)), 0
    )["share"]


def main(arguments: list[str]) -> None:
    """Print the share for each model named, or for all that come with this package."""
    limit_threads(1)
    export, *models = arguments
    revisions = sample(Path(export))
    for model in models or RECIPES:
        share = lowered(TorchClassifier.load(shipped(model)), revisions)
        sys.stdout.write(
            f"{model}: {share.value:.3f} ({share.low:.3f} to {share.high:.3f}) of {len(revisions)} edits "
            "score lower without their heaviest place\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
