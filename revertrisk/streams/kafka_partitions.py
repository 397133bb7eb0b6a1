"""The state of the partitions that are assigned to a member of a consumer group.

Two threads share it: the one that calls librdkafka, and the event loop, which yields records and reports finished ones.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from revertrisk.streams.base import Position

MAX_BUFFERED = 1000
MAX_BUFFERED_BYTES = 8 * 1024 * 1024
BATCH = 200
"""The most records in one fetch."""


@dataclass(frozen=True, slots=True)
class Buffered:
    """A message that waits. It is not parsed, since a parsed event takes several times the memory."""

    value: bytes | None = field(repr=False)
    """None: up to and including the position there is nothing to yield."""
    position: Position
    topic: str | None = None


_NEVER = -2
"""Before the first commit, and after a commit that failed. Not -1: that means that offset 0 was committed."""


@dataclass(slots=True)
class _Partition:
    """One partition. The fields are offsets of records; -1 is before the first record."""

    epoch: int
    """The number of this assignment: a record with another one was read in an earlier assignment of the partition."""
    yielded: int = -1
    done: int = -1
    empty_up_to: int = -1
    """Between the last yielded record and this offset there is no record to yield."""
    requested: int = _NEVER
    """The last offset whose commit was requested."""
    leaving: bool = False
    at_end: bool = False

    def settle(self) -> None:
        """Count offsets without a record as done, when all records before them are done."""
        if self.done >= self.yielded:
            self.done = max(self.done, self.empty_up_to)


class AssignedPartitions:
    """The assigned partitions, the records that wait to be yielded, and how far each partition is done."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[str, _Partition] = {}
        self._epochs = 0
        self._buffer: deque[Buffered] = deque()
        self._buffered_bytes = 0
        self._reading = True
        self._closing = False

    # The event loop calls these.

    def next_record(self) -> Buffered | None:
        """Return the oldest waiting record of an assigned partition; it then counts as in flight."""
        with self._changed:
            while self._buffer:
                record = self._buffer.popleft()
                self._buffered_bytes -= len(record.value or b"")
                # The reading thread waits for room for a batch, so it is woken once for a batch, not for each record.
                if len(self._buffer) % BATCH == 0:
                    self._changed.notify_all()
                held = self._of(record.position)
                if held is None or held.leaving:
                    continue
                if record.value is not None:
                    held.yielded = record.position.offset
                    return record
                held.empty_up_to = record.position.offset
                held.settle()
        return None

    def note_done(self, position: Position) -> None:
        """Record that everything up to a position is done, unless its partition is no longer assigned."""
        with self._changed:
            held = self._of(position)
            if held is not None:
                held.done = max(held.done, position.offset)
                held.settle()
                self._changed.notify_all()

    def stop_reading(self) -> None:
        """Drop the waiting records, and accept no more."""
        with self._changed:
            self._reading = False
            self._buffer.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """End all waits; :meth:`stop_reading` only drops the waiting records."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # librdkafka's thread calls these.

    @property
    def closing(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._closing

    @property
    def all_read(self) -> bool:
        """Whether partitions are assigned, each has been read to its end, and no record waits."""
        with self._changed:
            at_end = [held.at_end for held in self._held.values()]
            return bool(at_end) and all(at_end) and not self._buffer

    def assign(self, starts: Mapping[str, int | None]) -> None:
        """Add partitions with their start offsets; the first commit is the start offset itself.

        If the start offset is not known (None), nothing is committed before a record is done.
        """
        with self._changed:
            for name, start in starts.items():
                self._epochs += 1
                if start is None:
                    # Nothing is done yet (-1), so there is nothing to commit.
                    self._held[name] = _Partition(self._epochs, requested=-1)
                else:
                    self._held[name] = _Partition(self._epochs, yielded=start - 1, done=start - 1)

    def release(self, names: Iterable[str]) -> None:
        """Remove these partitions; discard records of them that arrive later."""
        with self._changed:
            for name in names:
                self._held.pop(name, None)

    def wait_until_idle(self, names: Iterable[str], timeout_s: float) -> bool:
        """Stop yielding records of these partitions; return whether all yielded ones are done in time."""
        with self._changed:
            leaving = [self._held[name] for name in names if name in self._held]
            for held in leaving:
                held.leaving = True
            return self._changed.wait_for(
                lambda: self._closing or all(held.done >= held.yielded for held in leaving), timeout_s
            )

    def wait_for_room(self, timeout_s: float) -> bool:
        """Wait until the buffer has room for a batch; return whether it has."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room() or self._closing, timeout_s)
            return self._has_room()

    def epoch(self, name: str) -> int | None:
        """Return the epoch of a partition that is assigned and read; None for any other."""
        held = self._held.get(name)
        return held.epoch if held is not None and self._reading else None

    def put(self, record: Buffered) -> None:
        """Add a record to the buffer."""
        with self._changed:
            held = self._of(record.position)
            if held is not None and self._reading:
                held.at_end = False
                self._buffer.append(record)
                self._buffered_bytes += len(record.value or b"")

    def note_end(self, name: str) -> None:
        """Record that a partition has been read to its present end."""
        with self._changed:
            if name in self._held:
                self._held[name].at_end = True

    def take_uncommitted(self) -> dict[str, int]:
        """Return the offset to commit (that of the next record) of each partition with newly finished records."""
        with self._changed:
            news = {name: held for name, held in self._held.items() if held.done > held.requested}
            for held in news.values():
                held.requested = held.done
            return {name: held.done + 1 for name, held in news.items()}

    def put_back_uncommitted(self, failed: Mapping[str, int]) -> None:
        """Let the next :meth:`take_uncommitted` return these partitions again."""
        with self._changed:
            for name in failed:
                if name in self._held:
                    self._held[name].requested = _NEVER

    def _of(self, position: Position) -> _Partition | None:
        held = self._held.get(position.partition)
        return held if held is not None and held.epoch == position.epoch else None

    def _has_room(self) -> bool:
        return (
            self._reading
            and len(self._buffer) <= MAX_BUFFERED - BATCH
            and self._buffered_bytes < MAX_BUFFERED_BYTES
        )
