"""HTTP headers that our programs send or read: ``User-Agent``, ``Retry-After``, and text of whatever bytes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

PROJECT_URL: Final = "https://pypi.org/project/revertrisk-events/"
"""Where the distribution is at home."""
USER_AGENT_POLICY: Final = "https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy"
"""What Wikimedia asks of a ``User-Agent``: the program, its version, and somebody to write to."""
# A mail address is cut at its first "@" and at the first full stop after it, so that there is one way to match.
_CONTACT: Final = re.compile(r"[!-~][!-?A-~]*@[!-~][!-\-/-~]*\.[!-~]+|https?://[!-~]+")
_NOT_IN_A_COMMENT: Final = frozenset("()<>\\;\"'")


def is_contact(text: str) -> bool:
    """Whether a text is a mail address or a URL, and can stand in the parentheses of a ``User-Agent``."""
    return _CONTACT.fullmatch(text) is not None and not _NOT_IN_A_COMMENT & set(text)


def user_agent(program: str, contact: str | None = None) -> str:
    """Return a ``User-Agent`` that names a program, its version and whom to write to.

    ``contact`` is a mail address or a URL. Only whoever runs the program has one: without it, the project's URL
    stands there.
    """
    return f"{program}/{version('revertrisk-events')} ({contact or PROJECT_URL})"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` asks for, given as seconds or as a date; None if it is neither."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


def header_text(headers: Mapping[str, str], name: str) -> str | None:
    """Return one of aiohttp's request headers, None if it is absent; bytes that are not UTF-8 become U+FFFD.

    aiohttp keeps such bytes as lone surrogates, which neither JSON nor a page can carry.
    """
    value = headers.get(name)
    return None if value is None else value.encode(errors="surrogateescape").decode(errors="replace")
