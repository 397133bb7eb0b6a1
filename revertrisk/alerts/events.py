"""Reads the parts of an event that a watch uses: wiki, time, page, and the score of a prediction."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from revertrisk.event_platform.streams import (
    BACKFILL_SUFFIX,
    SHADOW_SUFFIX,
    event_meta,
    is_canary,
    received_at,
)

USER_NAMESPACES: Final = frozenset({2, 3})
_REVISIONS: Final = frozenset({"edit", "create"})


class Kind(StrEnum):
    """The kinds of events that a watch distinguishes."""

    EDIT = "edit"
    PREDICTION = "prediction"
    CANARY = "canary"
    DELETE = "delete"
    """A page was deleted; its title is no longer shown."""
    OTHER = "other"
    """Only its time is used."""


@dataclass(frozen=True, slots=True)
class Event:
    """The parts of an event that a watch uses."""

    kind: Kind
    at: float
    """``meta.dt`` in seconds of Unix time."""
    id: str
    """``meta.id``."""
    wiki_id: str = ""
    page_id: int = 0
    title: str = ""
    is_creation: bool = False
    model_version: str = ""
    probability: float = 0.0


def read_event(event: Mapping[str, Any], model_name: str) -> Event | None:  # noqa: PLR0911 - one for each kind
    """Return the used parts of a page_change or prediction event; None if it has no time.

    Of predictions by other models, of backfills (``.backfill``) and of models on trial (``.shadow``), only the time is
    used.
    """
    moment = received_at(event)
    if moment is None:
        return None
    at, event_id = moment.timestamp(), event_meta(event).get("id")
    event_id = event_id if isinstance(event_id, str) else ""
    if is_canary(event):
        return Event(Kind.CANARY, at, event_id)
    match event:
        case {
            "predicted_classification": {
                "model_name": str(name),
                "model_version": str(version),
                "probabilities": {"true": int() | float() as probability},
            },
            "wiki_id": str(wiki_id),
            "page": {"page_id": int(page_id), "page_title": str(title)} as page,
        } if name == model_name and _is_live(event):
            return Event(
                Kind.PREDICTION,
                at,
                event_id,
                wiki_id,
                page_id,
                _shown(page, title),
                model_version=version,
                probability=float(probability),
            )
        case {"predicted_classification": _}:
            return Event(Kind.OTHER, at, event_id)
        case {
            "page_change_kind": str(change),
            "wiki_id": str(wiki_id),
            "page": {"page_id": int(page_id), "page_title": str(title)} as page,
        }:
            if change == "delete":
                return Event(Kind.DELETE, at, event_id, wiki_id, page_id)
            kind = Kind.EDIT if change in _REVISIONS else Kind.OTHER
            return Event(
                kind, at, event_id, wiki_id, page_id, _shown(page, title), is_creation=change == "create"
            )
    return Event(Kind.OTHER, at, event_id)


def _shown(page: Mapping[str, Any], title: str) -> str:
    """Return the title; an empty one for user pages, whose titles are user names and IP addresses."""
    namespace_id = page.get("namespace_id", 0)
    return title if isinstance(namespace_id, int) and namespace_id not in USER_NAMESPACES else ""


def _is_live(event: Mapping[str, Any]) -> bool:
    stream = event_meta(event).get("stream")
    return not (isinstance(stream, str) and stream.endswith((BACKFILL_SUFFIX, SHADOW_SUFFIX)))
