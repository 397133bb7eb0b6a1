"""The place with the largest weight in real edits: leaving it out lowers the score."""

from pathlib import Path

import pytest

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.training.explanation_check import sample, share_lowered

pytestmark = pytest.mark.ci("real data")

EXPORT = (
    Path(__file__).resolve().parents[4] / "shared/data/edits/anarchism_enwiki_fullhistory_2001-2010.xml.lzma"
)
EDITS = 200
EVERY = 16


@pytest.mark.timeout(300)
@pytest.mark.skipif(not EXPORT.is_file(), reason=f"the export is not at {EXPORT.name}")
@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_without_its_heaviest_place_an_edit_scores_lower(name: str) -> None:
    """Of 200 edits of a page, far more than half score lower without the place with the largest weight.

    The others score low as they are: each of their places speaks for them.
    """
    share = share_lowered(TorchClassifier.load(shipped(name)), sample(EXPORT, EDITS, EVERY))
    assert share.low is not None
    assert share.low > 0.6
