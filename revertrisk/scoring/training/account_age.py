"""What the age of an account adds to a score: one bounded term, fitted last.

Of all facts about a registered author the age says most, and it is unfair to whoever is new. So it is combined
with nothing, and it moves the logit by `BOUND` at most (docs/decisions/0020).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from revertrisk.scoring.artifact import NetworkShape
from revertrisk.scoring.encoding import CLIP, FeatureScale, raw_values
from revertrisk.scoring.feature_table import Transform
from revertrisk.scoring.network import RevertRiskNetwork
from revertrisk.scoring.training.examples import Example, TrainingError, labels_of
from revertrisk.scoring.training.logistic import logistic

FEATURE = "user_age"
BOUND = 1.0
"""The most that the age may add to the calibrated logit, or take away: odds change by a factor of e."""


def term(logits: NDArray[np.float64], examples: Sequence[Example]) -> tuple[FeatureScale, float]:
    """Return how the age is scaled, and the weight of the scaled age in the calibrated logit.

    `logits` are the calibrated ones of the edits by networks that saw neither the edits nor their authors' ages.
    To them is fitted an offset for all, one for known ages, and a slope for the logarithm of the age. The average
    account adds nothing, so that an unknown age is an average one. The encoder cuts scaled values off at `CLIP`
    deviations: the scale is chosen such that the bound is reached there.

    Raises:
        TrainingError: the ages do not speak against new accounts, so that there is no such term.

    """
    (ages,) = raw_values([FEATURE], [example.features for example in examples]).T
    known = np.isfinite(ages)
    design = np.stack([np.ones(len(ages)), known, np.where(known, -ages, 0.0)], axis=1)
    slope = float(logistic(design, labels_of(examples), np.ones(len(ages)), logits)[2])
    if not known.any() or slope <= 0:
        raise TrainingError("account ages: expected that edits of new accounts are reverted more often")
    scale = FeatureScale(
        name=FEATURE,
        transform=Transform.LOG1P.value,
        mean=float(ages[known].mean()),
        deviation=BOUND / (CLIP * slope),
    )
    return scale, -BOUND / CLIP


@torch.no_grad()
def added(network: RevertRiskNetwork, weight: float) -> RevertRiskNetwork:
    """Return the network with one more additive input, which has the same weight in each member."""
    state = dict(network.state_dict())
    members, inputs = state["linear"].shape
    shape = NetworkShape(hidden=network.shape.hidden, members=members)
    known = None if network.words is None else network.words.num_embeddings
    grown = RevertRiskNetwork(inputs + 1, network.core_inputs, shape, known_ngrams=known)
    column = torch.full((members, 1), weight, dtype=torch.float64)
    state["linear"] = torch.cat([state["linear"], column], dim=1)
    grown.load_state_dict(state)
    return grown.eval()
