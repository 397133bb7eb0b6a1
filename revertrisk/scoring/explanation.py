"""Why an edit has its score: what each fact added, and which changed places weighed most."""

from dataclasses import asdict, dataclass, field
from typing import Any, Protocol, runtime_checkable

from revertrisk.scoring.prediction import Prediction
from revertrisk.scoring.revision import Revision
from revertrisk.scoring.spans import Span

SPANS = 5
"""An explanation names at most this many changed places, those that weighed most."""
SHOWN_CHARACTERS = 500
"""Of the text of a place, so much is written out: one place may be a whole page."""


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
        """Return the reasons as JSON values, without the prediction itself.

        The spans hold text of the page, cut off after `SHOWN_CHARACTERS`, and nothing of the comment or author.
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
    """A model that can take its scores apart."""

    def explain(self, revision: Revision, *, spans: int = SPANS) -> Explanation:
        """Take the score of an edit apart; raises NoProbabilityError for a score that is no probability."""


def _shown(text: str) -> str:
    """Cut a text off, and replace lone surrogates, which no JSON can carry."""
    return text[:SHOWN_CHARACTERS].encode("utf-8", "replace").decode("utf-8")
