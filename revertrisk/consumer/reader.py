"""Reads a prediction from an event, or the reason why there is none."""

import re
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Any, Final

from revertrisk.consumer.prediction import PredictionRecord
from revertrisk.event_platform.schemas import EventValidator, SchemaRepository
from revertrisk.event_platform.streams import PREDICTION_SCHEMA_TITLE, is_canary
from revertrisk.runtime.instants import parse_date_time

PREDICTION_SCHEMA: Final = re.compile(rf"/{PREDICTION_SCHEMA_TITLE}/1(?:\.[0-9]+\.[0-9]+)?")
"""Any schema of major version 1: minor versions only add fields (STREAM.md). Each major version has its own stream."""


class Drop(StrEnum):
    """Why a delivery is not a new prediction. The set is closed, and each reason is counted."""

    CANARY = "canary"
    """A synthetic event that shows that the stream works."""
    OTHER_SCHEMA = "other_schema"
    """Another kind of event, or a major version that this reader does not support."""
    INVALID = "invalid"
    """It is not a valid prediction event, though its ``$schema`` may say so."""
    DUPLICATE = "duplicate"
    """The prediction was delivered before."""


class PredictionReader:
    """Reads prediction events of any schema version 1.x; it keeps no state between events."""

    def __init__(self) -> None:
        self._contract = EventValidator(
            SchemaRepository(files("revertrisk.consumer")).load("/reading_contract")
        )

    def read(self, event: Any) -> PredictionRecord | Drop:
        """Return the prediction in an event, or the reason why there is none; it never raises for an invalid event.

        It does not find duplicates, which takes other events: the consumer does.
        """
        if not isinstance(event, Mapping):
            return Drop.INVALID
        if is_canary(event):
            return Drop.CANARY
        schema = event.get("$schema")
        if not isinstance(schema, str) or PREDICTION_SCHEMA.fullmatch(schema) is None:
            return Drop.OTHER_SCHEMA
        if not self._contract.is_valid(event):
            return Drop.INVALID
        return _prediction(event)


def _prediction(event: Mapping[str, Any]) -> PredictionRecord:
    meta, predicted = event["meta"], event["predicted_classification"]
    return PredictionRecord(
        stream=meta["stream"],
        event_id=meta["id"],
        request_id=meta.get("request_id"),
        wiki_id=event["wiki_id"],
        page_id=int(event["page"]["page_id"]),  # 1.0 is an integer in JSON
        rev_id=int(event["revision"]["rev_id"]),
        page_change_kind=event["page_change_kind"],
        model_name=predicted["model_name"],
        model_version=predicted["model_version"],
        probability=float(predicted["probabilities"]["true"]),
        changed_at=parse_date_time(event["dt"]),
        received_at=parse_date_time(meta["dt"]),
    )
