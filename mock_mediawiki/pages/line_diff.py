"""Compares two texts line by line, and changed lines word by word, for the diff page.

The number of steps is limited. Beyond it the diff becomes coarser; it stays correct.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby, islice
from operator import itemgetter
from typing import Final, NamedTuple

from revertrisk.runtime.bounded_matcher import BoundedMatcher, StepBudget

CONTEXT: Final = 2
"""Unchanged lines that are shown before and after a change."""

_MAX_STEPS: Final = 5_000_000  # about a second
_MAX_PAIRS: Final = 500
_MIN_SIMILARITY: Final = 0.3  # less similar lines are shown as wholly changed, which is easier to read
# Each Chinese character and Japanese syllable counts as a word; other scripts put spaces between words.
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[^\W{_CJK}]+|\s+|.", re.DOTALL)


class LineKind(StrEnum):
    """How a line changed."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


class Piece(NamedTuple):
    """A part of a line, and whether it changed."""

    text: str
    is_changed: bool


Line = tuple[Piece, ...]
OpCode = tuple[str, int, int, int, int]
"""difflib's operation, with a range of the old lines and a range of the new ones."""


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line with its number in each text, from 1; None for a text without the line."""

    kind: LineKind
    before: int | None
    after: int | None
    pieces: Line


def line_diff(before: str, after: str) -> list[list[DiffLine]]:
    """Return the parts of two texts that differ, each with ``CONTEXT`` lines around it, from top to bottom."""
    old, new = before.splitlines(), after.splitlines()
    budget = StepBudget(_MAX_STEPS)
    groups = BoundedMatcher(old, new, budget, autojunk=True).get_grouped_opcodes(CONTEXT)
    return [list(_stretch(old, new, group, budget)) for group in groups]


def _stretch(
    old: Sequence[str], new: Sequence[str], codes: Iterable[OpCode], budget: StepBudget
) -> Iterator[DiffLine]:
    for tag, start, stop, new_start, new_stop in codes:
        if tag == "equal":
            for offset, line in enumerate(old[start:stop], 1):
                same = (Piece(line, is_changed=False),)
                yield DiffLine(LineKind.SAME, start + offset, new_start + offset, same)
        else:
            removed, added = _changed(old[start:stop], new[new_start:new_stop], budget)
            for number, pieces in enumerate(removed, start + 1):
                yield DiffLine(LineKind.REMOVED, number, None, pieces)
            for number, pieces in enumerate(added, new_start + 1):
                yield DiffLine(LineKind.ADDED, None, number, pieces)


def _changed(
    removed: Sequence[str], added: Sequence[str], budget: StepBudget
) -> tuple[list[Line], list[Line]]:
    """Return the pieces of removed and of added lines; the n-th removed and the n-th added are compared by words."""
    pairs = islice(zip(removed, added, strict=False), _MAX_PAIRS)
    compared = [_by_words(one, other, budget) for one, other in pairs]
    ones, others = [one for one, _ in compared], [other for _, other in compared]
    whole = [
        [(Piece(line, is_changed=True),) for line in lines[len(compared) :]] for lines in (removed, added)
    ]
    return ones + whole[0], others + whole[1]


def _by_words(one: str, other: str, budget: StepBudget) -> tuple[Line, Line]:
    old, new = _WORD.findall(one), _WORD.findall(other)
    matcher = BoundedMatcher(old, new, budget, autojunk=True)
    if matcher.ratio() < _MIN_SIMILARITY:
        return (Piece(one, is_changed=True),), (Piece(other, is_changed=True),)
    codes = matcher.get_opcodes()
    inner = range(1, len(codes) - 1)
    one_parts: list[tuple[str, bool]] = []
    other_parts: list[tuple[str, bool]] = []
    for number, (tag, a, b, c, d) in enumerate(codes):
        text = "".join(old[a:b])
        # A space between two changed words is marked as changed too, so that they form one piece.
        is_changed = tag != "equal" or (number in inner and text.isspace())
        one_parts.append((text, is_changed))
        other_parts.append(("".join(new[c:d]), is_changed))
    return _joined(one_parts), _joined(other_parts)


def _joined(parts: Iterable[tuple[str, bool]]) -> Line:
    """Return the parts as pieces, without empty ones; adjacent parts of the same kind become one piece."""
    nonempty = [part for part in parts if part[0]]
    return tuple(
        Piece("".join(text for text, _ in group), is_changed=is_changed)
        for is_changed, group in groupby(nonempty, key=itemgetter(1))
    )
