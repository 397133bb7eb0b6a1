"""What all who ask MediaWiki's Action API go by: its limits, and how a field of its answers is read."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

PUBLIC_CONNECTIONS: Final = 3
"""Requests that a public host allows one client at a time (API:Etiquette, T400119)."""
BUSY_CODES: Final = ("maxlag", "ratelimited", "readonly")
"""API errors, as prefixes, by which a wiki says that it takes no such request now, whatever is asked for."""
TRANSIENT_CODES: Final = (*BUSY_CODES, "internal_api_error")
"""API errors, as prefixes, that a later try may not meet (Manual:Maxlag parameter, API:Etiquette)."""
LARGEST_ID: Final = 2**53 - 1
"""The largest id that JSON carries exactly everywhere, and the schemas' maximum."""

Fact = TypeVar("Fact", str, int, bool)


def typed(value: Any, kind: type[Fact]) -> Fact:
    """Return a value of the kind that it has to be; raises TypeError where it is of another."""
    if not isinstance(value, kind):
        raise TypeError(kind)
    return value


def optional(facts: Mapping[str, Any], name: str, kind: type[Fact]) -> Fact | None:
    """Return a field, None where it is absent or null; raises TypeError where it is of another kind."""
    value = facts.get(name)
    return None if value is None else typed(value, kind)


def flag(facts: Mapping[str, Any], name: str) -> bool:
    """Return a flag, which is absent where it is not set; raises TypeError where it is none."""
    return typed(facts.get(name, False), bool)
