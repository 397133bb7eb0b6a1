"""The changed places of an edit, and the same edit without one of them."""

import re
from dataclasses import dataclass, field, replace

from revertrisk.runtime.bounded_matcher import BoundedMatcher, StepBudget
from revertrisk.scoring.changes import common_affixes
from revertrisk.scoring.revision import Revision

MAX_SPANS = 32
"""At most this number of places are looked at, the largest."""

_CHARACTERS_READ = 65_536
"""What differs is not cut into tokens if it is longer: that alone would take too long."""
_TOKENS_ALIGNED = 600
"""More than this are aligned line by line instead, and of more lines the whole region is one place."""
_STEPS = 2_000_000
"""The work of one alignment, a fraction of a second. Tokens that repeat a lot would take ten times as much."""
_LONGEST_INSERTION = 12
"""A longer insertion, in tokens, is looked at piece by piece."""
_TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Span:
    """One place where the text differs: what stood there before, and what stands there now."""

    removed: str = field(repr=False)
    inserted: str = field(repr=False)
    start: int
    """Where `inserted` begins in the text after the edit, in characters."""

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.start + len(self.inserted)


def changed_spans(old: str, new: str) -> list[Span]:
    """Find the places where two texts differ, in their order; at most `MAX_SPANS`, the largest."""
    start, end = common_affixes(old, new)
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    spans = _aligned(before, after, start)
    largest = sorted(spans, key=lambda span: -len(span.inserted) - len(span.removed))[:MAX_SPANS]
    return sorted(largest, key=lambda span: span.start)


def without(revision: Revision, span: Span) -> Revision:
    """Return the edit as it would be if it had left one place as it was; all else is the same."""
    text = revision.text
    return replace(revision, text=text[: span.start] + span.removed + text[span.end :])


def _aligned(before: str, after: str, start: int) -> list[Span]:
    if max(len(before), len(after)) <= _CHARACTERS_READ:
        old, new = _TOKEN.findall(before), _TOKEN.findall(after)
        if max(len(old), len(new)) <= _TOKENS_ALIGNED:
            return _differences(old, new, start)
    if max(before.count("\n"), after.count("\n")) < _TOKENS_ALIGNED:
        return _differences(_LINE.findall(before), _LINE.findall(after), start)
    return [Span(before, after, start)]


def _differences(old: list[str], new: list[str], start: int) -> list[Span]:
    places = [start]
    for token in new:
        places.append(places[-1] + len(token))
    spans = []
    for kind, old_from, old_to, new_from, new_to in BoundedMatcher(
        old, new, StepBudget(_STEPS)
    ).get_opcodes():
        if kind == "equal":
            continue
        removed = "".join(old[old_from:old_to])
        for piece in range(new_from, max(new_to, new_from + 1), _LONGEST_INSERTION):
            inserted = "".join(new[piece : min(piece + _LONGEST_INSERTION, new_to)])
            # What was there before goes with the first piece of what came in its place.
            spans.append(Span(removed if piece == new_from else "", inserted, places[piece]))
    return spans
