"""How large an answer may become before the rest is left to the next one."""

from typing import Any

from mock_mediawiki.parameters import Parameters


def value_size(value: Any) -> int:
    """Return what MediaWiki counts of a value: the bytes of what it holds, not of the names."""
    if isinstance(value, dict):
        return sum(map(value_size, value.values()))
    if isinstance(value, list):
        return sum(map(value_size, value))
    return len(value.encode()) if isinstance(value, str) else len(str(value))


def warn_of_limit(parameters: Parameters, limit: int) -> None:
    """Warn that an answer ends early because it would hold more than ``limit`` bytes."""
    parameters.warn(
        "result",
        f"This result was truncated because it would otherwise be larger than the limit of {limit:,} bytes.",
    )
