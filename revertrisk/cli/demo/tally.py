"""Count the predictions that are due, those that have arrived, and the retries that they took."""

from collections.abc import Mapping
from enum import Enum, auto
from hashlib import sha256
from typing import Any

import orjson

from revertrisk.dispatcher.outcome import Ending, Outcome

Key = tuple[str, str, int, str]
"""Model, wiki, revision and kind of change: what a prediction is about."""


class Arrival(Enum):
    """What a prediction on the stream is to those that came before it."""

    FIRST = auto()
    REPEATED = auto()
    """The same as an earlier one, byte for byte."""
    DIFFERING = auto()
    """About the same as an earlier one, and another: that must not be."""


class Tally:
    """Compares the dispatcher's outcomes with what it reads from the stream itself."""

    def __init__(self) -> None:
        self._due: set[Key] = set()
        self._sent: dict[Key, bytes] = {}
        self.retried = 0
        """Events that needed more than one try of the dispatcher."""
        self.retries = 0
        self.repeated = 0
        self.differing = 0

    def note_outcome(self, outcome: Outcome) -> None:
        """Take notice of what became of an event."""
        if outcome.attempts > 1:
            self.retried += 1
            self.retries += outcome.attempts - 1
        is_due = outcome.ending in {Ending.PRODUCED, Ending.GIVEN_UP}
        if is_due and outcome.event is not None and outcome.rule is not None:
            self._due.add(key_of(outcome.event, outcome.rule))

    def note_accepted(self, event: Mapping[str, Any]) -> Arrival:
        """Take notice of a prediction on the stream."""
        key = key_of(event, event["predicted_classification"]["model_name"])
        # The gate stamps each copy with the time at which it came.
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
        """How many predictions must be on the stream: one for each event that was not skipped for a reason."""
        return len(self._due)

    @property
    def arrived(self) -> int:
        """How many of them are, duplicates apart."""
        return len(self._due & self._sent.keys())

    @property
    def lost(self) -> list[Key]:
        """Those that are due and not there."""
        return sorted(self._due - self._sent.keys())


def key_of(event: Mapping[str, Any], model_name: str) -> Key:
    """Return what a model's prediction of a page_change event, or a prediction itself, is about."""
    return model_name, event["wiki_id"], event["revision"]["rev_id"], event["page_change_kind"]
