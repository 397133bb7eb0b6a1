"""Commits the finished offsets of a group's member: at intervals, and synchronously before it leaves."""

import logging
from collections.abc import Sequence
from time import monotonic, sleep

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from revertrisk.streams.kafka_partitions import AssignedPartitions
from revertrisk.streams.kafka_start_offsets import partition_at, partition_name

log = logging.getLogger(__name__)

COMMIT_PAUSE_S = 0.2
"""The pause between two commits; the pipeline commits every half second."""
LEAVING_COMMIT_S, CLOSING_COMMIT_S = 20.0, 2.0
"""How long a commit is retried before a partition is released, and at the end of the process."""

_REBALANCING = frozenset(
    {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}
)
"""The errors of commits during a rebalance."""
_BUSY = frozenset(
    {
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
"""The errors that a retry can solve while the member is in the group."""


class Commits:
    """Commits the finished offsets of the assigned partitions; all methods are called in librdkafka's thread."""

    def __init__(self, name: str, held: AssignedPartitions) -> None:
        """Take the source's name for the log, and the partitions."""
        self._name = name
        self._held = held
        self._requested_at = 0.0

    def commit_if_due(self, consumer: Consumer) -> None:
        """Request a commit of the finished offsets if one is due, without waiting for it."""
        if monotonic() - self._requested_at < COMMIT_PAUSE_S:
            return
        offsets = self._take_finished()
        if offsets:
            self._requested_at = monotonic()
            consumer.commit(offsets=offsets, asynchronous=True)

    def commit_now(self, consumer: Consumer) -> None:
        """Commit the finished offsets and wait for it; raises KafkaException if the brokers refuse."""
        offsets = self._take_finished()
        if not offsets:
            return
        try:
            consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException:
            self._held.put_back_uncommitted({partition_name(place): place.offset for place in offsets})
            raise

    def before_leaving(self, consumer: Consumer) -> None:
        """Commit the finished offsets and the start offsets, because the next owner knows only committed ones.

        The group waits meanwhile. A commit that fails with a transient error is retried for a limited time.
        """
        give_up_at = monotonic() + (CLOSING_COMMIT_S if self._held.closing else LEAVING_COMMIT_S)
        while True:
            try:
                self.commit_now(consumer)
            except KafkaException as exc:
                error = exc.args[0]
                if error.code() in _BUSY and monotonic() < give_up_at:
                    log.info("%s: a commit failed and is tried again: %s", self._name, error.str())
                    sleep(COMMIT_PAUSE_S)
                    continue
                log.warning("%s: finished events could not be committed: %s", self._name, error.str())
            return

    def note_result(self, error: KafkaError | None, partitions: Sequence[TopicPartition]) -> None:
        """Handle the result of a commit; one that failed is tried again, with the offsets finished by then."""
        failed = {partition_name(place): place.offset for place in partitions if error or place.error}
        if failed:
            reason = error or next(place.error for place in partitions if place.error)
            level = logging.INFO if reason is not None and reason.code() in _REBALANCING else logging.WARNING
            log.log(level, "%s: a commit failed and is tried again: %s", self._name, reason)
            self._held.put_back_uncommitted(failed)

    def _take_finished(self) -> list[TopicPartition]:
        return [partition_at(name, offset) for name, offset in self._held.take_uncommitted().items()]
