"""The prediction stream from Kafka itself, where a consumer stands beside it. Needs the extra ``kafka``.

No group is joined and nothing is committed: the place to resume from is the consumer's own, in one transaction with
what it made of the events.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Final

import orjson
from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka import Consumer as KafkaClient

from revertrisk.consumer.delivery import Delivery

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 60.0
"""How often new partitions are looked for; they are read from their beginning."""
CALL_TIMEOUT_SECONDS: Final = 15.0
_BATCH: Final = 200
_POLL_SECONDS: Final = 0.1
_DECIDED_HERE: Final[Mapping[str, str | bool]] = {
    "group.id": "revertrisk-consumer",  # librdkafka wants a name, and nobody joins
    "enable.auto.commit": False,
    "auto.offset.reset": "error",
}

# librdkafka's own errors have underscored names.
_OFFSET_LOST: Final = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
_HOPELESS: Final = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)

Place = tuple[str, int]
"""A topic and the number of a partition."""


class KafkaStreamError(Exception):
    """Kafka cannot be read (any further); the text says why."""


async def read_kafka(
    settings: Mapping[str, str],
    topics: Sequence[str],
    resume_at: str | None = None,
    *,
    from_start: bool = False,
    refresh: float = REFRESH_SECONDS,
) -> AsyncGenerator[Delivery, None]:
    """Yield the deliveries of some topics for ever, such as ``eqiad.`` and ``codfw.`` with a stream's name.

    ``settings`` are librdkafka's, ``bootstrap.servers`` among them. Without a place to resume at, reading begins with
    what comes from now on, or ``from_start`` with the oldest event. ``refresh`` is in seconds.

    :raises KafkaStreamError: if a setting cannot work, a topic is not there, no broker answers, or access is refused.
    :raises ValueError: if ``resume_at`` is no place of this source.
    """
    places = _parse(resume_at)
    try:
        client = KafkaClient({**settings, **_DECIDED_HERE})
    except KafkaException:
        # Without the cause, whose text may quote a password; librdkafka's own log does not.
        raise KafkaStreamError("librdkafka refuses the settings") from None
    reading = _Reading(client, topics, places, from_start=from_start)
    loop = asyncio.get_running_loop()
    # One thread, so that the client is not closed while it is asked.
    with_client = ThreadPoolExecutor(1, thread_name_prefix="kafka-reader")
    try:
        looked_at = -refresh
        while True:
            if monotonic() - looked_at >= refresh:
                await loop.run_in_executor(with_client, reading.take_new_partitions)
                looked_at = monotonic()
            for message in await loop.run_in_executor(with_client, reading.consume):
                delivery = reading.delivery(message)
                if delivery is not None:
                    yield delivery
    finally:
        with_client.submit(client.close)
        with_client.shutdown(wait=False)


class _Reading:
    """How far each partition has been read."""

    def __init__(
        self, client: KafkaClient, topics: Sequence[str], places: dict[Place, int], *, from_start: bool
    ) -> None:
        self._client = client
        self._topics = topics
        self._next = places
        self._assigned: set[Place] = set()
        self._from_start = from_start or bool(places)

    def take_new_partitions(self) -> None:
        """Begin to read the partitions that are not read yet; a new one has nothing that was read before."""
        new = []
        for topic in self._topics:
            try:
                for place in sorted(self._partitions_of(topic) - self._assigned):
                    if place not in self._next:
                        self._next[place] = self._first_offset(place)
                    new.append(TopicPartition(*place, self._next[place]))
            except KafkaException as exc:
                if self._assigned:  # it is being read, and will be asked again
                    log.warning("%s: %s", topic, exc.args[0].str())
                    continue
                raise KafkaStreamError(f"{topic}: {exc.args[0].str()}") from exc
        if new:
            self._client.incremental_assign(new)
            self._assigned.update((place.topic, place.partition) for place in new)
        self._from_start = True

    def consume(self) -> list[Message]:
        """Return what has come, after a short wait if it is nothing."""
        return self._client.consume(_BATCH, _POLL_SECONDS)

    def delivery(self, message: Message) -> Delivery | None:
        """Return what a message holds, None where it holds nothing; raises KafkaStreamError."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error, value = message.error(), message.value()
        if error is not None:
            self._handle(error, topic, partition)
            return None
        if topic is None or partition is None or offset is None:
            return None
        self._next[topic, partition] = offset + 1
        if value is None:  # a tombstone
            return None
        try:
            event = orjson.loads(value)
        except orjson.JSONDecodeError:
            event = None  # counted as invalid by who takes it
        return Delivery(event, self._token())

    def _handle(self, error: KafkaError, topic: str | None, partition: int | None) -> None:
        if error.code() == _OFFSET_LOST and topic is not None and partition is not None:
            log.error("ALERT: %s[%d]: events are lost; reading goes on at the oldest left", topic, partition)
            again = [TopicPartition(topic, partition, OFFSET_BEGINNING)]
            self._client.incremental_unassign(again)
            self._client.incremental_assign(again)
        elif error.fatal() or error.code() in _HOPELESS:
            raise KafkaStreamError(error.str())
        else:
            log.debug("%s", error.str())  # librdkafka logs it, and gets over it

    def _partitions_of(self, topic: str) -> set[Place]:
        found = self._client.list_topics(topic, CALL_TIMEOUT_SECONDS).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return {(topic, number) for number in found.partitions}

    def _first_offset(self, place: Place) -> int:
        lowest, highest = self._client.get_watermark_offsets(TopicPartition(*place), CALL_TIMEOUT_SECONDS)
        return int(lowest if self._from_start else highest)

    def _token(self) -> str:
        return orjson.dumps(
            [
                {"topic": topic, "partition": number, "offset": offset}
                for (topic, number), offset in self._next.items()
            ]
        ).decode()


def _parse(resume_at: str | None) -> dict[Place, int]:
    try:
        return {
            (place["topic"], place["partition"]): place["offset"]
            for place in (orjson.loads(resume_at) if resume_at is not None else [])
        }
    except (orjson.JSONDecodeError, TypeError, KeyError):
        raise ValueError("resume_at: expected what read_kafka gave") from None
