"""Try a pattern on texts on which a backtracking matcher takes longest, before any event is matched with it.

An event's text is anybody's, and Python's ``re`` cannot be stopped: one title would stall the dispatcher for good. So
a process of its own tries each pattern that repeats something, with a limit in CPU time. Run as a program it reads the
pattern and its flags from standard input; it imports nothing of this package, which would take longer than the trial.
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
"""For all texts of a pattern; one that is linear takes some milliseconds."""
LENGTH = 600
"""Characters of a text; a comment of MediaWiki has 500 at most, and a title or a name 255 bytes."""
_ENDS = ("", "\0", "!", "\n")
_POOL = "aZ09 _-./:!\n\té中"
_REPEATS = {MAX_REPEAT, MIN_REPEAT, POSSESSIVE_REPEAT}
_SINGLE = {NOT_LITERAL, ANY, IN, CATEGORY}
_REPEATING = re.compile(r"[*+{]")


@cache
def is_quick(source: str, flags: int) -> bool:
    """Return whether a pattern of Python's ``re`` takes no text for long.

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
    """Yield texts that lead into each part of a pattern, repeat something of it, and end in what does not fit."""
    tree = parse(pattern.pattern, pattern.flags)
    reader = _Reader(tree)
    pieces = dict.fromkeys([*reader.pool, *reader.parts(tree)])
    for beginning in dict.fromkeys(reader.beginnings(tree, "")):
        for piece in filter(None, pieces):
            for end in _ENDS:
                yield beginning + piece * (LENGTH // len(piece)) + end


class _Reader:
    """Writes what parts of a pattern match."""

    def __init__(self, tree: Any) -> None:
        self._state = tree.state
        self.pool = "".join(dict.fromkeys([*_literals(tree), *_POOL]))

    def sample(self, nodes: Any) -> str:
        """Return a short text that the nodes match, look-arounds and references aside."""
        return "".join(map(self._one, nodes))

    def beginnings(self, nodes: Any, before: str) -> Iterator[str]:
        """Yield what leads to each repeat."""
        for place, node in enumerate(nodes):
            here = before + self.sample(nodes[:place])
            if node[0] in _REPEATS:
                yield here
            for inner in _inner(node):
                yield from self.beginnings(inner, here)

    def parts(self, nodes: Any) -> Iterator[str]:
        """Yield what each group, each alternative and each repeated part matches."""
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
    """Return the parts that a node is made of, in their order."""
    kind, value = node
    if kind is BRANCH:
        return list(value[1])
    found = value if isinstance(value, tuple | list) else [value]
    return [each for each in found if isinstance(each, SubPattern)]


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
    """Match the pattern on standard input with all texts; SIGVTALRM ends what takes too long."""
    source, flags = json.load(sys.stdin)
    signal.setitimer(signal.ITIMER_VIRTUAL, CPU_LIMIT_S)
    pattern = re.compile(source, flags)
    for text in hostile_texts(pattern):
        pattern.search(text)


if __name__ == "__main__":
    main()
