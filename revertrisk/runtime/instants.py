"""Reads and writes the times of events and APIs: RFC 3339 as EventGate's validator reads it, and only real times."""

import re
from datetime import UTC, datetime
from typing import Final

# What \s means in JavaScript; Python's own \s knows other characters.
JS_SPACE: Final = "\t\n\v\f\r \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"

DATE_TIME: Final = (
    rf"[0-9]{{4}}-[01][0-9]-[0-3][0-9][tT{JS_SPACE}]"
    r"(?:[0-2][0-9]:[0-5][0-9]:[0-5][0-9]|23:59:60)(?:\.[0-9]+)?"
    r"(?:[zZ]|[+-][0-9][0-9](?::?[0-9][0-9])?)"
)

USUAL_INSTANT: Final = (
    r"[12][0-9]{3}-"
    r"(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]+)?Z"
)
"""The usual form of times in events. `is_instant` also accepts other forms, such as those with an offset."""

_USUAL_INSTANT: Final = re.compile(USUAL_INSTANT)

_DATE_TIME: Final = re.compile(DATE_TIME)


def parse_date_time(text: str) -> datetime:
    """Return the time of a date-time, in UTC.

    Digits after the sixth of a fraction are dropped; a leap second counts as the second before it.

    Raises:
        ValueError: EventGate would not accept the string, or it is not a real time; the message does not repeat the
            string.

    """
    if _USUAL_INSTANT.fullmatch(text) is not None:
        return datetime.fromisoformat(text)
    if _DATE_TIME.fullmatch(text) is None:
        raise ValueError("not a date-time with a time zone")
    plain = text.upper().replace("23:59:60", "23:59:59")
    try:
        return datetime.fromisoformat(plain).astimezone(UTC)
    except (ValueError, OverflowError):
        # Without the cause, which repeats the string.
        raise ValueError("a date-time that does not exist") from None


def is_instant(text: str) -> bool:
    """Return whether a string is a date-time that exists: whether `parse_date_time` accepts it."""
    try:
        parse_date_time(text)
    except ValueError:
        return False
    return True


def iso_z(moment: datetime) -> str:
    """Return a time in the form of events: in UTC, with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
