"""What a member of a consumer group remembers of the partitions that are its own at the moment.

Two threads meet here: the one that asks Kafka, and the event loop that hands records out and says what is done.
"""

import threading
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from revertrisk.streams.base import Position

MAX_BUFFERED = 1000
MAX_BUFFERED_BYTES = 8 * 1024 * 1024
BATCH = 200
"""Records brought at once."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A message as it came: it is parsed when its turn has come, since an event takes several times its text."""

    value: bytes | None = field(repr=False)
    """None where there is nothing to hand out, up to and including its position."""
    position: Position


_NEVER = -2
"""Not even of the beginning, which is what -1 stands for where that is offset 0."""


@dataclass(slots=True)
class _Held:
    """One partition; offsets are of records, -1 stands for none."""

    epoch: int
    yielded: int = -1
    done: int = -1
    passed: int = -1
    """Behind what was handed out: how far there is nothing to hand out."""
    asked: int = _NEVER
    """The last one whose commit the brokers were asked for."""
    leaving: bool = False
    at_end: bool = False

    def settle(self) -> None:
        """Count as done what there is nothing to do for, once all before it is done."""
        if self.done >= self.yielded:
            self.done = max(self.done, self.passed)


class HeldPartitions:
    """The partitions held, the records that wait for their turn, and how far each partition is done."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: dict[str, _Held] = {}
        self._epochs = 0
        self._buffer: deque[RawRecord] = deque()
        self._buffered_bytes = 0
        self._reading = True
        self._closing = False

    # What the event loop calls.

    def next_record(self) -> RawRecord | None:
        """Return the oldest record that is still ours; it counts as in flight from now on."""
        with self._changed:
            while self._buffer:
                record = self._buffer.popleft()
                self._buffered_bytes -= len(record.value or b"")
                if len(self._buffer) % BATCH == 0:
                    self._changed.notify_all()
                held = self._of(record.position)
                if held is None or held.leaving:
                    continue
                if record.value is not None:
                    held.yielded = record.position.offset
                    return record
                held.passed = record.position.offset
                held.settle()
        return None

    def note_done(self, position: Position) -> None:
        """Note that everything up to a position is done, unless its partition is no longer ours."""
        with self._changed:
            held = self._of(position)
            if held is not None:
                held.done = max(held.done, position.offset)
                held.settle()
                self._changed.notify_all()

    def stop_reading(self) -> None:
        """Let go of the records that wait, and take no more."""
        with self._changed:
            self._reading = False
            self._buffer.clear()
            self._changed.notify_all()

    def stop(self) -> None:
        """Wait for nothing any more."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    # What the thread calls.

    @property
    def closing(self) -> bool:
        """Whether :meth:`stop` was called."""
        return self._closing

    @property
    def all_read(self) -> bool:
        """Whether there are partitions, each has been read to its end, and nothing waits."""
        with self._changed:
            at_end = [held.at_end for held in self._held.values()]
            return bool(at_end) and all(at_end) and not self._buffer

    def take_over(self, starts: Mapping[str, int | None]) -> None:
        """Hold these partitions from these offsets on; the first commit keeps the beginning itself.

        Where the beginning is not known (None), nothing is committed before something is done.
        """
        with self._changed:
            for name, start in starts.items():
                self._epochs += 1
                if start is None:
                    self._held[name] = _Held(self._epochs, asked=-1)
                else:
                    self._held[name] = _Held(self._epochs, yielded=start - 1, done=start - 1)

    def give_back(self, names: Iterable[str]) -> None:
        """Forget these partitions; whatever comes of them later is passed over."""
        with self._changed:
            for name in names:
                self._held.pop(name, None)

    def wait_until_idle(self, names: Iterable[str], timeout_s: float) -> bool:
        """Hand nothing out of these partitions any more; return whether all that was handed out is done in time."""
        with self._changed:
            leaving = [self._held[name] for name in names if name in self._held]
            for held in leaving:
                held.leaving = True
            return self._changed.wait_for(
                lambda: self._closing or all(held.done >= held.yielded for held in leaving), timeout_s
            )

    def wait_for_room(self, timeout_s: float) -> bool:
        """Return whether a batch may be fetched, after waiting for that if need be."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room() or self._closing, timeout_s)
            return self._has_room()

    def epoch(self, name: str) -> int | None:
        """Return the epoch of a partition that is held and read; None for any other."""
        held = self._held.get(name)
        return held.epoch if held is not None and self._reading else None

    def put(self, record: RawRecord) -> None:
        """Let a record wait for its turn."""
        with self._changed:
            held = self._of(record.position)
            if held is not None and self._reading:
                held.at_end = False
                self._buffer.append(record)
                self._buffered_bytes += len(record.value or b"")

    def note_end(self, name: str) -> None:
        """Note that a partition has been read to its end, for now."""
        with self._changed:
            if name in self._held:
                self._held[name].at_end = True

    def take_uncommitted(self) -> dict[str, int]:
        """Return the offset to commit, that of the next record, of each partition that has got further."""
        with self._changed:
            news = {name: held for name, held in self._held.items() if held.done > held.asked}
            for held in news.values():
                held.asked = held.done
            return {name: held.done + 1 for name, held in news.items()}

    def put_back_uncommitted(self, failed: Mapping[str, int]) -> None:
        """Have the next :meth:`take_uncommitted` return these partitions again."""
        with self._changed:
            for name in failed:
                if name in self._held:
                    self._held[name].asked = _NEVER

    def _of(self, position: Position) -> _Held | None:
        held = self._held.get(position.partition)
        return held if held is not None and held.epoch == position.epoch else None

    def _has_room(self) -> bool:
        return (
            self._reading
            and len(self._buffer) <= MAX_BUFFERED - BATCH
            and self._buffered_bytes < MAX_BUFFERED_BYTES
        )
