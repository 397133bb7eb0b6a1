"""The settings of a watch, and their defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from revertrisk.alerts.threshold import LEAST_BUDGET_DAYS, MOST_BUDGET_DAYS

DEFAULT_BUDGET_DAYS: Final = 14.0
DEFAULT_THRESHOLD: Final = 0.87
DEFAULT_MODEL: Final = "revertrisk-language-agnostic"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """What is watched, and how many false starts are allowed."""

    wikis: frozenset[str] | None = None
    """None for all wikis."""
    budget_days: float = DEFAULT_BUDGET_DAYS
    """The days per false start, over everything that is watched."""
    threshold: float = DEFAULT_THRESHOLD
    """A prediction with a higher probability is high-risk."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """The thresholds of wikis with one of their own."""
    model_name: str = DEFAULT_MODEL
    """The model whose predictions are watched."""
    receivers: tuple[str, ...] = ()
    """The names of the receivers of messages."""

    def __post_init__(self) -> None:
        """Refuse a budget that no threshold can keep; raises ValueError."""
        least = LEAST_BUDGET_DAYS / max(1, len(self.wikis or ()))
        if self.budget_days > MOST_BUDGET_DAYS:
            raise ValueError(f"budget-days: expected at most {MOST_BUDGET_DAYS:,.0f}")
        if not self.budget_days >= least:
            raise ValueError(
                f"budget-days: expected at least {least:g}: thresholds come from the tail of daily maxima, which needs "
                f"{LEAST_BUDGET_DAYS:g} days per false start for each series"
            )

    def includes(self, wiki_id: str) -> bool:
        """Return whether a wiki is watched."""
        return self.wikis is None or wiki_id in self.wikis

    def is_high_risk(self, wiki_id: str, probability: float) -> bool:
        """Return whether a prediction is high-risk."""
        return probability > self.thresholds.get(wiki_id, self.threshold)

    def scoring(self) -> list[Any]:
        """Return the settings that decide which predictions are high-risk, as JSON can hold them."""
        return [self.model_name, self.threshold, dict(sorted(self.thresholds.items()))]
