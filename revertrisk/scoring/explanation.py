"""Explanations of a score: what each feature added to it, and which changed places had the largest effect."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.spans import Span

SPANS = 5
"""The largest number of changed places in an explanation: those with the largest weights."""
SHOWN_CHARACTERS = 500
"""The text of a changed place is cut off after this number of characters: one place may be a whole page."""


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one feature of an edit added to its logit, compared with the average training edit."""

    name: str
    """A feature of `feature_table`; or ``inserted_text``, ``removed_text`` or ``comment_text`` for words."""
    value: float | None
    """The value of the feature; None if it is unknown, and for words."""
    amount: float


@dataclass(frozen=True, slots=True)
class WeightedSpan:
    """A changed place, and by how much the logit would fall if the edit had not changed it."""

    span: Span = field(repr=False)
    weight: float


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons for a score. `base` and all contributions sum to `logit`; `prediction` is its sigmoid."""

    prediction: Prediction
    logit: float
    base: float
    """The logit of the average training edit, with all features known and no words."""
    contributions: tuple[Contribution, ...]
    """In falling order of the absolute amount."""
    spans: tuple[WeightedSpan, ...]
    """In falling order of the weight. Each place is undone by itself, so the weights do not sum to the logit."""

    def to_json(self) -> dict[str, Any]:
        """Return the explanation as JSON values, without the prediction.

        The spans have text of the page, cut off after `SHOWN_CHARACTERS`. An explanation has no text of the comment
        and no user name.
        """
        return {
            "logit": self.logit,
            "base": self.base,
            "contributions": [asdict(each) for each in self.contributions],
            "spans": [
                {
                    "start": each.span.start,
                    "end": each.span.end,
                    "removed": _shown(each.span.removed),
                    "removed_length": len(each.span.removed),
                    "inserted": _shown(each.span.inserted),
                    "weight": each.weight,
                }
                for each in self.spans
            ],
        }


@runtime_checkable
class Explainer(Protocol):
    """A model that can explain its scores."""

    def explain(self, revision: Revision, *, spans: int = SPANS) -> Explanation:
        """Explain the score of an edit; raises NoProbabilityError for a score that is not a probability."""


def _shown(text: str) -> str:
    """Cut a text off, and replace lone surrogates, which JSON cannot contain."""
    return text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
