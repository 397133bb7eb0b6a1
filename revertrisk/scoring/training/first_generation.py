"""Figures of version revertrisk-events-1 on the English edits of 2015, for the model cards of later versions.

They were measured with `evaluate_file` and the artefacts of that version, at its own thresholds, on all 14,979 edits.
That version was not trained on them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class EarlierFigures:
    """Figures of the first generation for one kind of author."""

    auc: str
    """With its 95 % interval."""
    flagged: tuple[float, float, float]
    """Of the edits that were not reverted, the shares above the thresholds for 1, 5 and 15 %."""


VERSION: Final = "revertrisk-events-1"
FIGURES_OF_2015: Final[Mapping[str, Mapping[str, EarlierFigures]]] = {
    "revertrisk-language-agnostic": {
        "anonymous": EarlierFigures("0.576 (0.552 to 0.601)", (0.0247, 0.2839, 0.7350)),
        "registered": EarlierFigures("0.521 (0.486 to 0.552)", (0.0052, 0.0188, 0.1976)),
        "age_under_1_day": EarlierFigures("0.487 (0.423 to 0.555)", (0.0122, 0.0305, 0.2622)),
        "age_under_30_days": EarlierFigures("0.588 (0.540 to 0.636)", (0.0047, 0.0212, 0.2082)),
        "age_30_days_to_1_year": EarlierFigures("0.526 (0.451 to 0.611)", (0.0049, 0.0186, 0.1968)),
        "age_1_year_or_more": EarlierFigures("0.493 (0.439 to 0.548)", (0.0053, 0.0186, 0.1968)),
    },
    "revertrisk-multilingual": {
        "anonymous": EarlierFigures("0.575 (0.550 to 0.600)", (0.0175, 0.3664, 0.9085)),
        "registered": EarlierFigures("0.525 (0.490 to 0.556)", (0.0018, 0.0165, 0.2204)),
        "age_under_1_day": EarlierFigures("0.493 (0.430 to 0.558)", (0.0061, 0.0244, 0.2774)),
        "age_under_30_days": EarlierFigures("0.591 (0.542 to 0.639)", (0.0024, 0.0141, 0.2176)),
        "age_30_days_to_1_year": EarlierFigures("0.533 (0.455 to 0.623)", (0.0008, 0.0154, 0.2178)),
        "age_1_year_or_more": EarlierFigures("0.494 (0.441 to 0.552)", (0.0018, 0.0168, 0.2210)),
    },
}
"""By model and kind of author."""
