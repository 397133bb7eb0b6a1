"""What our programs say of themselves to wikis, event streams and EventGate."""

import re
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
    """Tell whether a text is a mail address or a URL, and can stand in the parentheses of a ``User-Agent``."""
    return _CONTACT.fullmatch(text) is not None and not _NOT_IN_A_COMMENT & set(text)


def user_agent(program: str, contact: str | None = None) -> str:
    """Return a ``User-Agent`` that names a program, its version and whom to write to.

    ``contact`` is a mail address or a URL. Only whoever runs the program has one: without it, the project's URL
    stands there.
    """
    return f"{program}/{version('revertrisk-events')} ({contact or PROJECT_URL})"
