"""Tests a pattern on texts that make a backtracking matcher slow, before it is used on events.

Anyone can write an event's text, and Python's ``re`` cannot be interrupted: one title could block the dispatcher
forever. So a separate process tests each pattern with a repeat, with a limit of CPU time. As a program this module
reads the pattern and its flags from standard input. It imports nothing of this package, since that would take longer
than the test.
"""

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from re._compiler import compile as compile_tree  # type: ignore[import-not-found]  # there is no public parse tree
from re._constants import (  # type: ignore[import-not-found]
    ANY,
    ASSERT,
    ASSERT_NOT,
    BRANCH,
    CATEGORY,
    IN,
    LITERAL,
    MAX_REPEAT,
    MIN_REPEAT,
    NOT_LITERAL,
    POSSESSIVE_REPEAT,
    RANGE,
)
from re._parser import SubPattern, parse  # type: ignore[import-not-found]
from typing import Any

CPU_LIMIT_S = 0.5
"""The limit for all texts of a pattern; a pattern with linear time takes some milliseconds."""
LENGTH = 600
"""Characters in a text; a MediaWiki comment has at most 500, and a title or a name 255 bytes."""
MAX_COUNTS = 8
"""The most numbers in a pattern's braces that are tested, the smallest first."""
_ENDS = ("", "\0", "!", "\n")
_POOL = "aZ09 _-./:!\n\té中"
_REPEATS = {MAX_REPEAT, MIN_REPEAT, POSSESSIVE_REPEAT}
_SINGLE = {NOT_LITERAL, ANY, IN, CATEGORY}
_REPEATING = re.compile(r"[*+{]")


@cache
def is_quick(source: str, flags: int) -> bool:
    """Return whether a pattern of Python's ``re`` is quick on all test texts.

    Raises:
        OSError: no process can be started.

    """
    if _REPEATING.search(source) is None:
        return True
    trial = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, "-I", "-S", __file__],
        input=json.dumps([source, flags]).encode(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return trial.returncode == 0


def hostile_texts(pattern: re.Pattern[str]) -> Iterator[str]:
    """Yield test texts: the beginning of a match, a repeated part of the pattern, and an end that does not match."""
    tree = parse(pattern.pattern, pattern.flags)
    reader = _Reader(tree)
    pieces = dict.fromkeys([*reader.pool, *reader.parts(tree)])
    # (.*a){20} on 19 times "a" cannot match, and the matcher tries every way to divide the text. So the numbers in
    # the pattern's braces are tested, and each number less one.
    few = sorted({time for times in _times(tree) for time in (times - 1, times) if time > 1})[:MAX_COUNTS]
    for beginning in dict.fromkeys(reader.beginnings(tree, "")):
        for piece in filter(None, pieces):
            for end in _ENDS:
                yield beginning + piece * (LENGTH // len(piece)) + end
                for times in few:
                    yield beginning + piece * times + end
                    yield beginning + piece.rjust(LENGTH // times, "\0") * times + end


class _Reader:
    """Builds texts that parts of a pattern match."""

    def __init__(self, tree: Any) -> None:
        self._state = tree.state
        self.pool = "".join(dict.fromkeys([*_literals(tree), *_POOL]))

    def sample(self, nodes: Any) -> str:
        """Return a short text that the nodes match, ignoring look-arounds and back-references."""
        return "".join(map(self._one, nodes))

    def beginnings(self, nodes: Any, before: str) -> Iterator[str]:
        """Yield the text before each repeat."""
        for place, node in enumerate(nodes):
            here = before + self.sample(nodes[:place])
            if node[0] in _REPEATS:
                yield here
            for inner in _inner(node):
                yield from self.beginnings(inner, here)

    def parts(self, nodes: Any) -> Iterator[str]:
        """Yield a text that matches each group, each alternative and each repeated part."""
        for node in nodes:
            for inner in _inner(node):
                yield self.sample(inner)
                yield from self.parts(inner)

    def _one(self, node: Any) -> str:
        kind, value = node
        if kind is LITERAL:
            return chr(value)
        if kind in _SINGLE:
            single = compile_tree(SubPattern(self._state, [node]))
            return next((character for character in self.pool if single.fullmatch(character)), "")
        if kind in _REPEATS:
            times: int = max(1, min(value[0], LENGTH))
            return self.sample(value[2]) * times
        if kind in {ASSERT, ASSERT_NOT}:
            return ""
        return next(map(self.sample, _inner(node)), "")


def _inner(node: Any) -> list[Any]:
    """Return the subpatterns of a node, in their order."""
    kind, value = node
    if kind is BRANCH:
        return list(value[1])
    found = value if isinstance(value, tuple | list) else [value]
    return [each for each in found if isinstance(each, SubPattern)]


def _times(nodes: Any) -> Iterator[int]:
    """Yield the minimum of each repeat whose minimum is more than 1."""
    for node in nodes:
        kind, value = node
        if kind in _REPEATS and 1 < value[0] <= LENGTH:
            yield value[0]
        for inner in _inner(node):
            yield from _times(inner)


def _literals(nodes: Any) -> Iterator[str]:
    for kind, value in nodes:
        if kind in {LITERAL, NOT_LITERAL}:
            yield chr(value)
        elif kind is RANGE:
            yield from map(chr, value)
        elif kind is IN:
            yield from _literals(value)
        for inner in _inner((kind, value)):
            yield from _literals(inner)


def main() -> None:
    """Match the pattern from standard input with all texts; SIGVTALRM ends the process after the CPU limit."""
    source, flags = json.load(sys.stdin)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_LIMIT_S)
    pattern = re.compile(source, flags)
    for text in hostile_texts(pattern):
        pattern.search(text)


if __name__ == "__main__":
    main()
