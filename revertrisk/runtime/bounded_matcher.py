"""Aligns two lists in a limited number of steps, even if items repeat often."""

from collections.abc import Sequence
from difflib import Match, SequenceMatcher


class StepBudget:
    """The number of steps that is left for the alignments that share it."""

    def __init__(self, steps: int) -> None:
        self.left = steps


class BoundedMatcher(SequenceMatcher[str]):
    """A matcher with a budget of steps; items that are not aligned when it is spent count as changed."""

    def __init__(
        self, old: Sequence[str], new: Sequence[str], budget: StepBudget, *, autojunk: bool = False
    ) -> None:
        super().__init__(None, old, new, autojunk=autojunk)
        self._old = old
        self._budget = budget

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """Search as difflib does; when the budget is spent, find nothing."""
        # The search below takes one step for each position of each item in the other list.
        places = self.b2j  # type: ignore[attr-defined] # documented in difflib's source; its stub lacks it
        self._budget.left -= sum(1 + len(places.get(item, ())) for item in self._old[alo:ahi])
        return (
            super().find_longest_match(alo, ahi, blo, bhi) if self._budget.left >= 0 else Match(alo, blo, 0)
        )
