"""The place with the largest weight in real edits: leaving it out lowers the score."""

from pathlib import Path

import pytest

from revertrisk.scoring.artifact import shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.training.explanation_check import sample, share_lowered
from tests.fakes.real_data import EDITS, PAGE

pytestmark = pytest.mark.ci("real data")

SAMPLE = 200
EVERY = 16


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_without_its_heaviest_place_an_edit_scores_lower(shared: Path, name: str) -> None:
    """Of 200 edits of a page, far more than half score lower without the place with the largest weight.

    The others score low as they are: each of their places speaks for them.
    """
    share = share_lowered(TorchClassifier.load(shipped(name)), sample(EDITS / PAGE, SAMPLE, EVERY))
    assert share.low is not None
    assert share.low > 0.6
