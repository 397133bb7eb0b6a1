"""The account's age as one bounded term of the logit, which is fitted last.

The age is the strongest feature of a registered author, and it is unfair to new users. So it is combined with no other
feature, and it changes the logit by at most `BOUND` (docs/decisions/0020).
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
"""The largest absolute value of the term in the calibrated logit. 1 changes the odds by a factor of e."""


def fit_term(logits: NDArray[np.float64], examples: Sequence[Example]) -> tuple[FeatureScale, float]:
    """Return how the age is scaled, and the weight of the scaled age in the calibrated logit.

    `logits` are calibrated logits of the edits, by networks that were trained without these edits and without any age.
    Three coefficients are fitted to them: an offset for all edits, an offset for edits with a known age, and a slope
    for the logarithm of the age. The average account adds 0, so an unknown age counts as the average. The encoder
    limits scaled values to ± `CLIP`; the scale is chosen so that the term is `BOUND` there.

    Raises:
        TrainingError: edits of new accounts are not reverted more often, so there is no such term.

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
def add_input(network: RevertRiskNetwork, weight: float) -> RevertRiskNetwork:
    """Return the network with one more additive input, at the end, which has the same weight in each member."""
    state = dict(network.state_dict())
    members, inputs = state["linear"].shape
    shape = NetworkShape(hidden=network.shape.hidden, members=members)
    known = None if network.words is None else network.words.num_embeddings
    grown = RevertRiskNetwork(inputs + 1, network.core_inputs, shape, known_ngrams=known)
    column = torch.full((members, 1), weight, dtype=torch.float64)
    state["linear"] = torch.cat([state["linear"], column], dim=1)
    grown.load_state_dict(state)
    return grown.eval()
