"""Matches a message with the conditions of a rule, exactly as change-propagation does.

A string, a number or a boolean must be strictly equal. ``/…/flags`` is a regular expression, and the field must be a
string that it matches. ``undefined`` means that the field is absent. Every field of an object must match. Each item of
a list must match an item of the message's list.
"""

import re
from dataclasses import dataclass
from typing import Any, Protocol

from revertrisk.dispatcher.rule_language.js_patterns import PatternError, compile_pattern, is_pattern
from revertrisk.dispatcher.rule_language.pattern_trial import is_quick
from revertrisk.dispatcher.rule_language.problems import Problems

_SHOWN = 80
"""The most characters of a condition in a message to users."""

ABSENT = object()
"""The value of a field that the message does not have; it differs from null."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The first condition that a message does not meet."""

    path: str
    """The path of the field, with dots; empty for the message itself."""
    wanted: str
    """The condition as in the rule. The message's value is left out, because it can be personal."""

    def __str__(self) -> str:
        wanted = self.wanted if len(self.wanted) <= _SHOWN else self.wanted[:_SHOWN] + "…"
        return f"{self.path or 'the event'} is not {wanted}"


class Condition(Protocol):
    """One node of a compiled ``match``."""

    def mismatch(self, value: Any) -> Mismatch | None:
        """Return the condition that the value does not meet, or None if it matches."""
        ...

    def captures(self, value: Any) -> dict[str, Any]:
        """Return the texts of the named groups in a matching value, nested like the match."""
        ...

    def group_names(self) -> dict[str, Any]:
        """Return the captures that a match will have, in the same shape, without values."""
        ...


class _WithoutGroups:
    """Base of conditions without named groups."""

    __slots__ = ()

    def captures(self, value: Any) -> dict[str, Any]:
        return {}

    def group_names(self) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class _Equal(_WithoutGroups):
    path: str
    expected: str | float | bool

    def mismatch(self, value: Any) -> Mismatch | None:
        # True == 1 in Python; in a message they differ. 1 and 1.0 are the same number in both.
        if value == self.expected and isinstance(value, bool) == isinstance(self.expected, bool):
            return None
        wanted = str(self.expected).lower() if isinstance(self.expected, bool) else repr(self.expected)
        return Mismatch(self.path, wanted)


@dataclass(frozen=True, slots=True)
class _Absent(_WithoutGroups):
    path: str

    def mismatch(self, value: Any) -> Mismatch | None:
        return None if value is ABSENT else Mismatch(self.path, "absent")


@dataclass(frozen=True, slots=True)
class _Matches:
    path: str
    written: str
    pattern: re.Pattern[str]

    def mismatch(self, value: Any) -> Mismatch | None:
        if isinstance(value, str) and self.pattern.search(value):
            return None
        return Mismatch(self.path, f"a string like {self.written}")

    def captures(self, value: Any) -> dict[str, Any]:
        found = self.pattern.search(value)
        return {name: text for name, text in found.groupdict().items() if text is not None} if found else {}

    def group_names(self) -> dict[str, Any]:
        return dict.fromkeys(self.pattern.groupindex)


@dataclass(frozen=True, slots=True)
class _AllFields:
    path: str
    fields: tuple[tuple[str, Condition], ...]

    def mismatch(self, value: Any) -> Mismatch | None:
        if not isinstance(value, dict):
            return Mismatch(self.path, "an object")
        for name, condition in self.fields:
            mismatch = condition.mismatch(value.get(name, ABSENT))
            if mismatch is not None:
                return mismatch
        return None

    def captures(self, value: Any) -> dict[str, Any]:
        found = ((name, condition.captures(value.get(name, ABSENT))) for name, condition in self.fields)
        return {name: groups for name, groups in found if groups}

    def group_names(self) -> dict[str, Any]:
        found = ((name, condition.group_names()) for name, condition in self.fields)
        return {name: groups for name, groups in found if groups}


@dataclass(frozen=True, slots=True)
class _EachFound(_WithoutGroups):
    path: str
    items: tuple[Condition, ...]

    def mismatch(self, value: Any) -> Mismatch | None:
        if not isinstance(value, list):
            return Mismatch(self.path, "a list")
        for item in self.items:
            reasons = [item.mismatch(candidate) for candidate in value]
            if all(reasons):
                wanted = next((reason.wanted for reason in reasons if reason), "the item that the rule names")
                return Mismatch(self.path, f"a list with {wanted}")
        return None


def compile_condition(spec: Any, problems: Problems, *, field: str = "") -> Condition | None:
    """Compile a ``match`` (or one of its parts) into a condition.

    Each error is added to ``problems``; None is returned if nothing usable is left.
    """
    match spec:
        case dict():
            return _compile_object(spec, problems, field)
        case list():
            items = [compile_condition(item, problems.at(i), field=field) for i, item in enumerate(spec)]
            return _EachFound(field, tuple(item for item in items if item is not None))
        case "undefined":
            return _Absent(field)
        case str() if is_pattern(spec):
            return _compile_pattern(spec, problems, field)
        case str() | bool() | int() | float():
            return _Equal(field, spec)
    problems.add("expected a string, a number, true, false, an object or a list ('undefined': no such field)")
    return None


def _compile_pattern(spec: str, problems: Problems, field: str) -> Condition | None:
    try:
        pattern = compile_pattern(spec)
        if is_quick(pattern.pattern, pattern.flags):
            return _Matches(field, spec, pattern)
        problems.add("takes too long on some texts: do not repeat what repeats, as (a+)+ does")
    except PatternError as exc:
        problems.add(str(exc))
    except OSError as exc:
        problems.add(f"cannot be tried: no process can be started: {exc.strerror}")
    return None


def _compile_object(spec: dict[Any, Any], problems: Problems, field: str) -> Condition | None:
    if not spec:
        problems.add("is empty: name at least one field")
        return None
    fields = []
    for name, part in spec.items():
        inner = problems.at(str(name))
        if not isinstance(name, str):
            inner.add("the name of a field must be a string: put it in quotes")
            continue
        condition = compile_condition(part, inner, field=f"{field}.{name}" if field else name)
        if condition is not None:
            fields.append((name, condition))
    return _AllFields(field, tuple(fields)) if fields else None
