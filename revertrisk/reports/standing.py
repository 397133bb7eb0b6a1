"""Only edits that are old enough, with the labels that models are trained on: for comparison with `evaluate`.

The rule is that of `revertrisk.scoring.training.labelling`. Whether a revert stands cannot be estimated from edits that
are still watched, so the younger ones are left out, and what else is left out is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from revertrisk.reports.cell import Ends
from revertrisk.reports.watched import Cause, Watched
from revertrisk.scoring.training.labelling import NotLabelled

TOO_YOUNG = "too_young"


@dataclass(frozen=True, slots=True)
class Labelled:
    """The edits that have a label, and how many have none, by reason."""

    ends: Ends
    left_out: Mapping[str, int]


def labelled(watched: Watched, horizon: float) -> Labelled:
    """Return the edits that have a label at a horizon: reverted by somebody else, with a revert that stands, or not.

    The lake does not tell whether a revert whose range is not known may have undone an edit; such an edit counts as not
    reverted.
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
    return Labelled(ends.part(kept), left_out)
