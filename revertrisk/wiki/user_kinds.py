"""The kind of a user; the server, backfills, the reader of exports, labels and the mock use the same rule."""

import ipaddress
import re
from enum import StrEnum
from typing import Final

_TEMPORARY: Final = re.compile(r"~\d{4}-")
"""The beginning of the names of temporary accounts on Wikimedia's wikis (T352839)."""
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){2}\.(?:xxx|\d{1,3})", re.ASCII)
"""Texts that MediaWiki treats as IP addresses in addition to valid ones (``UserNameUtils::isIP``): ``192.0.2.xxx``,
which wikis wrote until 2001, and numbers above 255."""
_IMPORTED: Final = ">"
"""It is in ``en>Name``, a user of another wiki whose edit was imported; names of local accounts cannot contain it."""

PRIVILEGED_GROUPS: Final = frozenset(
    {
        "abusefilter", "bureaucrat", "checkuser", "editor", "eliminator", "interface-admin", "oversight", "patroller",
        "reviewer", "rollbacker", "steward", "suppress", "sysop", "templateeditor",
    }
)  # fmt: skip
"""Groups that people grant; automatic groups follow from edit count and age."""


class UserKind(StrEnum):
    """The kinds of user that wikis distinguish."""

    REGISTERED = "registered"
    TEMPORARY = "temporary"
    """An account that the wiki created for a user without an account (``is_temp``); wikis treat it as unregistered."""
    IP = "ip"
    UNKNOWN = "unknown"
    """The author is hidden or from another wiki, or the source does not have it."""

    @property
    def is_anonymous(self) -> bool | None:
        """True for IP and temporary users, None if the kind is unknown."""
        return None if self is UserKind.UNKNOWN else self is not UserKind.REGISTERED


def user_kind(name: str | None, user_id: int | None = None, *, is_temp: bool | None = None) -> UserKind:
    """Return the kind of a user: from the flag and the id if they are known, otherwise from the form of the name.

    ``user_id`` is 0 for a user without an account; None is a fact that the source lacks.
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
