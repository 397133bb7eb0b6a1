"""The threshold for what is wished for, or how many edits are missing to choose one."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_NOT_REVERTED: Final = 200
"""A threshold for a false positive rate needs at least this many edits that were not reverted."""
LEAST_FLAGGED: Final = 30
"""A threshold for a number a day needs at least this many flagged edits."""

Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why no threshold is chosen."""

    reason: str
    missing: int | None = None
    """How many edits more it would take; None where more would not help."""


def for_rate(
    probability: Floats, is_reverted: Booleans, rate: float, least: int = LEAST_NOT_REVERTED
) -> float | Refusal:
    """Return a threshold above which at most a share of the edits lies that were not reverted.

    It is the quantile of their scores, taken up to the next score: at most one edit more could be flagged.
    """
    others = probability[~is_reverted]
    if len(others) < least:
        missing = least - len(others)
        return Refusal(f"{len(others)} edits were not reverted, {least} are needed: {missing} more", missing)
    # Not rounded: one decimal less would let edits at the border pass.
    return float(np.quantile(others, 1 - rate, method="higher"))


def for_number(probability: Floats, days: int, number: float) -> float | Refusal:
    """Return the lowest threshold above which at most a number of edits a day lies."""
    wanted = math.floor(number * days)
    if wanted < LEAST_FLAGGED:
        more = math.ceil(LEAST_FLAGGED / number) - days
        return Refusal(
            f"{number:g} a day are {wanted} edits on {days} days, {LEAST_FLAGGED} are needed: {more} more days",
            LEAST_FLAGGED - wanted,
        )
    if len(probability) <= wanted:
        return 0.0
    # The edit after the last wanted one: an edit with its score is not flagged.
    return float(np.partition(probability, len(probability) - wanted - 1)[len(probability) - wanted - 1])
