"""The two string formats that EventGate checks, with the same results as EventGate.

EventGate validates with AJV 6 in its "fast" mode, which has a few regular expressions instead of full grammars. They
accept impossible dates (month 19) and URIs with unescaped brackets, and refuse a time without a time zone and a URI
with a space. Events must be validated in the same way before they are sent. So these patterns are the same as AJV's,
including JavaScript's definition of white space.

``instant`` is this project's own, stricter format for events that are read: a date-time that exists.
"""

import re
from collections.abc import Callable
from typing import Final

from jsonschema import FormatChecker

from revertrisk.runtime.instants import DATE_TIME, JS_SPACE

# No white space; no backslash at the start or in the fragment. All other characters are accepted.
URI_REFERENCE: Final = rf"(?:[^\\#{JS_SPACE}][^#{JS_SPACE}]*)?(?:#[^\\{JS_SPACE}]*)?"


_DATE_TIME: Final = re.compile(DATE_TIME)
_URI_REFERENCE: Final = re.compile(URI_REFERENCE)


def is_date_time(text: str) -> bool:
    """Return whether EventGate accepts a string as ``format: date-time``.

    The time zone is required. The date need not exist: ``2021-19-39T29:00:00Z`` is accepted.
    """
    return _DATE_TIME.fullmatch(text) is not None


def is_uri_reference(text: str) -> bool:
    """Return whether EventGate accepts a string as ``format: uri-reference``."""
    return _URI_REFERENCE.fullmatch(text) is not None


EVENTGATE_FORMAT_FUNCTIONS: Final[dict[str, Callable[[str], bool]]] = {
    "date-time": is_date_time,
    "uri-reference": is_uri_reference,
}
"""EventGate's formats for jsonschema-rs, as functions of a string."""


def format_checker(functions: dict[str, Callable[[str], bool]]) -> FormatChecker:
    """Return the same formats for jsonschema, as functions of any value that are true for non-strings."""
    checker = FormatChecker(formats=())
    for name, function in functions.items():
        checker.checks(name)(_of_strings(function))
    return checker


def _of_strings(function: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or function(value)


EVENTGATE_FORMATS: Final = format_checker(EVENTGATE_FORMAT_FUNCTIONS)
"""EventGate's formats for jsonschema; no other format is checked."""
