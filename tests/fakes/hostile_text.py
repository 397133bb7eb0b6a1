"""Texts on which a regular expression takes as many steps as it can, made of the expression itself.

Each is a beginning that leads into the pattern, something repeated, and an end that does not fit. What is repeated is
taken from the pattern: a character of each of its classes, its literals, what a part of it matches, and pairs of these.
"""

import re
from collections.abc import Callable, Iterator
from itertools import chain, product
from re import _constants as op
from typing import Any

from tests.fakes.step_counter import REPEATS, SINGLE, StepCounter, TooManyStepsError, inner_trees

REPETITIONS = 32
_FEWEST = 16
_LENGTH = 160
"""A long piece is repeated less often: as often as makes so many characters."""
GROWTH = 2.5
"""Twice the text may take this many times the steps; it is 4 where steps grow with the square."""
_STEPS_PER_CHARACTER = 6
"""Up to here a text is not worth a second look."""
_LIMIT = 60_000
_LONG_REPEAT = 16
"""A repeat that is bounded by more counts as one without a bound."""
_MOST_PIECES = 30
_POOL = "aZ0 _-/\t\n\r\x00.:;,!?#'\"<>[]{}()|*=+~@&%$^\\`é中อ٣😀\u2028\u00a0xXtT19"


def worst_growth(pattern: re.Pattern[Any], method: str) -> tuple[float, Any]:
    """Return by how much the steps grow, at worst, when a text gets twice as long, and that text."""
    counter = StepCounter(pattern)
    worst: tuple[float, Any] = (0.0, "")
    for beginning, piece, end in _recipes(counter):
        times = min(REPETITIONS, max(_FEWEST, _LENGTH // len(piece)))
        growth = _growth(counter, lambda factor: beginning + piece * times * factor + end, method)  # noqa: B023 - at once
        if growth > worst[0]:
            worst = growth, beginning + piece * 3 + end
        if growth > GROWTH:
            break
    return worst


def has_long_repeat(pattern: re.Pattern[Any]) -> bool:
    """Return whether a pattern can match a long text; without it, a match costs no more than the pattern is long."""
    return any(_is_long(node) for node in _nodes(StepCounter(pattern).tree))


def texts(pattern: re.Pattern[Any]) -> Iterator[Any]:
    """Yield short texts of the same make, to hold the counter to what ``re`` finds."""
    for beginning, piece, end in _recipes(StepCounter(pattern)):
        yield beginning + piece * 3 + end


def _growth(counter: StepCounter, text: Callable[[int], Any], method: str) -> float:
    steps = _steps(counter, text(2), method)
    if steps <= _STEPS_PER_CHARACTER * len(text(2)):
        return 0.0
    growth = steps / _steps(counter, text(1), method)
    if growth <= GROWTH:
        return growth
    # A short text may match where a longer one begins to fail, which is one leap and no growth: so once more.
    return min(growth, _steps(counter, text(4), method) / steps)


def _steps(counter: StepCounter, text: Any, method: str) -> float:
    try:
        return counter.spans(text, method, _LIMIT)[1]
    except TooManyStepsError:
        return float(
            _LIMIT * len(text) ** 3
        )  # more than any text that was counted, and more for a longer one


def _recipes(counter: StepCounter) -> Iterator[tuple[Any, Any, Any]]:
    is_bytes = isinstance(counter.pattern.pattern, bytes)
    literals = "".join(
        chr(value) for kind, value in _nodes(counter.tree) if kind in {op.LITERAL, op.NOT_LITERAL}
    )
    pool = dict.fromkeys(literals + _POOL)
    if is_bytes:
        characters: list[Any] = [bytes([ord(character)]) for character in pool if ord(character) < 128]
    else:
        characters = list(pool)
    tests = list(counter.tests())
    # Of characters that every part of the pattern treats alike, one is enough.
    kinds: dict[tuple[bool, ...], Any] = {}
    for character in characters:
        kinds.setdefault(tuple(test(character) for test in tests), character)
    unfit = [min(kinds, key=sum)]
    sampler = _Sampler(counter, characters)
    beginnings = list(dict.fromkeys([sampler.empty, *sampler.beginnings(list(counter.tree), sampler.empty)]))
    parts = list(dict.fromkeys(chain(sampler.parts(list(counter.tree)), kinds.values())))[:_MOST_PIECES]
    pairs = (one + other for one, other in product(parts[:5], list(kinds.values())[:5]))
    pieces = [piece for piece in dict.fromkeys(chain(parts, pairs)) if piece]
    ends = dict.fromkeys([sampler.empty, *(kinds[kind] for kind in unfit)])
    yield from product(beginnings[:6], pieces, ends)


class _Sampler:
    """Writes what parts of a pattern match."""

    def __init__(self, counter: StepCounter, characters: list[Any]) -> None:
        self._counter = counter
        self._characters = characters
        self.empty = characters[0][:0]

    def sample(self, nodes: Any, rounds: int = 1) -> Any:
        """Return a short text that the nodes match, their look-arounds aside; what is optional comes so often."""
        return self.empty.join([self._of(node, rounds) for node in nodes])

    def beginnings(self, nodes: list[Any], before: Any) -> Iterator[Any]:
        """Yield a text that leads to each long repeat."""
        for place, node in enumerate(nodes):
            here = before + self.sample(nodes[:place])
            if _is_long(node):
                yield here
                yield here + self._of(node)
            for inner in inner_trees(node):
                yield from self.beginnings(list(inner), here)

    def parts(self, nodes: list[Any]) -> Iterator[Any]:
        """Yield what each run of nodes from the first one matches, and what is inside of them."""
        for place in range(1, len(nodes) + 1):
            if place == len(nodes) or _is_long(nodes[place]) or _is_long(nodes[place - 1]):
                yield self.sample(nodes[:place], rounds=0)
                yield self.sample(nodes[:place])
        for node in nodes:
            for inner in inner_trees(node):
                yield from self.parts(list(inner))

    def _of(self, node: Any, rounds: int = 1) -> Any:
        kind, value = node
        if kind in SINGLE:
            test = next(self._counter.tests([node]))
            return next((character for character in self._characters if test(character)), self.empty)
        if kind in REPEATS:
            return self.sample(value[2], rounds) * max(rounds, value[0])
        if kind is op.GROUPREF:
            return next(
                self.sample(inner[1][3], rounds)
                for inner in _nodes(self._counter.tree)
                if _is_group(inner, value)
            )
        if kind in {op.ASSERT, op.ASSERT_NOT}:
            return self.empty
        return self.empty.join([self.sample(inner, rounds) for inner in inner_trees(node)[:1]])


def _is_group(node: Any, group: int) -> bool:
    return node[0] is op.SUBPATTERN and node[1][0] == group


def _is_long(node: Any) -> bool:
    return node[0] in REPEATS and (node[1][1] is op.MAXREPEAT or node[1][1] >= _LONG_REPEAT)


def _nodes(tree: Any) -> Iterator[Any]:
    for node in tree:
        yield node
        for inner in inner_trees(node):
            yield from _nodes(inner)
