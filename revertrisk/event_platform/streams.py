"""The names that our programs have in common: of streams, of a schema, and of what stands in each event's ``meta``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from revertrisk.runtime.instants import parse_date_time

PAGE_CHANGE_STREAM: Final = "mediawiki.page_change.v1"
"""What wikis say of their edits, and what the shipped rules take."""
PREDICTION_STREAMS: Final[Mapping[str, str]] = {
    "revertrisk-language-agnostic": "mediawiki.page_revert_risk_prediction_change.v1",
    "revertrisk-multilingual": "mediawiki.page_revert_risk_multilingual_prediction_change.v1",
}
"""The live stream of each shipped model's predictions, by the model's name."""
BACKFILL_SUFFIX: Final = ".backfill"
"""How the name of a stream ends that is for predictions of the past."""
SHADOW_SUFFIX: Final = ".shadow"
"""How the name of a stream ends that is for predictions of models on trial."""
ABOUT_PATH: Final = "/v1/about"
"""Where a server says which model it serves, and which stream it writes to."""
PREDICTION_SCHEMA_TITLE: Final = "mediawiki/page/prediction_classification_change"
CANARY_DOMAIN: Final = "canary"
"""The domain of the synthetic events that keep each stream alive (T251609)."""


def event_meta(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event's ``meta``, an empty one where it has none."""
    meta = event.get("meta")
    return meta if isinstance(meta, dict) else {}


def is_canary(event: Mapping[str, Any]) -> bool:
    """Return whether an event only shows that its stream is alive."""
    return event_meta(event).get("domain") == CANARY_DOMAIN


def received_at(event: Mapping[str, Any]) -> datetime | None:
    """Return when EventGate took an event (``meta.dt``), None where it does not say so legibly."""
    written = event_meta(event).get("dt")
    try:
        return parse_date_time(written) if isinstance(written, str) else None
    except ValueError:
        return None
