"""Read topics of Kafka as a member of a consumer group.

librdkafka is asked in a thread of its own, so neither its waiting nor a rebalance blocks the event loop. What it brings
waits in a bounded buffer. Only what :meth:`KafkaSource.commit` was told is done is ever committed; a partition that is
taken away gets a few seconds to finish what is in flight, is committed, and then forgotten.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from time import monotonic
from typing import Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from dispatcher.kafka_settings import KafkaSettings
from dispatcher.sources.base import Position, SourcedEvent, SourceError, UnreadableReason, UnreadableRecord
from dispatcher.sources.kafka_beginnings import CALL_TIMEOUT_S, Start, beginnings, name_of, place_of
from dispatcher.sources.kafka_partitions import BATCH, HeldPartitions

log = logging.getLogger(__name__)
librdkafka_log = logging.getLogger("librdkafka")

POLL_S = 0.1
COMMIT_PAUSE_S = 0.2
"""Between two commits; the pipeline tells every half second how far it is."""
REVOKE_GRACE_S = 5.0
"""How long a rebalance waits for requests in flight; what takes longer is sent again by the next owner."""
CLOSE_TIMEOUT_S = 20.0
STALL_S = 1.0
"""While the buffer is full, librdkafka is asked this often, which keeps the membership and serves rebalances."""

# librdkafka's own errors have underscored names.
_END_OF_PARTITION = KafkaError._PARTITION_EOF  # noqa: SLF001
_OFFSET_LOST = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
_HOPELESS = frozenset(
    {
        KafkaError._AUTHENTICATION,  # noqa: SLF001
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
    }
)
_REBALANCING = frozenset(
    {KafkaError.REBALANCE_IN_PROGRESS, KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID}
)
"""Why the brokers refuse commits while a group shares its partitions anew."""


class KafkaSource:
    """Some topics, read by one member of a group; a partition is called ``topic[number]``."""

    def __init__(  # noqa: PLR0913 - what a member of a group has to know
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        group: str,
        *,
        start: Start | datetime = Start.NEWEST,
        to_end: bool = False,
        keeps_offsets: bool = True,
        on_offset_reset: Callable[[str], None] | None = None,
        revoke_grace_s: float = REVOKE_GRACE_S,
    ) -> None:
        """Take the topics and the group.

        ``to_end`` ends the events where every partition has been read to its end. Without ``keeps_offsets`` nothing is
        committed. ``on_offset_reset`` hears, in another thread, of each topic of which a committed offset is gone.
        """
        self._settings = settings
        self._topics = list(topics)
        self._group = group
        self._start = start
        self._to_end = to_end
        self._keeps_offsets = keeps_offsets
        self._on_offset_reset = on_offset_reset
        self._revoke_grace_s = revoke_grace_s
        self._name = f"kafka:{','.join(topics)}"
        self._held = HeldPartitions()
        self._failure: SourceError | None = None
        self._thread: threading.Thread | None = None
        self._wake: Callable[[], None] = lambda: None
        self._committed_at = 0.0

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield what the group gives to this member, in order within each partition.

        Raises:
            SourceError: no broker answers at the start, a topic does not exist, or access is refused.

        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody reads any more
                loop.call_soon_threadsafe(arrived.set)

        self._wake = wake
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self._thread.start()
        try:
            while True:
                arrived.clear()
                while (record := self._held.next_record()) is not None:
                    yield record
                if self._failure is not None:
                    raise self._failure
                if self._to_end and self._held.all_read:
                    return
                await arrived.wait()
        finally:
            self._held.stop_reading()

    async def commit(self, position: Position) -> None:
        """Have the thread commit this position; one of a partition that is no longer ours is passed over."""
        self._held.note_done(position)

    async def close(self) -> None:
        """Commit, leave the group, and wait for both."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._held.stop()
        await asyncio.to_thread(thread.join, CLOSE_TIMEOUT_S)
        if thread.is_alive():
            log.warning("%s: leaving the group takes too long; it is left to its session timeout", self._name)

    # Everything from here on runs in the thread.

    def _run(self) -> None:
        try:
            consumer = Consumer(self._configuration(), logger=librdkafka_log)
        except KafkaException as exc:
            self._fail(f"kafka-setting: {exc.args[0].str()}")
            return
        try:
            self._check_topics(consumer)
            consumer.subscribe(
                self._topics, on_assign=self._assign, on_revoke=self._revoke, on_lost=self._lose
            )
            while not self._held.closing:
                has_room = self._held.wait_for_room(STALL_S)
                self._receive(
                    consumer.consume(BATCH, POLL_S) if has_room else consumer.consume(1, 0), consumer
                )
                self._commit_done(consumer)
        except KafkaException as exc:
            self._fail(exc.args[0].str())
        except Exception as exc:  # whatever ends this thread must end the reading too
            log.exception("%s: the consumer failed", self._name)
            self._fail(f"the consumer failed ({type(exc).__name__})")
        finally:
            with suppress(KafkaException):
                self._commit_done(consumer, now=True)
            with suppress(KafkaException, RuntimeError):
                consumer.close()

    def _configuration(self) -> dict[str, Any]:
        return {
            "session.timeout.ms": 30_000,
            "queued.max.messages.kbytes": 16 * 1024,
            **self._settings.values,
            "group.id": self._group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": self._to_end,
            "on_commit": self._note_commit,
            "error_cb": self._note_error,
        }

    def _check_topics(self, consumer: Consumer) -> None:
        for topic in self._topics:
            try:
                metadata = consumer.list_topics(topic, CALL_TIMEOUT_S).topics[topic]
            except KafkaException as exc:
                self._fail(f"no broker of {self._settings.brokers} answers: {exc.args[0].str()}")
                raise
            if metadata.error is not None:
                self._fail(f"{topic}: {metadata.error.str()}")
                raise KafkaException(metadata.error)

    def _receive(self, messages: Sequence[Message], consumer: Consumer) -> None:
        for message in messages:
            error, value, offset = message.error(), message.value(), message.offset()
            name = f"{message.topic()}[{message.partition()}]"
            if error is not None:
                self._receive_error(error, name, consumer)
                continue
            epoch = self._held.epoch(name)
            # A tombstone has nothing to dispatch.
            if epoch is not None and value is not None and offset is not None:
                self._held.put(_record(value, Position(name, offset, epoch)), len(value))
        if messages:
            self._wake()

    def _receive_error(self, error: KafkaError, name: str, consumer: Consumer) -> None:
        if error.code() == _END_OF_PARTITION:
            self._held.note_end(name)
        elif error.code() == _OFFSET_LOST:
            log.error(
                "ALERT: %s: the committed offset no longer exists, so events are lost; reading goes on at the oldest "
                "that is left: %s",
                name,
                error.str(),
            )
            place = place_of(name, OFFSET_BEGINNING)
            if self._on_offset_reset is not None:
                self._on_offset_reset(place.topic)
            self._held.take_over({name: 0})  # offsets may go down: this is another holding of it
            # A seek is refused in this state.
            consumer.incremental_unassign([place])
            consumer.incremental_assign([place])
        else:
            self._note_error(error)

    def _note_error(self, error: KafkaError) -> None:
        if error.fatal() or error.code() in _HOPELESS:
            self._fail(error.str())
        else:
            log.debug("%s: %s", self._name, error.str())  # librdkafka logs it, and gets over it

    def _assign(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        if not partitions:
            return
        starts = beginnings(
            consumer, partitions, self._start, group=self._group, keeps_offsets=self._keeps_offsets
        )
        names = [name_of(start) for start in starts]
        self._held.take_over({name_of(start): start.offset for start in starts})
        consumer.incremental_assign(starts)
        log.info("%s: took over %s", self._name, ", ".join(names))

    def _revoke(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [name_of(partition) for partition in partitions]
        if not self._held.wait_until_idle(names, self._revoke_grace_s):
            log.info("%s: requests in flight are left to the next owner", ", ".join(names))
        with suppress(KafkaException):  # then the next owner begins a little further back
            self._commit_done(consumer, now=True)
        self._held.give_back(names)
        consumer.incremental_unassign(partitions)
        log.info("%s: gave back %s", self._name, ", ".join(names))

    def _lose(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        names = [name_of(partition) for partition in partitions]
        log.warning("%s: lost %s", self._name, ", ".join(names))
        self._held.give_back(names)
        consumer.incremental_unassign(partitions)

    def _commit_done(self, consumer: Consumer, *, now: bool = False) -> None:
        """Have the brokers keep what is done: every now and then without waiting for it, or now and for sure."""
        if not self._keeps_offsets or (not now and monotonic() - self._committed_at < COMMIT_PAUSE_S):
            return
        offsets = [place_of(name, offset) for name, offset in self._held.take_uncommitted().items()]
        if not offsets:
            return
        self._committed_at = monotonic()
        if now:
            consumer.commit(offsets=offsets, asynchronous=False)
        else:
            consumer.commit(offsets=offsets, asynchronous=True)

    def _note_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        """Hear what became of a commit; one that failed is asked for again, with what is done by then."""
        failed = {name_of(place): place.offset for place in partitions if error or place.error}
        if failed:
            reason = error or next(place.error for place in partitions if place.error)
            level = logging.INFO if reason is not None and reason.code() in _REBALANCING else logging.WARNING
            log.log(level, "%s: a commit failed and is tried again: %s", self._name, reason)
            self._held.put_back_uncommitted(failed)

    def _fail(self, reason: str) -> None:
        """Have the reader hear of it; the first reason counts."""
        self._failure = self._failure or SourceError(f"{self._name}: {reason}")
        self._wake()


def _record(value: bytes, position: Position) -> SourcedEvent | UnreadableRecord:
    try:
        event = orjson.loads(value)
    except orjson.JSONDecodeError:
        return UnreadableRecord(value, UnreadableReason.INVALID_JSON, position)
    if not isinstance(event, dict):
        return UnreadableRecord(value, UnreadableReason.NOT_AN_OBJECT, position)
    return SourcedEvent(event, position)
