"""Edits that are older than the horizon, labelled as for training, so that reports can be compared with `evaluate`.

The rule is that of `revertrisk.scoring.training.labelling`. An edit whose revert was itself reverted has no label. For
a young edit this can still happen, so edits younger than the horizon are left out. What is left out is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from revertrisk.reports.cell import Ends
from revertrisk.reports.watched import Cause, Watched
from revertrisk.scoring.training.labelling import NotLabelled

TOO_YOUNG: Final = "too_young"


@dataclass(frozen=True, slots=True)
class Matured:
    """The edits that have a label."""

    ends: Ends
    left_out: Mapping[str, int]
    """How many edits have no label, by reason."""


def matured(watched: Watched, horizon: float) -> Matured:
    """Return the edits that have a label at a horizon in seconds: reverted by somebody else, or not reverted.

    The record can have a revert without the range of edits that it reverts. From the lake it is not known whether such
    a revert covers an edit; the edit counts as not reverted.
    """
    reverted = watched.revert_after <= horizon
    own = reverted & (watched.reverter == Cause.SELF_REVERTED)
    reasons = {
        TOO_YOUNG: watched.age < horizon,
        NotLabelled.NULL_EDIT.value: watched.is_null_edit,
        NotLabelled.SELF_REVERT.value: own,
        NotLabelled.REVERT_REVERTED.value: reverted & (watched.undone_after <= horizon),
    }
    kept, left_out = np.ones(len(watched), dtype=np.bool_), {}
    for reason, members in reasons.items():
        left_out[reason] = int((kept & members).sum())
        kept &= ~members
    ends = Ends(
        watched.page,
        watched.probability,
        watched.age,
        np.where(reverted, watched.revert_after, watched.age),
        np.where(reverted, watched.reverter, Cause.OPEN).astype(np.int8),
    )
    return Matured(ends.part(kept), left_out)
