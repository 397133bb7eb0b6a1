"""The read position of one client in the topics that it reads.

A reader holds positions and no events, so a slow client costs no memory. It misses events that the store drops
before it reads them.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, Final, Literal

from mock_eventgate.gate import Gate
from mock_eventgate.positions import END, StreamPosition
from mock_eventgate.store import PARTITION, ProducedEvent

EventIds = Literal["offset", "timestamp"]
_STEP: Final = 1000


class TopicReader:
    """Reads some topics from given positions.

    With ``event_ids="timestamp"`` its event ids are those of EventStreams, which name the millisecond after the
    last event. They hold in every data centre, but a client that resumes misses other events of the same
    millisecond. With ``"offset"`` it misses none.
    """

    def __init__(self, gate: Gate, positions: Iterable[StreamPosition], event_ids: EventIds) -> None:
        self._gate = gate
        self._store = gate.store
        self._event_ids = event_ids
        self._sequence = 0
        self._first_offsets: dict[str, int] = {}
        self._places: dict[tuple[str, int], dict[str, Any]] = {}
        for position in positions:
            self._begin(position)
        if all(first == self._store.end_offset(topic) for topic, first in self._first_offsets.items()):
            self._sequence = self._store.produced.next_sequence - 1  # all start at the end: skip older events

    @property
    def is_at_end(self) -> bool:
        """Whether all stored events have been read."""
        return self._store is self._gate.store and self._sequence >= self._store.produced.next_sequence - 1

    def read(self) -> Iterator[tuple[ProducedEvent, list[dict[str, Any]]]]:
        """Yield some of the next events, each with its event id; a limited number, so that other tasks can run."""
        if self._store is not self._gate.store:
            self._begin_again()
        for event in islice(self._store.produced.after(self._sequence), _STEP):
            self._sequence = event.sequence
            if event.offset >= self._first_offsets.get(event.topic, event.offset + 1):
                yield event, self._event_id(event)

    def _begin(self, position: StreamPosition) -> None:
        topic, partition, offset = position.topic, position.partition, position.offset or 0
        end = self._store.end_offset(topic)
        # An offset beyond the end is out of range, for which Kafka's reset policy starts at the end.
        first = end if offset == END or offset > end else max(offset, 0)
        if partition == PARTITION:
            self._first_offsets[topic] = first
        shown = offset if self._event_ids == "timestamp" else first
        self._places[topic, partition] = StreamPosition(topic, partition, offset=shown).as_json()

    def _begin_again(self) -> None:
        """Continue with a store that was emptied and whose offsets start at 0 again."""
        self._store = self._gate.store
        self._sequence = 0
        self._first_offsets = dict.fromkeys(self._first_offsets, 0)

    def _event_id(self, event: ProducedEvent) -> list[dict[str, Any]]:
        place = (
            StreamPosition(event.topic, PARTITION, timestamp=event.timestamp + 1)
            if self._event_ids == "timestamp"
            else StreamPosition(event.topic, PARTITION, offset=event.offset + 1)
        )
        self._places[event.topic, PARTITION] = place.as_json()
        return list(self._places.values())
