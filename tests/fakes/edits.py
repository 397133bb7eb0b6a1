"""Edits to score, made of the texts before and after them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from revertrisk.scoring.revision import Page, ParentRevision, Revision, User

SAVED = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def edit(old: str, new: str, **facts: Any) -> Revision:
    """Return an edit of an article, nine days after its parent; ``facts`` are other fields of it."""
    known: dict[str, Any] = {
        "wiki_id": "enwiki",
        "language": "en",
        "rev_id": 2,
        "timestamp": SAVED,
        "text": new,
        "parent": ParentRevision(rev_id=1, timestamp=SAVED - timedelta(days=9), text=old),
        "page": Page(page_id=1, title="Lauterbach", namespace_id=0),
        "user": User(),
    }
    return Revision(**known | facts)
