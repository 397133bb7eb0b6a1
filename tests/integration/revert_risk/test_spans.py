"""The heaviest place of real edits: leaving it out lowers the score."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from revert_risk.artifact import shipped
from revert_risk.classifier import TorchClassifier
from revert_risk.spans import without
from revert_risk.training import figures
from revert_risk.training.history import scorable_revisions

EXPORT = (
    Path(__file__).resolve().parents[4] / "shared/data/edits/anarchism_enwiki_fullhistory_2001-2010.xml.lzma"
)
EDITS = 200
EVERY = 16


@pytest.mark.timeout(300)
@pytest.mark.skipif(not EXPORT.is_file(), reason=f"the export is not at {EXPORT.name}")
@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_without_its_heaviest_place_an_edit_scores_lower(name: str) -> None:
    """Of 200 edits of a page, far more than half score lower without the place that weighed most.

    The others score low as they are: each of their places speaks for them.
    """
    classifier = TorchClassifier.load(shipped(name))
    revisions = scorable_revisions(EXPORT, wiki_id="enwiki", language="en")
    sample = [revision for revision, _, _ in islice(revisions, 0, EDITS * EVERY, EVERY)]
    lower = []
    for revision in sample:
        found = classifier.explain(revision)
        (rest,) = classifier.score([without(revision, found.spans[0].span)])
        lower.append(rest.probability < found.prediction.probability)
    lowered = np.array(lower, dtype=np.float64)
    share = figures.estimates(
        {"share": lambda counts: counts @ lowered / counts.sum(axis=1)}, np.ones(EDITS), 0
    )["share"]
    print(f"{name}: lower without the heaviest place: {share} of {EDITS} edits")  # noqa: T201 - for the record
    assert share.low is not None
    assert share.low > 0.6
