"""Character n-grams of a text as hashes, from which a model can learn words of any language.

An n-gram may cross the border of two words. The text has one space added at both ends. The text cannot be restored
from the hashes.
"""

import numpy as np
from numpy.typing import NDArray

SIZES = (2, 3, 4)
"""The lengths of the n-grams, in characters."""

CHARACTERS_READ = 4_096
"""N-grams are taken from this number of characters at the start of a text."""

Hashes = NDArray[np.uint32]

# The prime of 64-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/), with a shift after each step. Overflow of
# the 64 bits is intended.
_MULTIPLIER = np.uint64(0x100000001B3)
_SEED = 0x9E3779B97F4A7C15
_WORD_BITS = 64


def hashes(text: str) -> Hashes:
    """Return the distinct hashes of the n-grams of a text, in rising order; none for a text of white space only.

    The text is converted to lower case, and each run of white space to one space. The hash function must not change:
    artefacts contain hashes.
    """
    words = text[:CHARACTERS_READ].lower().split()
    if not words:
        return np.empty(0, np.uint32)
    padded = f" {' '.join(words)} ".encode("utf-32-le", "surrogatepass")
    codes = np.frombuffer(padded, np.uint32).astype(np.uint64)
    return np.unique(np.concatenate([_hashed(codes, size) for size in SIZES if len(codes) >= size]))


def _hashed(codes: NDArray[np.uint64], size: int) -> Hashes:
    # All n-grams at once: each round mixes one more character into the states of all of them.
    number = len(codes) - size + 1
    state = np.full(number, (size * _SEED) % 2**_WORD_BITS, np.uint64)
    for offset in range(size):
        state = (state ^ codes[offset : offset + number]) * _MULTIPLIER
        state ^= state >> np.uint64(29)
    return (state >> np.uint64(16)).astype(np.uint32)
