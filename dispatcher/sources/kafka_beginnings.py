"""Where a member of a consumer group begins to read the partitions that it is given."""

import logging
from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto

from confluent_kafka import Consumer, KafkaException, TopicPartition

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 15.0
"""For one question to the brokers."""


class Start(Enum):
    """Where a group begins in a partition for which it has committed nothing."""

    NEWEST = auto()
    """As change-propagation does: only what comes from now on."""
    EARLIEST = auto()


def beginnings(
    consumer: Consumer,
    partitions: Sequence[TopicPartition],
    start: Start | datetime,
    *,
    group: str,
    keeps_offsets: bool,
) -> list[TopicPartition]:
    """Return where to begin in each partition: at the committed offset, or else at ``start``.

    A group's first place is committed at once, so that a crash before the first commit does not lose it.

    Raises:
        KafkaException: the brokers do not answer in time.

    """
    found = consumer.committed(list(partitions), CALL_TIMEOUT_S) if keeps_offsets else partitions
    known = [place_of(name_of(place), place.offset) for place in found if place.offset >= 0]
    first = []
    for place in found:
        if place.offset < 0:  # librdkafka's markers for "none"
            first.append(place_of(name_of(place), _first_offset(consumer, place, start)))
            level = logging.INFO if start is Start.EARLIEST else logging.WARNING
            log.log(
                level,
                "%s: the group %s is new here and begins at %d",
                name_of(place),
                group,
                first[-1].offset,
            )
    if first and keeps_offsets:
        try:
            consumer.commit(offsets=first, asynchronous=False)
        except KafkaException as exc:  # another rebalance has begun: the next regular commit keeps them
            log.info("the first places of the group %s are committed later: %s", group, exc.args[0].str())
    return known + first


def name_of(place: TopicPartition) -> str:
    """Return ``topic[number]``."""
    return f"{place.topic}[{place.partition}]"


def place_of(name: str, offset: int) -> TopicPartition:
    """Return an offset of the partition ``topic[number]`` as librdkafka has it."""
    topic, _, number = name.removesuffix("]").rpartition("[")
    return TopicPartition(topic, int(number), offset)


def _first_offset(consumer: Consumer, place: TopicPartition, start: Start | datetime) -> int:
    lowest, highest = consumer.get_watermark_offsets(place, CALL_TIMEOUT_S)
    if isinstance(start, Start):
        return int(lowest if start is Start.EARLIEST else highest)
    asked = place_of(name_of(place), int(start.timestamp() * 1000))
    (found,) = consumer.offsets_for_times([asked], CALL_TIMEOUT_S)
    return int(found.offset if found.offset >= 0 else highest)
