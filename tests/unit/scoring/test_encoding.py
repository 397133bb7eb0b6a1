import numpy as np
import pytest

from revertrisk.scoring.encoding import CLIP, fit_encoder
from revertrisk.scoring.features import Features


def features(**values: float | None) -> Features:
    """Return features of which only the given ones matter."""
    return Features(values, 0)


SEEN = [
    features(words_inserted=0, inserted_upper_share=0.0, is_minor=0.0),
    features(words_inserted=np.expm1(2.0), inserted_upper_share=1.0, is_minor=1.0),
    features(words_inserted=np.expm1(1.0), inserted_upper_share=None, is_minor=None),
]


def test_values_are_scaled_by_what_is_known_of_them() -> None:
    """Counts go through ln(1 + x); each feature then has mean 0 and deviation 1 over its known values."""
    encoder = fit_encoder(["words_inserted", "inserted_upper_share"], ["is_minor"], SEEN)
    inputs = encoder.encode(SEEN)
    deviation = np.sqrt(2 / 3)
    assert inputs.shape == (3, encoder.width) == (3, 5)
    assert inputs[:, 0] == pytest.approx([-1 / deviation, 1 / deviation, 0])
    assert inputs[:2, 1] == pytest.approx([-1, 1])
    assert inputs[:2, 4] == pytest.approx([-1, 1])


def test_unknown_differs_from_zero() -> None:
    """An unknown core feature is marked as such; a known zero is not."""
    encoder = fit_encoder(["words_inserted", "inserted_upper_share"], ["is_minor"], SEEN)
    zero, _, unknown = encoder.encode(SEEN)
    assert list(unknown) == pytest.approx([0, 0, 1, 0, 0])
    assert list(zero[2:4]) == [1, 1]
    assert zero[1] != unknown[1]


def test_what_is_unlike_the_training_data_is_cut_off() -> None:
    """A value far outside what was seen counts as far outside, not as its full distance."""
    encoder = fit_encoder(["words_inserted"], [], SEEN)
    assert encoder.encode([features(words_inserted=1e9)])[0, 0] == CLIP


def test_no_edits_have_no_rows() -> None:
    """Encoding nothing gives an empty matrix of the right width."""
    assert fit_encoder(["words_inserted"], [], SEEN).encode([]).shape == (0, 2)
