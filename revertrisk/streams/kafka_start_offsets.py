"""The start offset of a Kafka reader in each partition, with or without a consumer group."""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum, auto

from confluent_kafka import Consumer, KafkaException, TopicPartition

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 15.0
"""The timeout of one request to the brokers."""


class Start(Enum):
    """Where a group starts in a partition without a committed offset."""

    NEWEST = auto()
    """Only new events, as in change-propagation."""
    EARLIEST = auto()


class StartOffsets:
    """Finds the start offset of each partition: the committed one, or one that misses no event.

    Without a group, the places of the last run are used instead of committed offsets.

    A group without a committed offset in any partition of a topic is new. It starts at ``start``; "newest" is the end
    of the partition when this process started, even if the partition is assigned later. If the group has committed
    other partitions of the topic, or the partition did not exist when this process started, then the partition is new
    and is read from its oldest record.
    """

    def __init__(
        self,
        consumer: Consumer,
        partitions: Sequence[TopicPartition],
        start: Start | datetime,
        *,
        group: str,
        places: Mapping[str, int] | None,
    ) -> None:
        """Read the committed offsets and the ends of all partitions of the topics, before the group is joined.

        ``places`` replace committed offsets; None uses those of the group.

        Raises:
            KafkaException: the brokers do not answer in time.

        """
        self._consumer = consumer
        self._start = start
        self._group = group
        self._places = places
        committed = consumer.committed(list(partitions), CALL_TIMEOUT_S) if places is None else []
        self._begun = {place.topic for place in committed if place.offset >= 0}
        """Topics with a committed offset."""
        self._newest = {
            partition_name(place): consumer.get_watermark_offsets(place, CALL_TIMEOUT_S)[1]
            for place in partitions
            if start is Start.NEWEST and place.topic not in self._begun
        }

    def of(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        """Return the start offset of each partition.

        A first start offset is committed at once, so that a crash before the first commit does not lose it.

        Raises:
            KafkaException: the brokers do not answer in time.

        """
        found = (
            self._consumer.committed(list(partitions), CALL_TIMEOUT_S)
            if self._places is None
            else [partition_at(name, self._places.get(name, -1)) for name in map(partition_name, partitions)]
        )
        known = [partition_at(partition_name(place), place.offset) for place in found if place.offset >= 0]
        # A negative offset means that nothing is committed.
        first = [
            partition_at(partition_name(place), self._first_offset(place))
            for place in found
            if place.offset < 0
        ]
        for place in first:
            log.info(
                "%s: %s has no committed offset and starts at %d",
                partition_name(place),
                self._group,
                place.offset,
            )
        if first and self._places is None:
            try:
                self._consumer.commit(offsets=first, asynchronous=False)
            except KafkaException as exc:
                # Another rebalance has begun; the next regular commit includes these offsets.
                log.info(
                    "the start offsets of the group %s are committed later: %s",
                    self._group,
                    exc.args[0].str(),
                )
        return known + first

    def _first_offset(self, place: TopicPartition) -> int:
        lowest, highest = self._consumer.get_watermark_offsets(place, CALL_TIMEOUT_S)
        if isinstance(self._start, datetime):
            asked = partition_at(partition_name(place), int(self._start.timestamp() * 1000))
            (found,) = self._consumer.offsets_for_times([asked], CALL_TIMEOUT_S)
            return int(found.offset if found.offset >= 0 else highest)
        if self._start is Start.EARLIEST:
            return int(lowest)
        newest = self._newest.get(partition_name(place))
        if newest is None:
            log.warning("%s: this partition is new and is read from its oldest record", partition_name(place))
            return int(lowest)
        return max(int(lowest), newest)


def partition_name(place: TopicPartition) -> str:
    """Return ``topic[number]``."""
    return f"{place.topic}[{place.partition}]"


def partition_at(name: str, offset: int) -> TopicPartition:
    """Return librdkafka's object for an offset in the partition ``topic[number]``."""
    topic, _, number = name.removesuffix("]").rpartition("[")
    return TopicPartition(topic, int(number), offset)
