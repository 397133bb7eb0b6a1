"""Collect what is wrong with a rule file, each thing with the path of its field."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a rule cannot work."""

    path: str
    """As a reader would write it: ``rules[0].match.page_change_kind``."""
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason


class Problems:
    """A list of problems that knows at which field one stands."""

    def __init__(self) -> None:
        self._path = ""
        self._found: list[Problem] = []

    def at(self, step: str | int) -> "Problems":
        """Return the same list, seen from a field (a name) or an item (an index) further down."""
        inner = Problems()
        inner._found = self._found
        if isinstance(step, int):
            inner._path = f"{self._path}[{step}]"
        else:
            inner._path = f"{self._path}.{step}" if self._path else step
        return inner

    def add(self, reason: str) -> None:
        """Note a problem with the field that this object stands at."""
        self._found.append(Problem(self._path, reason))

    @property
    def found(self) -> Sequence[Problem]:
        """Everything noted so far, anywhere."""
        return tuple(self._found)


class RuleFileError(Exception):
    """A rule file cannot work; the text lists every problem, one a line."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{name}: {problem}" for problem in problems))
        self.problems = tuple(problems)
