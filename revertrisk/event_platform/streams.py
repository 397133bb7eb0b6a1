"""Names that our programs share: streams, a schema, and the fields of an event's ``meta``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from revertrisk.runtime.instants import parse_date_time

PAGE_CHANGE_STREAM: Final = "mediawiki.page_change.v1"
"""The stream of the wikis' edits, which the shipped rules read."""
PREDICTION_STREAMS: Final[Mapping[str, str]] = {
    "revertrisk-language-agnostic": "mediawiki.page_revert_risk_prediction_change.v1",
    "revertrisk-multilingual": "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
}
"""The live stream of each shipped model's predictions, by the model's name."""
BACKFILL_SUFFIX: Final = ".backfill"
"""The suffix of the name of a stream for backfilled predictions."""
SHADOW_SUFFIX: Final = ".shadow"
"""The suffix of the name of a stream for predictions of models on trial."""
ABOUT_PATH: Final = "/v1/about"
"""The path at which a server reports its model and its stream."""
PREDICTION_SCHEMA_TITLE: Final = "mediawiki/page/prediction_classification_change"
CANARY_DOMAIN: Final = "canary"
"""The domain of the synthetic events that are sent to each stream to show that it works (T251609)."""


def event_meta(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's ``meta``, or {} if it has none."""
    meta = event.get("meta")
    return meta if isinstance(meta, dict) else {}


def is_canary(event: Mapping[str, Any]) -> bool:
    """Return whether an event is a canary, which only shows that its stream works."""
    return event_meta(event).get("domain") == CANARY_DOMAIN


def received_at(event: Mapping[str, Any]) -> datetime | None:
    """Return when EventGate received an event (``meta.dt``), or None if that is missing or invalid."""
    written = event_meta(event).get("dt")
    try:
        return parse_date_time(written) if isinstance(written, str) else None
    except ValueError:
        return None
