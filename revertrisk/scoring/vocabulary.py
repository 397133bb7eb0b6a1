"""The vocabulary of a model: the n-grams that enough training edits had.

An n-gram is looked up by its full hash. An n-gram that training did not see adds nothing to a score. So a text in a
language without training data scores nearly like no text. A table of hash buckets would give it the weights of other
n-grams instead.
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
"""The texts of an edit. Each has n-grams of its own: a removed word differs in meaning from the same word inserted."""


class TextRows(NamedTuple):
    """The known n-grams of one edit: their rows in the table of the model, and the weight of each."""

    rows: NDArray[np.int64]
    weights: NDArray[np.float64]
    """1/√n, where n is the number of distinct n-grams of the side, known or not."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The known n-grams of each side. The rows of all sides are numbered in one sequence, side after side."""

    hashes: tuple[Hashes, ...]
    """For each of `SIDES`: distinct hashes in rising order."""

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


def learn_vocabulary(texts: Sequence[ChangedText], *, min_edits: int) -> Vocabulary:
    """Return, for each side, the n-grams that at least `min_edits` edits have."""
    kept = []
    for side in SIDES:
        found = [ngrams.hashes(getattr(text, side)) for text in texts]
        values, counts = np.unique(np.concatenate([*found, np.empty(0, np.uint32)]), return_counts=True)
        kept.append(values[counts >= min_edits])
    return Vocabulary(tuple(kept))


def _parts(text: ChangedText) -> Iterator[str]:
    return (getattr(text, side) for side in SIDES)
