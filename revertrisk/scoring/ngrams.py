"""Character n-grams of a piece of text as numbers: what a model can learn words from without knowing any.

N-grams run over word borders but not over the ends of the text. Nothing depends on a language, and a text can
not be read back from what is kept of it.
"""

import numpy as np
from numpy.typing import NDArray

SIZES = (2, 3, 4)
"""The lengths of the n-grams, in characters."""

CHARACTERS_READ = 4_096
"""N-grams are taken from this many characters at the start of a text."""

Hashes = NDArray[np.uint32]

# Multiply and shift, as FNV and its kin do; wrapping around is what makes it a hash.
_MULTIPLIER = np.uint64(0x100000001B3)
_SEED = 0x9E3779B97F4A7C15
_WORD_BITS = 64


def hashes(text: str) -> Hashes:
    """Return the distinct hashes of a text's n-grams in rising order, none for a text without anything visible.

    Letter case is ignored and any white space is one space. The hash is part of every artefact's format.
    """
    words = text[:CHARACTERS_READ].lower().split()
    if not words:
        return np.empty(0, np.uint32)
    padded = f" {' '.join(words)} ".encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(padded, np.uint32).astype(np.uint64)
    return np.unique(np.concatenate([_hashed(codes, size) for size in SIZES if len(codes) >= size]))


def _hashed(codes: NDArray[np.uint64], size: int) -> Hashes:
    number = len(codes) - size + 1
    state = np.full(number, (size * _SEED) % 2**_WORD_BITS, np.uint64)
    for offset in range(size):
        state = (state ^ codes[offset : offset + number]) * _MULTIPLIER
        state ^= state >> np.uint64(29)
    return (state >> np.uint64(16)).astype(np.uint32)
