"""Counts the predictions that are expected, those that arrived, and the retries."""

from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256
from typing import Any

import orjson

from revertrisk.dispatcher.outcome import Ending, Outcome

Key = tuple[str, str, int, str]
"""Model, wiki, revision and kind of change: what identifies a prediction here."""


class Arrival(Enum):
    """How a prediction on the stream compares with the earlier ones."""

    FIRST = auto()
    REPEATED = auto()
    """Identical to an earlier one."""
    DIFFERING = auto()
    """Has the key of an earlier one and another content, which is an error."""


class Tally:
    """Compares the dispatcher's outcomes with the predictions on the stream."""

    def __init__(self) -> None:
        self._due: set[Key] = set()
        self._sent: dict[Key, bytes] = {}
        self.retried = 0
        """Events that the dispatcher sent more than once."""
        self.retries = 0
        self.repeated = 0
        self.differing = 0

    def note_outcome(self, outcome: Outcome) -> None:
        """Count the outcome of an event."""
        if outcome.attempts > 1:
            self.retried += 1
            self.retries += outcome.attempts - 1
        is_due = outcome.ending in {Ending.PRODUCED, Ending.GIVEN_UP}
        if is_due and outcome.event is not None and outcome.rule is not None:
            self._due.add(key_of(outcome.event, outcome.rule))

    def note_accepted(self, event: Mapping[str, Any]) -> Arrival:
        """Count a prediction on the stream."""
        key = key_of(event, event["predicted_classification"]["model_name"])
        # EventGate sets the time of receipt, so it differs between copies.
        sent = sha256(orjson.dumps({**event, "meta": {**event["meta"], "dt": None}})).digest()
        first = self._sent.setdefault(key, sent)
        if first is sent:
            return Arrival.FIRST
        if first == sent:
            self.repeated += 1
            return Arrival.REPEATED
        self.differing += 1
        return Arrival.DIFFERING

    @property
    def due(self) -> int:
        """How many predictions are expected: one for each event that was sent and not skipped."""
        return len(self._due)

    @property
    def arrived(self) -> int:
        """How many of the expected predictions are on the stream, without duplicates."""
        return len(self._due & self._sent.keys())

    @property
    def lost(self) -> list[Key]:
        """The expected predictions that are not on the stream."""
        return sorted(self._due - self._sent.keys())


def key_of(event: Mapping[str, Any], model_name: str) -> Key:
    """Return the key of a model's prediction, from the prediction or from its page_change event."""
    return model_name, event["wiki_id"], event["revision"]["rev_id"], event["page_change_kind"]
