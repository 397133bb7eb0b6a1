"""Work out what may be committed: never past anything unfinished."""

from collections import deque
from dataclasses import dataclass, field

from revertrisk.streams.base import Position


@dataclass(slots=True)
class _Partition:
    """The records of one partition that have been read and not yet passed."""

    waiting: deque[Position] = field(default_factory=deque)
    """In the order of reading, from the slowest unfinished one on."""
    finished: set[Position] = field(default_factory=set)
    """Those of ``waiting`` that are done."""


class OffsetTracker:
    """Follows each record from reading to its end; a partition's slowest one holds its commit back."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._committable: dict[tuple[str, int], Position] = {}
        self.held = 0
        """Records that have been read and cannot be committed yet, finished or not."""

    def start(self, position: Position) -> None:
        """Note that a record has been read; within a partition in the order of reading."""
        self._partitions.setdefault(_key(position), _Partition()).waiting.append(position)
        self.held += 1

    def finish(self, position: Position) -> None:
        """Note that a started record is done, in any order."""
        key = _key(position)
        partition = self._partitions[key]
        partition.finished.add(position)
        while partition.waiting and partition.waiting[0] in partition.finished:
            passed = partition.waiting.popleft()
            partition.finished.remove(passed)
            self.held -= 1
            if not passed.is_open:
                self._committable[key] = passed
        if not partition.waiting:
            del self._partitions[key]

    def take_committable(self) -> list[Position]:
        """Return what can be committed and was not returned before, at most one position a partition.

        Each stands for itself and for everything before it.
        """
        taken = list(self._committable.values())
        self._committable.clear()
        return taken


def _key(position: Position) -> tuple[str, int]:
    # A partition that is lost and given back starts again where it was committed, while records of its
    # first time may still be in flight: the two must not be mixed up.
    return position.partition, position.epoch
