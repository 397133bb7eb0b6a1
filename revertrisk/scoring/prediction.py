"""The prediction of a model, and the interface of everything that scores edits."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from revertrisk.scoring.revision import Revision

DECIMALS = 6
"""Probabilities are rounded to this number of decimals before they are used, so that a repeated score is identical."""


_NAME = re.compile(r"[!-{}~]{1,128}")


def name_problem(value: str) -> str | None:
    """Return why a text cannot be the name or the version of a model; None if it can.

    Both are written to log lines and labels of metrics. An event's id is made of them too, separated by ``|``.
    """
    return None if _NAME.fullmatch(value) else "expected at most 128 visible ASCII characters, without |"


class NoProbabilityError(Exception):
    """A model returned a number that is not a probability. It must not be published."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The probability that an edit will be reverted, with the name and version of the model."""

    probability: float
    """Between 0 and 1, rounded to `DECIMALS`."""
    model_name: str
    model_version: str
    decision: bool | None = None
    """The decision of a model that makes one itself; None if the probability decides."""

    @classmethod
    def of(
        cls, probability: float, *, model_name: str, model_version: str, decision: bool | None = None
    ) -> "Prediction":
        """Round a probability, and return its prediction; raises NoProbabilityError unless it is from 0 to 1."""
        if not (math.isfinite(probability) and 0.0 <= probability <= 1.0):
            raise NoProbabilityError(
                f"{model_name} {model_version}: expected a probability, got {probability!r}"
            )
        return cls(round(probability, DECIMALS), model_name, model_version, decision)

    @property
    def is_revert_predicted(self) -> bool:
        """Whether a revert is predicted: the decision of the model, otherwise the more probable outcome."""
        if self.decision is not None:
            return self.decision
        return self.probability > 0.5  # noqa: PLR2004 - the larger of two probabilities that sum to 1

    @property
    def probabilities(self) -> dict[str, float]:
        """The probabilities of both outcomes, which sum to 1, by the names in published events."""
        return {"true": self.probability, "false": round(1.0 - self.probability, DECIMALS)}


class Classifier(Protocol):
    """A model that scores edits."""

    @property
    def name(self) -> str:
        """The model's name, ``revertrisk-language-agnostic``."""

    @property
    def version(self) -> str:
        """The model's version. It changes with every change that may change a score."""

    def supports(self, wiki_id: str) -> bool:
        """Return whether the model supports a wiki."""

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        """Score edits, in their order; raises NoProbabilityError for a score that is not a probability."""
