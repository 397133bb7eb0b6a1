"""Statistics over the characters of a text. They do not depend on its language.

A share is None if its denominator is 0. A text without cased letters (Chinese, Arabic, digits only) has an unknown
share of capitals, which differs from a share of 0.
"""

import re
import unicodedata
import zlib
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

CHARACTERS_READ = 8_192
"""Statistics use this number of characters from the start. More would take longer and hardly change a share."""

_PREFIX = 2_048
_LOOKED_UP = 48
"""Up to this number, pairs are searched one by one. That is faster than collecting all pairs of the context."""
_RUN = re.compile(r"(\S)\1+")
# (first code point, script) of each block, in code point order. The table is coarse: it is enough to find a Latin
# word in a Cyrillic sentence.
_SCRIPTS = (
    (0x0000, "latin"), (0x0370, "greek"), (0x0400, "cyrillic"), (0x0530, "armenian"), (0x0590, "hebrew"),
    (0x0600, "arabic"), (0x0700, "other semitic"), (0x0900, "devanagari"), (0x0980, "bengali"),
    (0x0A00, "gurmukhi"), (0x0A80, "gujarati"), (0x0B00, "odia"), (0x0B80, "tamil"), (0x0C00, "telugu"),
    (0x0C80, "kannada"), (0x0D00, "malayalam"), (0x0D80, "sinhala"), (0x0E00, "thai"), (0x0E80, "lao"),
    (0x0F00, "tibetan"), (0x1000, "myanmar"), (0x10A0, "georgian"), (0x1100, "hangul"), (0x1200, "ethiopic"),
    (0x13A0, "american"), (0x1780, "khmer"), (0x1800, "mongolian"), (0x1900, "other asian"), (0x1C80, "cyrillic"),
    (0x1C90, "georgian"), (0x1CC0, "other asian"), (0x1D00, "latin"), (0x1F00, "greek"), (0x2000, "latin"),
    (0x2C80, "coptic"), (0x2D00, "georgian"), (0x2D30, "tifinagh"), (0x2D80, "ethiopic"), (0x2DE0, "cyrillic"),
    (0x2E80, "east asian"), (0xA000, "other asian"), (0xA640, "cyrillic"), (0xA6A0, "other"), (0xA720, "latin"),
    (0xA800, "other asian"), (0xAB30, "latin"), (0xABC0, "other asian"), (0xAC00, "hangul"), (0xD800, "other"),
    (0xF900, "east asian"), (0xFB00, "latin"), (0xFB1D, "hebrew"), (0xFB50, "arabic"), (0xFE70, "arabic"),
    (0xFF00, "latin"), (0xFF66, "east asian"), (0x10000, "other"), (0x20000, "east asian"), (0x40000, "other"),
)  # fmt: skip
_SCRIPT_STARTS = [start for start, _ in _SCRIPTS]


@dataclass(frozen=True, slots=True)
class Characters:
    """Statistics over the characters of a text. Shares are between 0 and 1."""

    upper_share: float | None
    """The share of capitals among cased letters."""
    digit_share: float | None
    """The share of decimal digits among characters other than spaces."""
    minority_script_share: float | None
    """The share of letters that are not of the text's most frequent script, among letters."""
    diversity: float | None
    """Distinct characters divided by the square root of the length: low for repeated and for random typing."""
    most_frequent_share: float | None
    """The share of the most frequent character, among characters other than spaces."""
    emoji: int
    """The number of emoji and other pictographs (Unicode category So)."""
    main_script: str | None
    """The script that most letters are of; None without letters."""


class _Letter(NamedTuple):
    is_upper: bool
    is_lower: bool
    script: str


def describe(text: str) -> Characters:
    """Return the statistics over the first `CHARACTERS_READ` characters of a text."""
    text = text[:CHARACTERS_READ]
    counts = Counter(text)
    spaces = upper = lower = digits = emoji = 0
    scripts: Counter[str] = Counter()
    for character, number in counts.items():
        kind = _kind(character)
        if kind == "space":
            spaces += number
        elif kind == "digit":
            digits += number
        elif kind == "emoji":
            emoji += number
        elif isinstance(kind, _Letter):
            upper += number if kind.is_upper else 0
            lower += number if kind.is_lower else 0
            scripts[kind.script] += number
    solid = len(text) - spaces
    letters = scripts.total()
    return Characters(
        upper_share=_share(upper, upper + lower),
        digit_share=_share(digits, solid),
        minority_script_share=_share(letters - max(scripts.values(), default=0), letters),
        diversity=len(counts) / len(text) ** 0.5 if text else None,
        most_frequent_share=_share(
            max((n for character, n in counts.items() if not character.isspace()), default=0), solid
        ),
        emoji=emoji,
        main_script=max(scripts, key=scripts.__getitem__, default=None),
    )


def longest_run(text: str) -> int:
    """Return the length of the longest run of one character other than a space; 0 for a text without any."""
    text = text[:CHARACTERS_READ]
    longest = max((match.end() - match.start() for match in _RUN.finditer(text)), default=0)
    return longest or int(bool(text) and not text.isspace())


def compressibility(text: str) -> float | None:
    """Return the compressed size (DEFLATE) divided by the size in UTF-8, of the first 2,048 characters."""
    encoded = text[:_PREFIX].encode("utf-8", "surrogatepass")
    return len(zlib.compress(encoded, 1)) / len(encoded) if encoded else None


def main_script(text: str) -> str | None:
    """Return the script that most letters of a text are of; None without letters. A tie goes to the first one found."""
    scripts: Counter[str] = Counter()
    for character, number in Counter(text[:CHARACTERS_READ]).items():
        kind = _kind(character)
        if isinstance(kind, _Letter):
            scripts[kind.script] += number
    return max(scripts, key=scripts.__getitem__, default=None)


def overlap(first: str, second: str) -> float | None:
    """Return the Dice coefficient 2·|A ∩ B| / (|A| + |B|) of the sets of character pairs of two texts.

    It is near 1 for a corrected spelling, and None if one of the texts has no pair. The first 2,048 characters of each
    are compared.
    """
    first_pairs, second_pairs = _pairs(first), _pairs(second)
    if not first_pairs or not second_pairs:
        return None
    return 2 * len(first_pairs & second_pairs) / (len(first_pairs) + len(second_pairs))


def containment(text: str, context: str) -> float | None:
    """Return the share of a text's distinct character pairs that its context also has.

    None if one of the two has no pair. The first 2,048 characters of each are compared.
    """
    pairs, context = _pairs(text), context[:_PREFIX]
    if not pairs or len(context) < 2:  # noqa: PLR2004 - a pair
        return None
    if len(pairs) <= _LOOKED_UP:
        found = sum(first + second in context for first, second in pairs)
    else:
        found = len(pairs & _pairs(context))
    return found / len(pairs)


def _pairs(text: str) -> set[tuple[str, str]]:
    return set(pairwise(text[:_PREFIX]))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


@lru_cache(maxsize=16_384)
def _kind(character: str) -> "_Letter | str | None":
    """Return "space", "digit", "emoji", a `_Letter`, or None for any other character."""
    if character.isspace():
        return "space"
    category = unicodedata.category(character)
    if category == "Nd":
        return "digit"
    if category == "So":
        return "emoji"
    if category[0] != "L":
        return None
    script = _SCRIPTS[bisect_right(_SCRIPT_STARTS, ord(character)) - 1][1]
    return _Letter(category in {"Lu", "Lt"}, category == "Ll", script)
