"""Prediction events as they come from EventStreams."""

from typing import Any

Event = dict[str, Any]
MODEL = "revertrisk-language-agnostic"


def make_event(**changes: Any) -> Event:
    """Make a valid prediction event; ``meta__id="x"`` replaces a field, None takes it out."""
    event: Event = {
        "$schema": "/mediawiki/page/prediction_classification_change/1.3.0",
        "meta": {
            "stream": "mediawiki.page_revert_risk_prediction_change.v1",
            "id": "5b2a7e0c-7d3f-5a57-8f0e-3b1f9a3c1d10",
            "request_id": "0f4d7c52-4e0c-4a7b-9a39-5a8f6a5b9a11",
            "domain": "nn.wikipedia.org",
            "dt": "2026-01-31T12:00:01.250Z",
        },
        "wiki_id": "nnwiki",
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2026-01-31T12:00:00Z",
        "page": {"page_id": 12, "page_title": "Fjell", "namespace_id": 0, "is_redirect": False},
        "revision": {"rev_id": 345, "rev_dt": "2026-01-31T12:00:00Z", "comment": "retta"},
        "performer": {"user_text": "Eva"},
        "predicted_classification": {
            "model_name": MODEL,
            "model_version": "revertrisk-events-1",
            "predictions": ["false"],
            "probabilities": {"true": 0.25, "false": 0.75},
        },
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        target = event
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[name]
        else:
            target[name] = value
    return event


def hidden(rev_id: int, dt: str = "2026-02-01T00:00:00Z", **visible: bool) -> Event:
    """Make an event of ``mediawiki.revision-visibility-change``: what is not named is visible."""
    return {
        "$schema": "/mediawiki/revision/visibility-change/2.0.0",
        "meta": {"stream": "mediawiki.revision-visibility-change", "domain": "nn.wikipedia.org", "dt": dt},
        "database": "nnwiki",
        "page_id": 12,
        "rev_id": rev_id,
        "visibility": {"text": True, "user": True, "comment": True} | visible,
        "prior_state": {"visibility": {"text": True, "user": True, "comment": True}},
    }
