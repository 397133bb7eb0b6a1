"""Aligns two lists in a bounded number of steps, however often their items repeat."""

from collections.abc import Sequence
from difflib import Match, SequenceMatcher


class StepBudget:
    """How many steps the alignments that share it may still take."""

    def __init__(self, steps: int) -> None:
        self.left = steps


class BoundedMatcher(SequenceMatcher[str]):
    """A matcher that takes its steps from a budget; what is not aligned when that is spent counts as changed."""

    def __init__(
        self, old: Sequence[str], new: Sequence[str], budget: StepBudget, *, autojunk: bool = False
    ) -> None:
        super().__init__(None, old, new, autojunk=autojunk)
        self._old = old
        self._budget = budget

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        """Search as difflib does, or find nothing once the budget is spent."""
        # What the search below does: one step for each place that each item has in the other list.
        places = self.b2j  # type: ignore[attr-defined] # documented in difflib's source; its stub lacks it
        self._budget.left -= sum(1 + len(places.get(item, ())) for item in self._old[alo:ahi])
        return (
            super().find_longest_match(alo, ahi, blo, bhi) if self._budget.left >= 0 else Match(alo, blo, 0)
        )
