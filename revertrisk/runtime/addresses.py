"""Checks addresses of servers in settings."""

import re
from typing import Final
from urllib.parse import urlsplit

_VISIBLE: Final = re.compile(r'[!"$->@-~]+')
"""Visible ASCII without # and ?."""
_HOST: Final = re.compile(r"[A-Za-z0-9._~:-]+")


def is_base_address(text: str) -> bool:
    """Return whether a text is an http or https address, with at most a path: no user, no query, no fragment.

    Python's ``urlsplit`` removes line breaks and tabs, so they are refused before.
    """
    if not _VISIBLE.fullmatch(text):
        return False
    try:
        url = urlsplit(text)
        return (
            url.scheme in {"http", "https"}
            and _HOST.fullmatch(url.hostname or "") is not None
            and url.port != 0
            and url.username is None
        )
    except ValueError:  # not a port, or not an IPv6 address
        return False
