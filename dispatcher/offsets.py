"""Work out what may be committed: never past anything unfinished."""

from collections import deque
from dataclasses import dataclass, field

from dispatcher.sources.base import Position


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
        self._partitions: dict[str, _Partition] = {}
        self._committable: dict[str, Position] = {}

    def start(self, position: Position) -> None:
        """Note that a record has been read; within a partition in the order of reading."""
        self._partitions.setdefault(position.partition, _Partition()).waiting.append(position)

    def finish(self, position: Position) -> None:
        """Note that a started record is done, in any order."""
        partition = self._partitions[position.partition]
        partition.finished.add(position)
        while partition.waiting and partition.waiting[0] in partition.finished:
            passed = partition.waiting.popleft()
            partition.finished.remove(passed)
            self._committable[position.partition] = passed

    def take_committable(self) -> list[Position]:
        """Return what can be committed and was not returned before, at most one position a partition.

        Each stands for itself and for everything before it.
        """
        taken = list(self._committable.values())
        self._committable.clear()
        return taken
