"""Builds ``mediawiki/page/prediction_classification_change`` events.

Only the fields that the pinned schema names are copied to the outgoing event. So a new upstream field never breaks
validation, and a missing optional field is absent.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from revertrisk.event_platform.page_change import PageChange
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository, Violation
from revertrisk.event_platform.streams import PREDICTION_SCHEMA_TITLE

PREDICTION_SCHEMA = f"/{PREDICTION_SCHEMA_TITLE}/1.3.0"

EVENT_NAMESPACE = uuid.UUID("45e2b590-54d0-4387-8fc2-90681a7cfce2")
"""The namespace of every ``meta.id``. It must never change, since every id would change with it."""

_NOT_COPIED = frozenset({"$schema", "meta", "predicted_classification"})
_HIDDEN_BY_PRODUCERS = frozenset({"revert"})
"""The revision's ``revert`` object is ground truth about *other* edits, so producers of predictions leave it out."""

Copier = Callable[[Any], Any]


class UnbuildableEventError(ValueError):
    """The built event violates its own schema, so it must not be sent. This is a bug."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        super().__init__("; ".join(f"{found.pointer} {found.message}" for found in violations))
        self.violations = violations


@dataclass(frozen=True, slots=True)
class PredictedClassification:
    """The model's prediction."""

    model_name: str
    model_version: str
    prediction: bool
    probability: float
    """The probability of class ``true``, rounded to 6 decimals."""

    def as_fields(self) -> dict[str, Any]:
        """Return the event's ``predicted_classification``; class names are the strings ``true`` and ``false``."""
        return {
            "model_name": self.model_name,
            "model_version": self.model_version,
            "predictions": ["true" if self.prediction else "false"],
            "probabilities": {"true": self.probability, "false": round(1 - self.probability, 6)},
        }


@dataclass(frozen=True, slots=True)
class Redactions:
    """The parts that the API hides; they are removed even if the event has them."""

    user: bool = False
    comment: bool = False
    parent_user: bool = False
    parent_comment: bool = False


def event_id(stream: str, change: PageChange, model_name: str, model_version: str) -> str:
    """Return the deterministic ``meta.id`` of a prediction: the same input always gives the same id."""
    name = f"{stream}|{change.identity}|{model_name}|{model_version}"
    return str(uuid.uuid5(EVENT_NAMESPACE, name))


class PredictionEventBuilder:
    """Builds and validates prediction events for one stream."""

    def __init__(self, repository: SchemaRepository, stream: str) -> None:
        schema = repository.load(PREDICTION_SCHEMA)
        self._validator = EventValidator(schema)
        self._stream = stream
        self._copiers = {
            name: _copier(subschema)
            for name, subschema in schema["properties"].items()
            if name not in _NOT_COPIED
        }

    def build(
        self, change: PageChange, predicted: PredictedClassification, redactions: Redactions = Redactions()
    ) -> dict[str, Any]:
        """Return the prediction event of a page_change event, valid by EventGate's rules.

        EventGate sets ``meta.dt``.

        Raises:
            UnbuildableEventError: the event violates its own schema.

        """
        event: dict[str, Any] = {
            "$schema": PREDICTION_SCHEMA,
            "meta": self._meta(change, predicted),
        }
        source = change.event
        for name, copier in self._copiers.items():
            if name in source:
                event[name] = source[name] if copier is None else copier(source[name])
        event["predicted_classification"] = predicted.as_fields()
        _redact(event, redactions)
        if not self._validator.is_valid(event):
            raise UnbuildableEventError(tuple(self._validator.violations(event)))
        return event

    def _meta(self, change: PageChange, predicted: PredictedClassification) -> dict[str, Any]:
        source = change.event["meta"]
        meta = {name: source[name] for name in ("domain", "uri") if name in source}
        meta["stream"] = self._stream
        meta["id"] = event_id(self._stream, change, predicted.model_name, predicted.model_version)
        # Without a request id, EventGate would set a new one on every retry.
        meta["request_id"] = change.request_id or meta["id"]
        return meta


def _copier(schema: Mapping[str, Any]) -> Copier | None:
    """Return a function that copies the properties in a (sub)schema, or None if it has none."""
    if "properties" not in schema:
        return None
    properties = {
        name: _copier(subschema)
        for name, subschema in schema["properties"].items()
        if name not in _HIDDEN_BY_PRODUCERS
    }
    names = frozenset(properties)
    parts = tuple((name, copier) for name, copier in properties.items() if copier is not None)

    def copy(source: Mapping[str, Any]) -> dict[str, Any]:
        copied = dict(source)
        if not names.issuperset(copied):  # most entities have only fields of the schema
            for name in copied.keys() - names:
                del copied[name]
        for name, copy_part in parts:
            if name in copied:
                copied[name] = copy_part(copied[name])
        return copied

    return copy


def _redact(event: dict[str, Any], redactions: Redactions) -> None:
    """Remove from a built event the parts that the API hides, and those that the source event marks as hidden."""
    revision = event["revision"]
    author = revision.get("editor", {}).get("user_text")
    user, comment = _strip(revision, user=redactions.user, comment=redactions.comment)
    # The author's name is also in `performer`, and her comment in `comment`. For an undelete those two are of the
    # administrator who restored the page, and stay, unless the administrator is the hidden author.
    is_undelete = event["page_change_kind"] == "undelete"
    if user and not (is_undelete and event.get("performer", {}).get("user_text") != author):
        event.pop("performer", None)
    if comment and not is_undelete:
        event.pop("comment", None)
    prior = event.get("prior_state", {}).get("revision")
    if prior is not None:
        is_parent = prior.get("rev_id") == revision.get("rev_parent_id")
        _strip(
            prior,
            user=is_parent and redactions.parent_user,
            comment=is_parent and redactions.parent_comment,
        )


def _strip(revision: dict[str, Any], *, user: bool, comment: bool) -> tuple[bool, bool]:
    """Remove a hidden editor and a hidden comment from a revision; return whether they are hidden."""
    user = user or revision.get("is_editor_visible") is False
    comment = comment or revision.get("is_comment_visible") is False
    if user and revision.pop("editor", None) is not None:
        revision["is_editor_visible"] = False
    if comment and revision.pop("comment", None) is not None:
        revision["is_comment_visible"] = False
    return user, comment
