"""Starts and stops the reading of Kafka partitions, as they are assigned to this reader and revoked."""

import logging
from collections.abc import Collection, Mapping, Sequence
from typing import Final, Protocol

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaException, TopicPartition

from revertrisk.streams.kafka_commits import Commits
from revertrisk.streams.kafka_partitions import AssignedPartitions
from revertrisk.streams.kafka_start_offsets import StartOffsets, partition_at, partition_name

log = logging.getLogger(__name__)

METADATA_TIMEOUT_S: Final = 3.0
"""The timeout of one request for metadata. It is short, so that a refused password is reported early."""


class KafkaListener(Protocol):
    """Is told about the partitions of a reader, in librdkafka's thread."""

    def note_offset_reset(self, topic: str) -> None:
        """Note that the committed offset of one of the topic's partitions no longer existed."""
        ...

    def note_assigned(self, partitions: Collection[str]) -> None:
        """Note that these partitions are read from now on."""
        ...

    def note_released(self, partitions: Collection[str]) -> None:
        """Note that another member reads these partitions from now on; requests for their events may still end."""
        ...


class Assignments:
    """The callbacks of a consumer's assignments; all methods are called in librdkafka's thread."""

    def __init__(
        self,
        name: str,
        held: AssignedPartitions,
        commits: Commits | None,
        *,
        revoke_grace_s: float,
        listener: KafkaListener | None = None,
    ) -> None:
        """Take the source's name for the log, the partitions, and the commits (None if nothing is committed).

        Events in flight of a revoked partition have ``revoke_grace_s`` seconds to finish.
        """
        self._name = name
        self._held = held
        self._commits = commits
        self._revoke_grace_s = revoke_grace_s
        self._listener = listener
        self.start_offsets: Mapping[str, int] = {}
        """The start offset of each partition that was assigned so far."""

    def assign(self, starts: StartOffsets, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Start to read partitions; raises KafkaException if the brokers do not answer."""
        if not partitions:
            return
        places = starts.of(partitions)
        names = [partition_name(place) for place in places]
        offsets = {partition_name(place): place.offset for place in places}
        self.start_offsets = {**self.start_offsets, **offsets}
        self._held.assign(offsets)
        if self._listener is not None:
            self._listener.note_assigned(names)
        consumer.incremental_assign(places)
        log.info("%s: was assigned %s", self._name, ", ".join(names))

    def assign_new(self, starts: StartOffsets, consumer: Consumer, topics: Sequence[str]) -> None:
        """Start to read new partitions; a topic whose metadata cannot be read is tried again the next time."""
        new = []
        for topic in topics:
            try:
                found = consumer.list_topics(topic, METADATA_TIMEOUT_S).topics[topic]
                places = [TopicPartition(topic, number) for number in found.partitions]
                new += [place for place in places if partition_name(place) not in self.start_offsets]
            except KafkaException as exc:
                log.warning("%s: %s", topic, exc.args[0].str())
        self.assign(starts, consumer, new)

    def restart_at_oldest(self, name: str, consumer: Consumer) -> None:
        """Read a partition again from its oldest record, because its committed offset no longer exists."""
        place = partition_at(name, OFFSET_BEGINNING)
        # The next offset can be lower, so this starts a new epoch, whose start offset is not known yet.
        self._held.assign({name: None})
        # librdkafka refuses a seek in this state, so the partition is assigned again.
        consumer.incremental_unassign([place])
        consumer.incremental_assign([place])

    def revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Finish events in flight, commit them, and stop reading the partitions."""
        # librdkafka calls this in our thread, and the group waits until it returns. The next owner starts at the
        # committed offsets. So events in flight finish first, then they are committed, and only then is the partition
        # released; otherwise the next owner would send them again.
        names = [partition_name(partition) for partition in partitions]
        if not self._held.wait_until_idle(names, self._revoke_grace_s):
            log.info("%s: the next owner will send the requests in flight again", ", ".join(names))
        if self._commits is not None:
            self._commits.before_leaving(consumer)
        self._release(names, consumer, partitions)
        log.info("%s: released %s", self._name, ", ".join(names))

    def lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        """Stop reading partitions that another member has already; they can no longer be committed."""
        names = [partition_name(partition) for partition in partitions]
        log.warning("%s: lost %s", self._name, ", ".join(names))
        self._release(names, consumer, partitions)

    def _release(self, names: Sequence[str], consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._held.release(names)
        if self._listener is not None:
            self._listener.note_released(names)
        consumer.incremental_unassign(partitions)
