"""The n-grams that a model knows: what training saw often enough to learn a weight for.

An n-gram is looked up by its full hash. One that training never saw adds nothing to a score, so a text in a
language that the model did not learn is close to no text, instead of noise from buckets that others filled.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from revertrisk.scoring import ngrams
from revertrisk.scoring.features import ChangedText
from revertrisk.scoring.ngrams import Hashes

SIDES = tuple(each.name for each in fields(ChangedText))
"""The parts of an edit's text, each with n-grams of its own: the same word means another thing when removed."""


class TextRows(NamedTuple):
    """The known n-grams of one edit: rows of the model's table, and the weight of each."""

    rows: NDArray[np.int64]
    weights: NDArray[np.float64]
    """One over the square root of how many distinct n-grams the side has, known or not."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Known n-grams by side; the row of one is its place in its side's list, after all rows of the sides before."""

    hashes: tuple[Hashes, ...]
    """For each of `SIDES` distinct hashes in rising order."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return sum(map(len, self.hashes))

    @property
    def starts(self) -> tuple[int, ...]:
        """The first row of each side."""
        return tuple(sum(map(len, self.hashes[:side])) for side in range(len(self.hashes)))

    def find(self, text: ChangedText) -> TextRows:
        """Look up the n-grams of an edit's text."""
        rows, weights = [], []
        for known, start, part in zip(self.hashes, self.starts, _parts(text), strict=True):
            wanted = ngrams.hashes(part)
            places = np.searchsorted(known, wanted)
            places[places == len(known)] = 0
            found = places[known[places] == wanted] if len(known) else places[:0]
            rows.append(found + start)
            weights.append(np.full(len(found), max(1, len(wanted)) ** -0.5))
        return TextRows(np.concatenate(rows), np.concatenate(weights))


def learn(texts: Sequence[ChangedText], *, least: int) -> Vocabulary:
    """Keep, for each side, the n-grams that at least `least` edits have."""
    kept = []
    for side in SIDES:
        found = [ngrams.hashes(getattr(text, side)) for text in texts]
        values, counts = np.unique(np.concatenate([*found, np.empty(0, np.uint32)]), return_counts=True)
        kept.append(values[counts >= least])
    return Vocabulary(tuple(kept))


def _parts(text: ChangedText) -> Iterator[str]:
    return (getattr(text, side) for side in SIDES)
