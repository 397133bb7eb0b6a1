"""Computes which positions can be committed: never beyond an unfinished record."""

from collections import deque
from dataclasses import dataclass, field

from revertrisk.streams.base import Position


@dataclass(slots=True)
class _Partition:
    """The records of one partition that have been read and are not committable."""

    waiting: deque[Position] = field(default_factory=deque)
    """In the order of reading, from the earliest unfinished one."""
    finished: set[Position] = field(default_factory=set)
    """Those in ``waiting`` that are finished."""


class OffsetTracker:
    """Tracks each record from reading to its end; a partition's earliest unfinished record limits its commit."""

    def __init__(self) -> None:
        self._partitions: dict[tuple[str, int], _Partition] = {}
        self._committable: dict[tuple[str, int], Position] = {}
        self.held = 0
        """Records that have been read and cannot be committed yet, finished or not."""

    def start(self, position: Position) -> None:
        """Record that a record has been read; the calls for a partition follow the order of reading."""
        self._partitions.setdefault(_key(position), _Partition()).waiting.append(position)
        self.held += 1

    def finish(self, position: Position) -> None:
        """Record that a started record is finished, in any order."""
        key = _key(position)
        partition = self._partitions[key]
        partition.finished.add(position)
        while partition.waiting and partition.waiting[0] in partition.finished:
            position = partition.waiting.popleft()
            partition.finished.remove(position)
            self.held -= 1
            if not position.is_open:
                self._committable[key] = position
        if not partition.waiting:
            del self._partitions[key]

    def take_committable(self) -> list[Position]:
        """Return the positions that can be committed and were not returned before, at most one a partition.

        A position includes all records before it.
        """
        taken = list(self._committable.values())
        self._committable.clear()
        return taken


def _key(position: Position) -> tuple[str, int]:
    # A partition that is revoked and assigned again is read from its commit again, while records of the earlier
    # assignment can still be in flight. The epoch keeps the two apart.
    return position.partition, position.epoch
