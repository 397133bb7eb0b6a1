"""The two string formats that EventGate checks, with EventGate's verdicts.

EventGate validates with AJV 6 in its "fast" mode: a few regular expressions instead of full
grammars. They accept dates that no calendar has (month 19) and URIs with unescaped brackets, and refuse
a time without a time zone and a URI with a space. What is sent to EventGate must be judged the same way
beforehand, so these patterns follow it to the letter, JavaScript's idea of white space included.

``instant`` is this project's own, stricter format for events that are read: a date-time that exists.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from jsonschema import FormatChecker

# What \s means in JavaScript; Python's own \s knows other characters.
_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

DATE_TIME: Final = (
    rf"[0-9]{{4}}-[01][0-9]-[0-3][0-9][tT{_SPACE}]"
    r"(?:[0-2][0-9]:[0-5][0-9]:[0-5][0-9]|23:59:60)(?:\.[0-9]+)?"
    r"(?:[zZ]|[+-][0-9][0-9](?::?[0-9][0-9])?)"
)

# No white space; no backslash at the start or in the fragment. Everything else passes.
URI_REFERENCE: Final = rf"(?:[^\\#{_SPACE}][^#{_SPACE}]*)?(?:#[^\\{_SPACE}]*)?"

USUAL_INSTANT: Final = (
    r"[12][0-9]{3}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
)
"""Instants as events have them. There are others, which only `is_instant` tells: those with an offset, say."""

_USUAL_INSTANT: Final = re.compile(USUAL_INSTANT)
_DATE_TIME: Final = re.compile(DATE_TIME)
_URI_REFERENCE: Final = re.compile(URI_REFERENCE)


def is_date_time(text: str) -> bool:
    """Tell whether EventGate accepts a string as ``format: date-time``.

    The time zone is required. The calendar is not consulted: ``2021-19-39T29:00:00Z`` passes.
    """
    return _DATE_TIME.fullmatch(text) is not None


def is_uri_reference(text: str) -> bool:
    """Tell whether EventGate accepts a string as ``format: uri-reference``."""
    return _URI_REFERENCE.fullmatch(text) is not None


def parse_date_time(text: str) -> datetime:
    """Return the moment that a date-time names, in UTC.

    Digits after the sixth of a fraction are dropped; a leap second counts as the second before it.

    :raises ValueError: if EventGate would not accept the string, or no calendar has the moment. The
        message does not repeat the string.
    """
    if _USUAL_INSTANT.fullmatch(text) is not None:
        return datetime.fromisoformat(text)
    if _DATE_TIME.fullmatch(text) is None:
        raise ValueError("not a date-time with a time zone")
    plain = text.upper().replace("23:59:60", "23:59:59")
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError):
        # Without its cause, which repeats the string.
        raise ValueError("a date-time that does not exist") from None


def is_instant(text: str) -> bool:
    """Tell whether a string is a date-time that exists: whether `parse_date_time` accepts it."""
    try:
        parse_date_time(text)
    except ValueError:
        return False
    return True


EVENTGATE_FORMAT_FUNCTIONS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": is_date_time,
    "uri-reference": is_uri_reference,
}
"""EventGate's formats as jsonschema-rs takes them: functions of a string."""


def format_checker(functions: dict[str, Callable[[str], bool]]) -> FormatChecker:
    """Return the same formats as jsonschema takes them: functions of any value, true for non-strings."""
    checker = FormatChecker(formats=())
    for name, function in functions.items():
        checker.checks(name)(_of_strings(function))
    return checker


def _of_strings(function: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or function(value)


EVENTGATE_FORMATS: Final = format_checker(EVENTGATE_FORMAT_FUNCTIONS)
"""EventGate's formats for jsonschema; no other format is checked."""
