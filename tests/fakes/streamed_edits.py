"""What the streams bring of one edit after another: its prediction, its page_change event, its revert, its hiding."""

from datetime import UTC, datetime, timedelta
from typing import Any

from revertrisk.event_platform.streams import PAGE_CHANGE_STREAM, PREDICTION_STREAMS
from revertrisk.runtime.instants import iso_z

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AGNOSTIC, MULTILINGUAL = PREDICTION_STREAMS


def scored(
    rev_id: int,
    risk: float,
    *,
    wiki_id: str = "enwiki",
    page_id: int = 7,
    title: str = "Lake_Verrin",
    model: str = AGNOSTIC,
    version: str = "v7",
    at: datetime = NOW,
    received: datetime | None = None,
    suffix: str = "",
    **revision: Any,
) -> dict[str, Any]:
    """Return the prediction of an edit that was made ``at`` a time, by an editor who must not be shown."""
    return {
        "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "meta": _meta(
            PREDICTION_STREAMS.get(model, model) + suffix, received or at, f"{rev_id}-{model}-{version}"
        ),
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": iso_z(at),
        "wiki_id": wiki_id,
        "page": {"page_id": page_id, "page_title": title, "namespace_id": 0, "is_redirect": False},
        "performer": EDITOR,
        "revision": {
            "rev_id": rev_id,
            "rev_dt": iso_z(at),
            "rev_parent_id": rev_id - 1,
            "comment": "an edit summary",
            "editor": EDITOR,
        }
        | revision,
        "predicted_classification": {
            "model_name": model,
            "model_version": version,
            "predictions": ["true" if risk >= 0.5 else "false"],
            "probabilities": {"true": risk, "false": round(1 - risk, 6)},
        },
    }


EDITOR = {"user_text": "Exempelsson", "user_id": 12, "is_bot": False, "is_temp": False}
BOT = {"user_text": "A bot", "user_id": 13, "is_bot": True, "is_temp": False}
PERSONAL = ("Exempelsson", "an edit summary", "A bot")


def page_changed(
    rev_id: int,
    *,
    kind: str = "edit",
    wiki_id: str = "enwiki",
    page_id: int = 7,
    title: str = "Lake_Verrin",
    undoes: tuple[int, int] | None = None,
    editor: dict[str, Any] = EDITOR,
    at: datetime = NOW + timedelta(seconds=30),
    **revision: Any,
) -> dict[str, Any]:
    """Return a page_change event; ``undoes`` are the oldest and the newest revision that the edit reverts."""
    facts: dict[str, Any] = {"rev_id": rev_id, "rev_dt": iso_z(at), "editor": editor} | revision
    if undoes is not None:
        facts["revert"] = {
            "method": "rollback",
            "is_exact": True,
            "rev_original_id": undoes[0] - 1,
            "rev_reverted_oldest_id": undoes[0],
            "rev_reverted_newest_id": undoes[1],
        }
    return {
        "$schema": "/mediawiki/page/change/1.12.0",
        "meta": _meta(PAGE_CHANGE_STREAM, at, f"{rev_id}-{kind}"),
        "changelog_kind": {"delete": "delete", "undelete": "insert"}.get(kind, "update"),
        "page_change_kind": kind,
        "dt": iso_z(at),
        "wiki_id": wiki_id,
        "page": {"page_id": page_id, "page_title": title, "namespace_id": 0, "is_redirect": False},
        "performer": editor,
        "revision": facts,
    }


def visibility_changed(
    rev_id: int,
    *,
    wiki_id: str = "enwiki",
    text: bool = True,
    user: bool = True,
    at: datetime = NOW + timedelta(seconds=40),
) -> dict[str, Any]:
    """Return the event that says which parts of an old revision can be seen."""
    return {
        "$schema": "/mediawiki/revision/visibility-change/1.1.0",
        "meta": _meta("mediawiki.revision-visibility-change", at, f"{rev_id}-visibility"),
        "database": wiki_id,
        "page_id": 7,
        "page_title": "Lake_Verrin",
        "rev_id": rev_id,
        "visibility": {"text": text, "user": user, "comment": True},
    }


def _meta(stream: str, at: datetime, name: str) -> dict[str, Any]:
    return {"stream": stream, "id": name, "domain": "en.wikipedia.org", "dt": iso_z(at)}
