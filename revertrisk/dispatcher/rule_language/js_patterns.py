r"""Translates a JavaScript regular expression, as rules contain them, into an equivalent Python one.

The two dialects differ in some points: ``$`` before a final newline, ``.`` on other line ends, ``\d`` and ``\w``
beyond ASCII, the spelling of named groups. Those are translated. An expression that Python cannot express is refused.
"""

import re

_LITERAL = re.compile(r"/(?P<body>.+)/(?P<flags>[A-Za-z]*)", re.DOTALL)
_SUPPORTED_FLAGS = "gimsuy"

_LINE_ENDS = r"\n\r\u2028\u2029"
_GROUP_OPENINGS = ("(?:", "(?=", "(?!", "(?<=", "(?<!")
_NAMED_GROUP = re.compile(r"\(\?<(?P<name>[A-Za-z_]\w*)>", re.ASCII)
_NAMED_REFERENCE = re.compile(r"\\k<(?P<name>[A-Za-z_]\w*)>", re.ASCII)
_HEX_ESCAPE = re.compile(r"\\(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})")
_CONTROL_ESCAPES = frozenset("nrtvf")
_SPACE_ESCAPES = frozenset("sS")
_ASCII_ESCAPES = frozenset("dDwWbB")
"""Escapes that know only ASCII in JavaScript, and all of Unicode in Python."""
_IN_CLASS = {"d": "0-9", "w": "A-Za-z0-9_", "b": r"\b"}
"""Their translations in a class, where Python has no ``(?a:…)``; the others are refused there."""
_SET_OPERATORS = frozenset("[&~|")
"""Ordinary characters in a class in JavaScript, reserved in Python's ``re``."""


class PatternError(ValueError):
    """The expression is invalid, or Python's ``re`` cannot express it."""


def is_pattern(text: str) -> bool:
    """Return whether a string of a rule is a regular expression: ``/…/`` with any letters as flags."""
    return _LITERAL.fullmatch(text) is not None


def compile_pattern(text: str) -> re.Pattern[str]:
    """Compile ``/…/flags``; use the result with ``search``, as JavaScript's ``test`` does.

    Raises:
        PatternError: an unknown or repeated flag, or an expression that Python cannot express.

    """
    literal = _LITERAL.fullmatch(text)
    if literal is None:
        raise PatternError("expected /expression/flags")
    flags = literal["flags"]
    for flag in flags:
        if flag not in _SUPPORTED_FLAGS:
            raise PatternError(f"unsupported flag {flag!r} (supported: {', '.join(_SUPPORTED_FLAGS)})")
        if flags.count(flag) > 1:
            raise PatternError(f"flag {flag!r} is given twice")
    translated = _Translation(literal["body"], multiline="m" in flags, dot_all="s" in flags).result()
    # "y" anchors at the start of the text; "g" and "u" change nothing in a single test.
    source = rf"\A(?:{translated})" if "y" in flags else translated
    try:
        return re.compile(source, re.IGNORECASE if "i" in flags else 0)
    except (re.error, OverflowError, RecursionError) as exc:
        raise PatternError(f"not a valid regular expression: {exc}") from exc


class _Translation:
    """The translation of one expression, in one pass."""

    def __init__(self, body: str, *, multiline: bool, dot_all: bool) -> None:
        self._body = body
        self._at = 0
        self._in_class = False
        self._dot = r"[\s\S]" if dot_all else f"[^{_LINE_ENDS}]"
        self._start = rf"(?:\A|(?<=[{_LINE_ENDS}]))" if multiline else r"\A"
        self._end = rf"(?:\Z|(?=[{_LINE_ENDS}]))" if multiline else r"\Z"

    def result(self) -> str:
        parts = []
        while self._at < len(self._body):
            parts.append(self._class_part() if self._in_class else self._part())
        return "".join(parts)

    def _part(self) -> str:
        character = self._body[self._at]
        if character == "\\":
            return self._escape()
        if character == "(":
            return self._group()
        if character == "[":
            return self._open_class()
        if self._body.startswith("{,", self._at):  # plain text in JavaScript, a repetition in Python
            return self._take(1, r"\{")
        return self._take(1, {".": self._dot, "^": self._start, "$": self._end}.get(character, character))

    def _class_part(self) -> str:
        character = self._body[self._at]
        if character == "\\":
            return self._escape()
        self._in_class = character != "]"
        return self._take(1, "\\" + character if character in _SET_OPERATORS else character)

    def _open_class(self) -> str:
        self._in_class = True
        for opening in ("[^", "["):
            if self._body.startswith(opening, self._at):
                if self._body.startswith(opening + "]", self._at):
                    raise PatternError(f"the empty class {opening}] is not supported")
                return self._take(len(opening), opening)
        raise AssertionError("called at a '['")

    def _group(self) -> str:
        named = _NAMED_GROUP.match(self._body, self._at)
        if named is not None:
            return self._take(len(named[0]), f"(?P<{named['name']}>")
        for opening in _GROUP_OPENINGS:
            if self._body.startswith(opening, self._at):
                return self._take(len(opening), opening)
        if self._body.startswith("(?", self._at):
            raise PatternError(f"unsupported group {self._body[self._at : self._at + 4]!r}")
        return self._take(1, "(")

    def _escape(self) -> str:
        escaped = self._body[self._at + 1 : self._at + 2]
        if not escaped:
            raise PatternError("ends in a lone backslash")
        if escaped in _ASCII_ESCAPES:
            if not self._in_class:
                return self._take(2, rf"(?a:\{escaped})")
            if escaped in _IN_CLASS:
                return self._take(2, _IN_CLASS[escaped])
        elif escaped in _CONTROL_ESCAPES or escaped in _SPACE_ESCAPES:
            return self._take(2, "\\" + escaped)
        elif escaped in "123456789" and not self._in_class:
            return self._take(2, f"(?:\\{escaped})")  # the group separates it from a following digit
        elif not escaped.isalnum():
            return self._take(2, re.escape(escaped))
        for pattern, as_python in ((_HEX_ESCAPE, "{0}"), (_NAMED_REFERENCE, "(?P={1})")):
            longer = pattern.match(self._body, self._at)
            if longer is not None and not (self._in_class and pattern is _NAMED_REFERENCE):
                return self._take(len(longer[0]), as_python.format(longer[0], *longer.groups()))
        raise PatternError(f"unsupported escape \\{escaped}{' in a class' if self._in_class else ''}")

    def _take(self, length: int, translated: str) -> str:
        self._at += length
        return translated
