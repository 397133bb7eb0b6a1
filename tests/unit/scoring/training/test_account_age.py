"""The account's age: a slope that a simulation knows, and a bound that no age leaves."""

from datetime import timedelta

import numpy as np
import pytest
import torch

from revertrisk.scoring.artifact import NetworkShape, shipped
from revertrisk.scoring.classifier import TorchClassifier
from revertrisk.scoring.encoding import Encoder
from revertrisk.scoring.features import Features, extract
from revertrisk.scoring.network import RevertRiskNetwork
from revertrisk.scoring.revision import User
from revertrisk.scoring.training.account_age import BOUND, add_input, fit_term
from revertrisk.scoring.training.examples import Example, TrainingError
from revertrisk.wiki.user_kinds import UserKind
from tests.fakes.edits import SAVED, edit

SLOPE = 0.4


def simulated(number: int, slope: float, seed: int = 0) -> tuple[np.ndarray, list[Example]]:
    """Return logits, and edits of which those of young accounts are reverted more often than the logits say."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(-1, 1, number)
    days = np.exp(generator.uniform(0, 9, number)) - 1
    anonymous = generator.random(number) < 0.2
    shifted = logits + np.where(anonymous, 0.0, 2.0 - slope * np.log1p(days))
    labels = generator.random(number) < 1 / (1 + np.exp(-shifted))
    examples = [
        Example(
            features=Features({"user_age": None if is_anonymous else float(age)}, 0),
            label=bool(label),
            page=str(place),
            user=None,
            wiki_id="enwiki",
            is_anonymous=bool(is_anonymous),
        )
        for place, (age, is_anonymous, label) in enumerate(zip(days, anonymous, labels, strict=True))
    ]
    return logits, examples


def test_the_slope_is_that_of_the_simulation() -> None:
    """Between its bounds the term falls with the logarithm of the age as the edits were made to."""
    scale, weight = fit_term(*simulated(40_000, SLOPE))
    assert -weight / scale.deviation == pytest.approx(SLOPE, rel=0.05)
    assert scale.mean == pytest.approx(4.5, rel=0.02)


@pytest.mark.parametrize("slope", [0.01, SLOPE, 3.0])
def test_no_age_leaves_the_bound_and_an_unknown_one_adds_nothing(slope: float) -> None:
    """However steep the ages speak, the logit moves by the bound at most."""
    scale, weight = fit_term(*simulated(5_000, slope, seed=1))
    ages = [0.0, 0.5, 30.0, 900.0, 9_000.0, 1e9]
    encoder = Encoder((), (scale,))
    values = encoder.encode([Features({"user_age": age}, 0) for age in (*ages, None)]) * weight
    assert np.abs(values).max() <= BOUND + 1e-12
    assert values[-1] == 0
    assert (np.diff(values[:-1, 0]) <= 0).all()


def test_ages_that_speak_for_new_accounts_are_no_term() -> None:
    """A file in which new accounts are reverted less often is refused: something is wrong with it."""
    with pytest.raises(TrainingError, match="edits of new accounts are reverted more often"):
        fit_term(*simulated(5_000, -0.4))


def test_a_network_gains_an_input_that_only_adds() -> None:
    """The logit moves by the weight times the new input, and the rest of the network stays."""
    torch.manual_seed(0)
    network = RevertRiskNetwork(4, 4, NetworkShape(hidden=3, members=2), known_ngrams=None).eval()
    inputs = torch.randn(5, 4, dtype=torch.float64)
    extra = torch.randn(5, 1, dtype=torch.float64)
    with torch.inference_mode():
        found = add_input(network, -0.2)(torch.cat([inputs, extra], dim=1))
        assert torch.allclose(found, network(inputs) - 0.2 * extra[:, 0], atol=1e-12)


@pytest.mark.parametrize("name", ["revertrisk-language-agnostic", "revertrisk-multilingual"])
def test_the_shipped_models_keep_the_bound(name: str) -> None:
    """Of one edit by accounts of any age, none scores further from that of an unknown age than the bound allows."""
    classifier = TorchClassifier.load(shipped(name))

    def logit(days: float | None) -> float:
        registered = None if days is None else SAVED - timedelta(days=days)
        user = User(kind=UserKind.REGISTERED, registered_at=registered, groups=frozenset(), is_bot=False)
        return classifier.explain(edit("The mill.", "The old mill.", user=user), spans=0).logit

    unknown = logit(None)
    found = [logit(days) - unknown for days in (0, 1, 10, 100, 1_000, 9_000)]
    assert max(map(abs, found)) <= BOUND + 1e-9
    assert found == sorted(found, reverse=True)
    assert found[0] > 0 > found[-1]


def test_only_registered_accounts_have_an_age() -> None:
    """A temporary account is made for an edit: its age is the author's no more than an address's."""
    born = SAVED - timedelta(hours=1)
    for kind in (UserKind.TEMPORARY, UserKind.IP):
        features = extract(edit("a", "b", user=User(kind=kind, registered_at=born, edit_count=3)))
        assert features.values["user_age"] is None
        assert features.values["user_edit_count"] is None
        assert features.values["user_is_privileged"] == 0
