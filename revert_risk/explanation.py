"""Why an edit has its score: what each fact added, and which changed places weighed most."""

from dataclasses import asdict, dataclass, field
from typing import Any

from revert_risk.prediction import Prediction
from revert_risk.spans import Span


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one fact about an edit added to its logit, compared with the average training edit."""

    name: str
    """A feature of `feature_table`, or ``inserted_text``, ``removed_text``, ``comment_text`` for words."""
    value: float | None
    """The feature's value; None where it is unknown, and for words."""
    amount: float


@dataclass(frozen=True, slots=True)
class WeighedSpan:
    """A changed place, and how much the logit would fall if the edit had left it as it was."""

    span: Span = field(repr=False)
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """A score taken apart. `base` and all contributions sum to `logit`; `prediction` is its sigmoid."""

    prediction: Prediction
    logit: float
    base: float
    """The logit of the average training edit, all facts known and no words."""
    contributions: tuple[Contribution, ...]
    """Largest amounts first, whatever their sign."""
    spans: tuple[WeighedSpan, ...]
    """Heaviest first. Weights of several places do not add up: they are taken away one at a time."""

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values; the spans hold text of the page."""
        return {
            "model_name": self.prediction.model_name,
            "model_version": self.prediction.model_version,
            "probability": self.prediction.probability,
            "logit": self.logit,
            "base": self.base,
            "contributions": [asdict(each) for each in self.contributions],
            "spans": [
                {
                    "start": each.span.start,
                    "end": each.span.end,
                    "removed": each.span.removed,
                    "inserted": each.span.inserted,
                    "weight": each.weight,
                }
                for each in self.spans
            ],
        }
