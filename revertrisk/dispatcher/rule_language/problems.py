"""Collects the errors in a rule file, each with the path of its field."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a rule."""

    path: str
    """The path of the field: ``rules[0].match.page_change_kind``."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class Problems:
    """A list of problems, with the path of a current field."""

    def __init__(self) -> None:
        self._path = ""
        self._found: list[Problem] = []

    def at(self, step: str | int) -> "Problems":
        """Return the same list with the path of a field (a name) or an item (an index) below the current one."""
        inner = Problems()
        inner._found = self._found
        if isinstance(step, int):
            inner._path = f"{self._path}[{step}]"
        else:
            inner._path = f"{self._path}.{step}" if self._path else step
        return inner

    def add(self, reason: str) -> None:
        """Add a problem of the current field."""
        self._found.append(Problem(self._path, reason))

    @property
    def found(self) -> Sequence[Problem]:
        """All problems so far, of all fields."""
        return tuple(self._found)


class RuleFileError(Exception):
    """A rule file is invalid; the message lists every problem, one a line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.problems = tuple(problems)
