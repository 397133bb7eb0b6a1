"""Counts the steps of a backtracking matcher: how much work a regular expression makes, whatever the machine.

Python's ``re`` does not tell its steps. This matcher walks the same parse tree in the same order, one character or
position at a time, and counts. It is slow and meant for short strings.
"""

import re
import sys
from collections.abc import Callable, Iterator
from re import _compiler, _parser
from re import _constants as op
from typing import Any

Next = Callable[[int], int | None]
Matcher = Callable[["_Run", int, Next], int | None]
"""Match from a position, then what follows; return where all of it ended, or None."""

SINGLE = {op.LITERAL, op.NOT_LITERAL, op.ANY, op.IN, op.CATEGORY}
REPEATS = {op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT}

_DEEPEST = 50_000
"""What follows a node is a call inside of the node's: calls of Python functions take no room on the C stack."""


class TooManyStepsError(Exception):
    """The matcher was stopped."""


class _Run:
    def __init__(self, text: Any, limit: int) -> None:
        self.text = text
        self.groups: dict[int, tuple[int, int]] = {}
        self.steps = 0
        self._limit = limit

    def step(self, number: int = 1) -> None:
        self.steps += number
        if self.steps > self._limit:
            raise TooManyStepsError


class StepCounter:
    """A pattern, matched in counted steps."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        self.pattern = pattern
        self.tree = _parser.parse(pattern.pattern, pattern.flags & ~re.DEBUG)
        self._match = self._sequence(list(self.tree), self.tree.state.flags | pattern.flags)

    def spans(self, text: Any, method: str, limit: int = 10**9) -> tuple[list[tuple[int, int]], int]:
        """Return what ``match``, ``fullmatch`` or ``finditer`` finds in a text, and the steps that it took."""
        before = sys.getrecursionlimit()
        sys.setrecursionlimit(_DEEPEST)
        try:
            return self._spans(_Run(text, limit), text, method)
        finally:
            sys.setrecursionlimit(before)

    def _spans(self, run: "_Run", text: Any, method: str) -> tuple[list[tuple[int, int]], int]:
        if method != "finditer":
            accept = _at_end(len(text)) if method == "fullmatch" else _accept
            end = self._match(run, 0, accept)
            return ([] if end is None else [(0, end)]), run.steps
        found: list[tuple[int, int]] = []
        start, empty_at = 0, -1
        while start <= len(text):
            run.step()
            run.groups.clear()
            # After an empty match the next one begins at the same place, and must not be empty.
            after = _not_at(start) if start == empty_at else _accept
            end = self._match(run, start, after)
            if end is None:
                start += 1
                continue
            found.append((start, end))
            empty_at, start = (end if end == start else -1), end
        return found, run.steps

    def _sequence(self, nodes: list[Any], flags: int) -> Matcher:
        parts = [self._node(node, flags) for node in nodes]

        def match(run: _Run, at: int, then: Next) -> int | None:
            return _chain(parts, 0, run, at, then)

        return match

    def _node(self, node: Any, flags: int) -> Matcher:  # noqa: PLR0911 - one branch for each kind of node
        kind, value = node
        if kind in SINGLE:
            return _single(self._test(node, flags))
        if kind is op.AT:
            position = _compiler.compile(_tree(self.tree.state, node), flags)
            return _position(lambda run, at: position.match(run.text, at) is not None)
        if kind is op.SUBPATTERN:
            group, added, removed, inner = value
            return _group(self._sequence(list(inner), (flags | added) & ~removed), group)
        if kind is op.BRANCH:
            return _branch([self._sequence(list(each), flags) for each in value[1]])
        if kind in REPEATS:
            least, most, inner = value
            most = 10**9 if most is op.MAXREPEAT else int(most)
            items = list(inner)
            if len(items) == 1 and items[0][0] in SINGLE and kind is not op.POSSESSIVE_REPEAT:
                return _repeat_single(self._test(items[0], flags), least, most, lazy=kind is op.MIN_REPEAT)
            repeat = _repeat(self._sequence(items, flags), least, most, lazy=kind is op.MIN_REPEAT)
            return _atomic(repeat) if kind is op.POSSESSIVE_REPEAT else repeat
        if kind is op.ATOMIC_GROUP:
            return _atomic(self._sequence(list(value), flags))
        if kind in {op.ASSERT, op.ASSERT_NOT}:
            direction, inner = value
            width = inner.getwidth()[0] if direction < 0 else 0
            look = self._sequence(list(inner), flags)
            wanted = kind is op.ASSERT
            return _position(
                lambda run, at: (at >= width and look(run, at - width, _accept) is not None) is wanted
            )
        if kind is op.GROUPREF:
            return _reference(value, ignore_case=bool(flags & re.IGNORECASE))
        raise NotImplementedError(str(kind))

    def _test(self, node: Any, flags: int) -> Callable[[Any], bool]:
        """Return whether one character is what a node stands for, as ``re`` itself decides."""
        compiled = _compiler.compile(_tree(self.tree.state, node), flags)
        known: dict[Any, bool] = {}

        def test(character: Any) -> bool:
            if character not in known:
                known[character] = compiled.fullmatch(character) is not None
            return known[character]

        return test

    def tests(self, nodes: Any = None, flags: int | None = None) -> Iterator[Callable[[Any], bool]]:
        """Yield a test for each node that stands for one character."""
        nodes = self.tree if nodes is None else nodes
        flags = self.tree.state.flags | self.pattern.flags if flags is None else flags
        for node in nodes:
            if node[0] in SINGLE:
                yield self._test(node, flags)
            for inner in inner_trees(node):
                yield from self.tests(inner, flags)


def inner_trees(node: Any) -> list[Any]:
    """Return the parse trees inside a node."""
    kind, value = node
    if kind is op.BRANCH:
        return list(value[1])
    if kind in REPEATS or kind is op.SUBPATTERN:
        return [value[-1]]
    if kind is op.ATOMIC_GROUP:
        return [value]
    return [value[1]] if kind in {op.ASSERT, op.ASSERT_NOT} else []


def _tree(state: Any, node: Any) -> Any:
    return _parser.SubPattern(state, [node])


def _accept(at: int) -> int | None:
    return at


def _at_end(length: int) -> Next:
    return lambda at: at if at == length else None


def _not_at(place: int) -> Next:
    return lambda at: None if at == place else at


def _chain(parts: list[Matcher], index: int, run: _Run, at: int, then: Next) -> int | None:
    if index == len(parts):
        return then(at)
    return parts[index](run, at, lambda after: _chain(parts, index + 1, run, after, then))


def _single(test: Callable[[Any], bool]) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        run.step()
        return then(at + 1) if at < len(run.text) and test(run.text[at : at + 1]) else None

    return match


def _position(holds: Callable[[_Run, int], bool]) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        run.step()
        return then(at) if holds(run, at) else None

    return match


def _group(inner: Matcher, group: int | None) -> Matcher:
    if group is None:
        return inner

    def match(run: _Run, at: int, then: Next) -> int | None:
        before = run.groups.get(group)

        def close(end: int) -> int | None:
            outer = run.groups.get(group)
            run.groups[group] = (at, end)
            found = then(end)
            if found is None:
                _restore(run, group, outer)
            return found

        found = inner(run, at, close)
        if found is None:
            _restore(run, group, before)
        return found

    return match


def _restore(run: _Run, group: int, place: tuple[int, int] | None) -> None:
    if place is None:
        run.groups.pop(group, None)
    else:
        run.groups[group] = place


def _branch(choices: list[Matcher]) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        for choice in choices:
            run.step()
            end = choice(run, at, then)
            if end is not None:
                return end
        return None

    return match


def _repeat_single(test: Callable[[Any], bool], least: int, most: int, *, lazy: bool) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        text, number = run.text, 0
        reach = min(most, len(text) - at)
        while number < (least if lazy else reach):
            run.step()
            if number >= reach or not test(text[at + number : at + number + 1]):
                break
            number += 1
        while number >= least:
            run.step()
            end = then(at + number)
            if end is not None:
                return end
            if lazy and (number >= reach or not test(text[at + number : at + number + 1])):
                return None
            number += 1 if lazy else -1
        return None

    return match


def _repeat(inner: Matcher, least: int, most: int, *, lazy: bool) -> Matcher:
    def match(run: _Run, at: int, then: Next, number: int = 0) -> int | None:
        run.step()

        def again(after: int) -> int | None:
            # A round that matches nothing would go on for ever.
            return None if after == at and number >= least else match(run, after, then, number + 1)

        if number < least:
            return inner(run, at, again)
        if lazy:
            end = then(at)
            return inner(run, at, again) if end is None and number < most else end
        end = inner(run, at, again) if number < most else None
        return then(at) if end is None else end

    return match


def _atomic(inner: Matcher) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        end = inner(run, at, _accept)
        return None if end is None else then(end)

    return match


def _reference(group: int, *, ignore_case: bool) -> Matcher:
    def match(run: _Run, at: int, then: Next) -> int | None:
        if group not in run.groups:
            return None
        start, end = run.groups[group]
        wanted, there = run.text[start:end], run.text[at : at + end - start]
        run.step(len(wanted))
        same = wanted.lower() == there.lower() if ignore_case else wanted == there
        return then(at + len(wanted)) if same else None

    return match
