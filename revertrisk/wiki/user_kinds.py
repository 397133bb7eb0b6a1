"""What kind of user made an edit: one rule for the server, backfills, the reader of exports, labels and the mock."""

import ipaddress
import re
from enum import StrEnum
from typing import Final

_TEMPORARY: Final = re.compile(r"~\d{4}-")
"""How the names of temporary accounts begin on Wikimedia's wikis (T352839)."""
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){2}\.(?:xxx|\d{1,3})", re.ASCII)
"""What MediaWiki takes for an address beside valid ones (``UserNameUtils::isIP``): ``192.0.2.xxx``, as wikis wrote them
until 2001, and numbers too high."""
_IMPORTED: Final = ">"
"""Stands in ``en>Name``, somebody of another wiki whose edit was imported; no account here has it in its name."""

PRIVILEGED_GROUPS: Final = frozenset(
    {
        "abusefilter", "bureaucrat", "checkuser", "editor", "eliminator", "interface-admin", "oversight", "patroller",
        "reviewer", "rollbacker", "steward", "suppress", "sysop", "templateeditor",
    }
)  # fmt: skip
"""Groups that are granted by hand; the automatic ones follow from edit count and age."""


class UserKind(StrEnum):
    """Who made an edit, in the classes that wikis themselves distinguish."""

    REGISTERED = "registered"
    TEMPORARY = "temporary"
    """An account that the wiki made for somebody not logged in (``is_temp``); it treats it as unregistered."""
    IP = "ip"
    UNKNOWN = "unknown"
    """The author is hidden or of another wiki, or the source does not tell."""

    @property
    def is_anonymous(self) -> bool | None:
        """True for IP and temporary users, None where the kind is unknown."""
        return None if self is UserKind.UNKNOWN else self is not UserKind.REGISTERED


def user_kind(name: str | None, user_id: int | None = None, *, is_temp: bool | None = None) -> UserKind:
    """Return the kind of a user, by flag and id where they are known, else by the form of the name.

    ``user_id`` is 0 for a user without an account; None is what the source does not tell.
    """
    if is_temp or (is_temp is None and name is not None and _TEMPORARY.match(name)):
        return UserKind.TEMPORARY
    if user_id:
        return UserKind.REGISTERED
    if name is None:
        return UserKind.UNKNOWN if user_id is None else UserKind.IP
    if not name or _IMPORTED in name:
        return UserKind.UNKNOWN
    if user_id == 0 or _is_address(name):
        return UserKind.IP
    return UserKind.REGISTERED


def _is_address(name: str) -> bool:
    if _ADDRESS.fullmatch(name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
