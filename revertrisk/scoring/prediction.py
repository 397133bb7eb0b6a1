"""What a model says about an edit, and what anything that scores edits must offer."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from revertrisk.scoring.revision import Revision

DECIMALS = 6
"""Probabilities are rounded to this many decimals before anything uses them: a repeated score is identical."""


_NAME = re.compile(r"[!-{}~]{1,128}")


def name_problem(value: str) -> str | None:
    """Say why a text cannot be the name or the version of a model, None if it can.

    It stands in log lines and in metrics' labels, and between bars in what an event's id is made of.
    """
    return None if _NAME.fullmatch(value) else "expected at most 128 visible ASCII characters, without |"


class NoProbabilityError(Exception):
    """A model gave something that is not a probability; it must not be published."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The probability that an edit will be reverted, with the model that says so."""

    probability: float
    """Between 0 and 1, rounded to `DECIMALS`."""
    model_name: str
    model_version: str
    decision: bool | None = None
    """The outcome that the model itself names; None for one that leaves it to the probability."""

    @classmethod
    def of(
        cls, probability: float, *, model_name: str, model_version: str, decision: bool | None = None
    ) -> "Prediction":
        """Round a probability into a prediction; raises NoProbabilityError unless it lies between 0 and 1."""
        if not (math.isfinite(probability) and 0.0 <= probability <= 1.0):
            raise NoProbabilityError(
                f"{model_name} {model_version}: expected a probability, got {probability!r}"
            )
        return cls(round(probability, DECIMALS), model_name, model_version, decision)

    @property
    def prediction(self) -> bool:
        """Whether a revert is predicted: what the model says, else the likelier outcome."""
        if self.decision is not None:
            return self.decision
        return self.probability > 0.5  # noqa: PLR2004 - the larger of two probabilities that sum to 1

    @property
    def probabilities(self) -> dict[str, float]:
        """Both outcomes' probabilities, which sum to 1, by the names that published events use."""
        return {"true": self.probability, "false": round(1.0 - self.probability, DECIMALS)}


class Classifier(Protocol):
    """A model that scores edits; production class and stand-ins alike."""

    @property
    def name(self) -> str:
        """The model's name, ``revertrisk-language-agnostic``."""

    @property
    def version(self) -> str:
        """The model's version, which changes whenever a score could."""

    def supports(self, wiki_id: str) -> bool:
        """Return whether the model was made for a wiki."""

    def score(self, revisions: Sequence[Revision]) -> list[Prediction]:
        """Score edits, in their order; raises NoProbabilityError for a score that is no probability."""
