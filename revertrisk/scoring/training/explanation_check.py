"""Checks explanations: the share of edits that score lower without the place with the largest weight.

Run it as ``python -m revertrisk.scoring.training.explanation_check EXPORT [MODEL …]`` with an XML export.
"""

import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier, limit_threads
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.spans import without_span
from revertrisk.scoring.training import figures
from revertrisk.scoring.training.figures import Estimate
from revertrisk.scoring.training.history import scorable_revisions
from revertrisk.scoring.training.recipes import RECIPES

EDITS = 400
EVERY = 36
"""One edit in this number is taken, so that the sample covers all years of a page."""


def sample(export: Path, edits: int = EDITS, every: int = EVERY) -> list[Revision]:
    """Return `edits` edits of an export, one in `every`, in the order of the file."""
    revisions = scorable_revisions(export, wiki_id="enwiki", language="en")
    return [revision for revision, _, _ in islice(revisions, 0, edits * every, every)]


def share_lowered(classifier: TorchClassifier, revisions: Sequence[Revision]) -> Estimate:
    """Return the share of edits that score lower without their place with the largest weight, and its interval."""
    lower = []
    for revision in revisions:
        found = classifier.explain(revision)
        (rest,) = classifier.score([without_span(revision, found.spans[0].span)])
        lower.append(rest.probability < found.prediction.probability)
    outcomes = np.array(lower, dtype=np.float64)
    return figures.estimates(
        {"share": lambda counts: counts @ outcomes / counts.sum(axis=1)}, np.ones(len(outcomes)), 0
    )["share"]


def main(arguments: list[str]) -> None:
    """Print the share for each model named, or for all shipped models."""
    limit_threads(1)
    export, *models = arguments
    revisions = sample(Path(export))
    for model in models or RECIPES:
        share = share_lowered(TorchClassifier.load(shipped(model)), revisions)
        sys.stdout.write(
            f"{model}: {share.value:.3f} ({share.low:.3f} to {share.high:.3f}) of {len(revisions)} edits "
            "score lower without the place with the largest weight\n"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
