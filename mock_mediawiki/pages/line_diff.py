"""Compares two texts line by line, and changed lines word by word, as a page for people shows them.

What would take long is compared more coarsely: the diff stays right and becomes less helpful.
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

_MOST_LINES: Final = 5_000
_MOST_WORDS: Final = 1_500
_MOST_PAIRS: Final = 500
_MOST_STEPS: Final = 5_000_000  # about a second
_LEAST_LIKENESS: Final = 0.3  # below it, marking single words would confuse
# Chinese characters and Japanese syllables are words of their own; other scripts put spaces between words.
_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD: Final = re.compile(rf"[^\W{_CJK}]+|\s+|.", re.DOTALL)


class LineKind(StrEnum):
    """What became of a line."""

    SAME = "same"
    REMOVED = "removed"
    ADDED = "added"


class Piece(NamedTuple):
    """A part of a line, and whether it is what changed."""

    text: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class DiffLine:
    """A line with its numbers in both texts, from 1; None where the text lacks it."""

    kind: LineKind
    before: int | None
    after: int | None
    pieces: tuple[Piece, ...]


class _Block(NamedTuple):
    """Lines of one text that stand in the place of lines of the other: half-open ranges, from 0."""

    is_equal: bool
    start: int
    stop: int
    new_start: int
    new_stop: int


def line_diff(before: str, after: str) -> list[list[DiffLine]]:
    """Return the stretches of two texts that differ, each with ``CONTEXT`` lines around it, top to bottom."""
    old, new = before.splitlines(), after.splitlines()
    stretches: list[list[DiffLine]] = []
    budget = StepBudget(_MOST_STEPS)
    blocks = list(_blocks(old, new, budget))
    for number, block in enumerate(blocks):
        if not block.is_equal:
            if not stretches:
                stretches.append([])
            stretches[-1].extend(_changed(old, new, block, budget))
            continue
        head = min(CONTEXT, block.stop - block.start) if number > 0 else 0
        tail = min(CONTEXT, block.stop - block.start) if number < len(blocks) - 1 else 0
        if number > 0 and head + tail >= block.stop - block.start:
            stretches[-1].extend(_same(old, block, 0, block.stop - block.start))
            continue
        if head:
            stretches[-1].extend(_same(old, block, 0, head))
        if tail:
            stretches.append(
                list(_same(old, block, block.stop - block.start - tail, block.stop - block.start))
            )
    return stretches


def _blocks(old: Sequence[str], new: Sequence[str], budget: StepBudget) -> Iterator[_Block]:
    head, tail = _common_ends(old, new)
    if head:
        yield _Block(True, 0, head, 0, head)
    stop, new_stop = len(old) - tail, len(new) - tail
    if max(stop, new_stop) - head > _MOST_LINES:
        yield _Block(False, head, stop, head, new_stop)
    else:
        matcher = BoundedMatcher(old[head:stop], new[head:new_stop], budget, autojunk=True)
        for tag, a, b, c, d in matcher.get_opcodes():
            yield _Block(tag == "equal", head + a, head + b, head + c, head + d)
    if tail:
        yield _Block(True, stop, len(old), new_stop, len(new))


def _common_ends(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """Return how many items two sequences share at their beginning, and then at their end."""
    shorter = min(len(old), len(new))
    head = next((number for number in range(shorter) if old[number] != new[number]), shorter)
    rest = shorter - head
    tail = next((number for number in range(rest) if old[-1 - number] != new[-1 - number]), rest)
    return head, tail


def _same(old: Sequence[str], block: _Block, first: int, last: int) -> Iterator[DiffLine]:
    for offset in range(first, last):
        pieces = (Piece(old[block.start + offset], is_changed=False),)
        yield DiffLine(LineKind.SAME, block.start + offset + 1, block.new_start + offset + 1, pieces)


def _changed(old: Sequence[str], new: Sequence[str], block: _Block, budget: StepBudget) -> Iterator[DiffLine]:
    """Yield the removed lines of a block, then the added ones; the n-th of both are compared by words."""
    removed = [(Piece(line, is_changed=True),) for line in old[block.start : block.stop]]
    added = [(Piece(line, is_changed=True),) for line in new[block.new_start : block.new_stop]]
    pairs = zip(old[block.start : block.stop], new[block.new_start : block.new_stop], strict=False)
    compared = [_by_words(one, other, budget) for one, other in islice(pairs, _MOST_PAIRS)]
    removed_pieces = [one for one, _ in compared] + removed[len(compared) :]
    added_pieces = [other for _, other in compared] + added[len(compared) :]
    for offset, pieces in enumerate(removed_pieces):
        yield DiffLine(LineKind.REMOVED, block.start + offset + 1, None, pieces)
    for offset, pieces in enumerate(added_pieces):
        yield DiffLine(LineKind.ADDED, None, block.new_start + offset + 1, pieces)


def _by_words(one: str, other: str, budget: StepBudget) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    whole = (Piece(one, is_changed=True),), (Piece(other, is_changed=True),)
    old, new = _WORD.findall(one), _WORD.findall(other)
    head, tail = _common_ends(old, new)
    old_rest, new_rest = old[head : len(old) - tail], new[head : len(new) - tail]
    if max(len(old_rest), len(new_rest)) > _MOST_WORDS:
        same_start = ("".join(old[:head]), False)
        same_end = ("".join(old[len(old) - tail :]), False)
        return (
            _joined([same_start, ("".join(old_rest), True), same_end]),
            _joined([same_start, ("".join(new_rest), True), same_end]),
        )
    matcher = BoundedMatcher(old, new, budget, autojunk=False)
    if matcher.ratio() < _LEAST_LIKENESS:
        return whole
    codes = matcher.get_opcodes()
    inner = range(1, len(codes) - 1)
    one_parts: list[tuple[str, bool]] = []
    other_parts: list[tuple[str, bool]] = []
    for number, (tag, a, b, c, d) in enumerate(codes):
        text = "".join(old[a:b])
        # A blank between two changed words is part of the change: it reads better in one piece.
        is_changed = tag != "equal" or (number in inner and text.isspace())
        one_parts.append((text, is_changed))
        other_parts.append(("".join(new[c:d]), is_changed))
    return _joined(one_parts), _joined(other_parts)


def _joined(parts: Iterable[tuple[str, bool]]) -> tuple[Piece, ...]:
    """Return the parts that are not empty as pieces, neighbours of one kind as one piece."""
    told = [part for part in parts if part[0]]
    return tuple(
        Piece("".join(text for text, _ in group), is_changed=is_changed)
        for is_changed, group in groupby(told, key=itemgetter(1))
    )
