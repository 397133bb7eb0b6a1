"""Expands ``{{…}}`` in the request of a rule.

A reference is a dotted path from ``message`` (the event) or ``match`` (the texts of named groups). ``globals`` has the
same two, and ``globals.target``: the base address given at start, which is inserted when the rule is read. A string
that is only one reference becomes the value itself, even an object. Inside other text a value becomes text, and in a
URI it is percent-encoded.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any
from urllib.parse import quote

import orjson

from revertrisk.dispatcher.rule_language.problems import Problems

_REFERENCE = re.compile(r"\{\{\s*([A-Za-z_$][\w$-]*(?:\.[\w$-]+)*)\s*\}\}")
_ROOTS = ("message", "match")
_GLOBALS = (*_ROOTS, "target")
_TARGET = ("globals", "target")

Reference = tuple[str, ...]


class UnexpandableError(Exception):
    """The event lacks a field that a template needs, or its value has the wrong type."""


@dataclass(frozen=True, slots=True)
class Context:
    """The values for the references of one request."""

    message: Mapping[str, Any]
    match: Mapping[str, Any]

    def value(self, reference: Reference) -> Any:
        """Return the value of a reference; raises UnexpandableError if there is none."""
        root, *steps = reference[1:] if reference[0] == "globals" else reference
        found: Any = {"message": self.message, "match": self.match}[root]
        for step in steps:
            found = found.get(step) if isinstance(found, dict) else None
        if found is None:
            raise UnexpandableError("{{" + ".".join(reference) + "}}")
        return found


@dataclass(frozen=True, slots=True)
class Template:
    """A string with references, split into its parts."""

    parts: tuple[str | Reference, ...]

    def value(self, context: Context) -> Any:
        """Return the value itself if the template is only one reference, otherwise the text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], tuple):
            return context.value(self.parts[0])
        return "".join(
            part if isinstance(part, str) else _as_text(context.value(part)) for part in self.parts
        )

    def text(self, context: Context) -> str:
        """Return the text for a header: only strings, numbers and booleans may be inserted."""
        return "".join(part if isinstance(part, str) else _as_plain(context, part) for part in self.parts)

    def uri(self, context: Context) -> str:
        """Return the text for an address, with the inserted values percent-encoded."""
        return "".join(
            part if isinstance(part, str) else quote(_as_plain(context, part), safe="") for part in self.parts
        )

    @property
    def references(self) -> Iterator[Reference]:
        """The references of the template."""
        return (part for part in self.parts if isinstance(part, tuple))


def compile_template(text: str, problems: Problems, *, target: str | None) -> Template:
    """Split a string into text and references; add unknown references to ``problems``."""
    parts: list[str | Reference] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        parts.append(text[end : found.start()])
        reference = tuple(found[1].split("."))
        if reference == _TARGET:
            if target is None:
                problems.add("uses {{globals.target}}: give the address of the server (--target URL)")
            parts.append(target or "")
        else:
            _check_root(reference, problems)
            parts.append(reference)
        end = found.end()
    parts.append(text[end:])
    if any(isinstance(part, str) and "{{" in part for part in parts):
        problems.add("'{{' must open a dotted path like {{message.wiki_id}} and be closed by '}}'")
    return Template(tuple(part for part in parts if part))


def compile_body(spec: Any, problems: Problems, *, target: str | None) -> Any:
    """Compile every string in a JSON value, and keep its shape."""
    if isinstance(spec, str) and _is_json(spec):
        return compile_template(spec, problems, target=target)
    if isinstance(spec, Mapping):
        return {
            str(name): compile_body(part, problems.at(str(name)), target=target)
            for name, part in spec.items()
        }
    if isinstance(spec, list):
        return [compile_body(part, problems.at(i), target=target) for i, part in enumerate(spec)]
    if spec is None or (isinstance(spec, (bool, int, float)) and _is_json(spec)):
        return spec
    problems.add("expected a JSON value")
    return None


def expand_body(body: Any, context: Context) -> Any:
    """Expand what :func:`compile_body` made."""
    if isinstance(body, Template):
        return body.value(context)
    if isinstance(body, dict):
        return {name: expand_body(part, context) for name, part in body.items()}
    if isinstance(body, list):
        return [expand_body(part, context) for part in body]
    return body


def body_references(body: Any) -> Iterator[Reference]:
    """Yield every reference in a compiled body."""
    if isinstance(body, Template):
        yield from body.references
    elif isinstance(body, (dict, list)):
        for part in body.values() if isinstance(body, dict) else body:
            yield from body_references(part)


def refuse_missing_groups(
    references: Iterable[Reference], captures: Sequence[Mapping[str, Any]], problems: Problems
) -> None:
    """Add every ``{{match.…}}`` without such a named group to ``problems``.

    Otherwise a typing error would become a dead letter for each event. ``captures`` are the names of each match's
    groups, nested like the match; empty without a match.
    """
    for reference in references:
        path = reference[1:] if reference[0] == "globals" else reference
        if path[:1] == ("match",) and not any(_captured(path[1:], groups) for groups in captures):
            problems.add(f"{{{{{'.'.join(reference)}}}}}: the match has no such named group")


def _check_root(reference: Reference, problems: Problems) -> None:
    if reference[0] == "globals":
        if len(reference) == 1 or reference[1] not in _GLOBALS:
            problems.add(f"globals has only {', '.join(_GLOBALS)}")
    elif reference[0] not in _ROOTS:
        problems.add(f"{{{{{'.'.join(reference)}}}}} starts with none of message, match and globals")


def _is_json(value: str | float) -> bool:
    """Return whether JSON can hold a value: no lone surrogate, no infinity or NaN, no integer beyond 64 bits."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return not isinstance(value, float) or isfinite(value)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _as_plain(context: Context, reference: Reference) -> str:
    value = context.value(reference)
    if isinstance(value, (dict, list)):
        raise UnexpandableError("{{" + ".".join(reference) + "}} is not a plain value")
    return _as_text(value)


def _captured(steps: Sequence[str], groups: Mapping[str, Any]) -> bool:
    """Return whether ``match.<steps>`` is a captured group, by its whole path or by its name alone."""
    if not steps:
        return bool(groups)
    if len(steps) == 1 and _has_group(steps[0], groups):
        return True
    found: Any = groups
    for step in steps:
        if not isinstance(found, dict) or step not in found:
            return False
        found = found[step]
    return True


def _has_group(name: str, groups: Mapping[str, Any]) -> bool:
    return any(
        _has_group(name, part) if isinstance(part, dict) else key == name for key, part in groups.items()
    )
