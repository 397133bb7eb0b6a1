"""The streams that our programs speak of to one another, and where a server says which one it writes to."""

from collections.abc import Mapping
from typing import Final

PAGE_CHANGE_STREAM: Final = "mediawiki.page_change.v1"
"""What wikis say of their edits, and what the shipped rules take."""
PREDICTION_STREAMS: Final[Mapping[str, str]] = {
    "revertrisk-language-agnostic": "mediawiki.page_revert_risk_prediction_change.v1",
    "revertrisk-multilingual": "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
}
"""The live stream of each shipped model's predictions, by the model's name."""
BACKFILL_SUFFIX: Final = ".backfill"
"""How the name of a stream ends that is for predictions of the past."""
ABOUT_PATH: Final = "/v1/about"
"""Where a server says which model it serves, and which stream it writes to."""
