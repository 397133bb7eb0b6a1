"""Detects a new version of the model: its scores are not comparable, so the risk series need a new baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

CONFIRMING_MINUTES: Final = 5
"""After this number of minutes with predictions, none of them by the current version, the version has changed."""


@dataclass(frozen=True, slots=True)
class VersionChange:
    """A change from one version to another."""

    old: str
    new: str


class Versions:
    """The current version of the watched model."""

    def __init__(self) -> None:
        """Start without a version; the first one that is seen is current."""
        self._current: str | None = None
        self._without = 0
        self.is_mixed = False
        """Whether the last minute had predictions of another version than the current one."""

    def note(self, versions: Mapping[str, int]) -> VersionChange | None:
        """Take the number of predictions by each version in a minute; return a change when it is certain.

        During a rollout with both versions nothing has changed yet; its minutes are mixed.
        """
        if not versions:
            return None
        most = max(versions, key=lambda version: (versions[version], version))
        if self._current is None:
            self._current = most
        self.is_mixed = any(version != self._current for version in versions)
        self._without = 0 if self._current in versions else self._without + 1
        if self._without < CONFIRMING_MINUTES:
            return None
        change = VersionChange(self._current, most)
        self._current, self._without = most, 0
        self.is_mixed = len(versions) > 1
        return change

    def as_state(self) -> dict[str, Any]:
        """Return the state to keep across a restart."""
        return {"current": self._current, "without": self._without, "is_mixed": self.is_mixed}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a kept state."""
        self._current, self._without = state["current"], state["without"]
        self.is_mixed = state["is_mixed"]
