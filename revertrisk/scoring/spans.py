"""The changed places (spans) of an edit, and the same edit without one of them."""

import re
from dataclasses import dataclass, field, replace

from revertrisk.runtime.bounded_matcher import BoundedMatcher, StepBudget
from revertrisk.scoring.changes import common_affixes
from revertrisk.scoring.revision import Revision

MAX_SPANS = 32
"""The largest number of places of one edit; of more, the largest places are taken."""

_CHARACTERS_READ = 65_536
"""A longer changed region is not split into tokens, since that alone would take too long."""
_TOKENS_ALIGNED = 600
"""A region of more tokens is aligned line by line. A region of this number of lines or more is one place."""
_STEPS = 2_000_000
"""The largest number of steps of one alignment, a fraction of a second. Tokens that repeat would need ten times it."""
_LONGEST_INSERTION = 12
"""A longer insertion, in tokens, is split into several places."""
_TOKEN = re.compile(r"\s*\w+|\s*[^\w\s]|\s+")
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


@dataclass(frozen=True, slots=True)
class Span:
    """One place where the texts differ: the text that was removed, and the text that was inserted."""

    removed: str = field(repr=False)
    inserted: str = field(repr=False)
    start: int
    """The index of the first character of `inserted` in the text after the edit."""

    @property
    def end(self) -> int:
        """The index after its last character."""
        return self.start + len(self.inserted)


def changed_spans(old: str, new: str) -> list[Span]:
    """Return the places where two texts differ, in the order of the text; of more than `MAX_SPANS`, the largest."""
    start, end = common_affixes(old, new)
    before, after = old[start : len(old) - end], new[start : len(new) - end]
    spans = _aligned(before, after, start)
    largest = sorted(spans, key=lambda span: -len(span.inserted) - len(span.removed))[:MAX_SPANS]
    return sorted(largest, key=lambda span: span.start)


def without_span(revision: Revision, span: Span) -> Revision:
    """Return the edit as if it had not changed one place. Everything else is the same."""
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
            # The removed text belongs to the first piece of the text that replaced it.
            spans.append(Span(removed if piece == new_from else "", inserted, places[piece]))
    return spans
