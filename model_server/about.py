"""What a server says of itself on ``GET /v1/about``: which model it serves, and which stream it writes to.

``revertrisk backfill`` asks before it sends anything, and refuses a server that writes to a live stream.
"""

from collections.abc import Callable
from typing import Any

from model_server.settings import Settings
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.wiki.table import WikiTable


def about(
    settings: Settings, model: tuple[str, str], wikis: WikiTable, supports: Callable[[str], bool]
) -> dict[str, Any]:
    """Return the document; ``model`` is a name and a version, ``stream`` None on a server that only scores."""
    return {
        "model_name": model[0],
        "model_version": model[1],
        "stream": settings.eventgate_stream,
        "schema": PREDICTION_SCHEMA,
        "lenient": settings.lenient_events,
        "max_revision_bytes": settings.max_revision_bytes,
        "wikis": sorted(wiki.wiki_id for wiki in wikis if wiki.is_scorable and supports(wiki.wiki_id)),
    }
