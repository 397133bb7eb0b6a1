"""HTTP headers that our programs send or read: ``User-Agent``, ``Retry-After``, and headers with any bytes."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Final

PROJECT_URL: Final = "https://pypi.org/project/revertrisk-events/"
"""The page of the distribution."""
USER_AGENT_POLICY: Final = "https://foundation.wikimedia.org/wiki/Policy:User-Agent_policy"
"""Wikimedia's requirements for a ``User-Agent``: the program, its version, and a contact."""
# Each part excludes the separator after it ("@", then "."), so there is only one way to match, in linear time.
_CONTACT: Final = re.compile(r"[!-~][!-?A-~]*@[!-~][!-\-/-~]*\.[!-~]+|https?://[!-~]+")
_NOT_IN_A_COMMENT: Final = frozenset("()<>\\;\"'")


def is_contact(text: str) -> bool:
    """Return whether a text is a mail address or a URL that can be in the parentheses of a ``User-Agent``."""
    return _CONTACT.fullmatch(text) is not None and not _NOT_IN_A_COMMENT & set(text)


def user_agent(program: str, contact: str | None = None) -> str:
    """Return a ``User-Agent`` with a program, its version and a contact.

    ``contact`` is a mail address or a URL of the program's operator; by default it is the project's URL.
    """
    return f"{program}/{version('revertrisk-events')} ({contact or PROJECT_URL})"


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` (seconds or a date) asks for; None if it is neither."""
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
    """Return one of aiohttp's request headers, or None; bytes that are not UTF-8 become U+FFFD.

    aiohttp represents such bytes as lone surrogates, which neither JSON nor a page can contain.
    """
    value = headers.get(name)
    return None if value is None else value.encode(errors="surrogateescape").decode(errors="replace")
