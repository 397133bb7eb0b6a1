"""Reads Kafka topics as a member of a consumer group, or all their partitions without a group.

A separate thread calls librdkafka, so neither its waiting nor a rebalance blocks the event loop. Its messages wait in
a limited buffer. Only positions given to :meth:`KafkaSource.commit` are committed. When a partition is revoked, its
events in flight get a few seconds to finish, and then its finished offsets are committed.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from time import monotonic
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from revertrisk.streams.base import (
    Position,
    RawRecord,
    SourcedEvent,
    SourceError,
    UnreadableRecord,
    parsed,
)
from revertrisk.streams.kafka_assignments import METADATA_TIMEOUT_S, Assignments, KafkaListener
from revertrisk.streams.kafka_commits import Commits
from revertrisk.streams.kafka_partitions import BATCH, AssignedPartitions, Buffered
from revertrisk.streams.kafka_settings import KafkaSettings
from revertrisk.streams.kafka_start_offsets import CALL_TIMEOUT_S, Start, StartOffsets, partition_at

log = logging.getLogger(__name__)
librdkafka_log = logging.getLogger("librdkafka")

POLL_S = 0.1
REVOKE_GRACE_S = 5.0
"""How long a rebalance waits for requests in flight. The next owner sends a request that takes longer again."""
CLOSE_TIMEOUT_S = 20.0
STALL_S = 1.0
"""While the buffer is full, librdkafka is polled at this interval, to stay in the group and to serve rebalances."""
REFRESH_S = 60.0
"""The interval at which a reader without a group looks for new partitions; for groups librdkafka does."""
NO_GROUP = "revertrisk-reader"
"""librdkafka requires a group name; without a group no process joins this one."""
FETCHED_AHEAD_KB = 4 * 1024
"""How much librdkafka may prefetch; its default is 64 MiB. librdkafka lowers ``fetch.max.bytes`` to the same, but not
below ``message.max.bytes``, so an answer in transit is limited too. A larger single record is still read."""
FETCH_PAUSE_MS = 50
"""librdkafka's pause while its buffer is full. Its default is a second, which allows one small buffer a second."""

# The names of librdkafka's own errors start with an underscore.
_END_OF_PARTITION = KafkaError._PARTITION_EOF  # noqa: SLF001
_OFFSET_LOST = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
_PERMANENT = frozenset(
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


class KafkaSource:
    """Some topics, read as a member of a group or without a group; the name of a partition is ``topic[number]``."""

    def __init__(  # noqa: PLR0913 - the options of a member of a group
        self,
        settings: KafkaSettings,
        topics: Sequence[str],
        group: str | None,
        *,
        start: Start | datetime = Start.NEWEST,
        to_end: bool = False,
        keeps_offsets: bool = True,
        listener: KafkaListener | None = None,
        revoke_grace_s: float = REVOKE_GRACE_S,
        places: Mapping[str, int] | None = None,
        refresh_s: float = REFRESH_S,
    ) -> None:
        """Take the topics and the group; without a group (None) it reads all partitions and commits nothing.

        With ``to_end`` the events end when every partition has been read to its end. Without ``keeps_offsets`` nothing
        is committed. ``listener`` is called in another thread. Without a group, ``places`` are the offsets to start at,
        and new partitions are looked for each ``refresh_s`` seconds.

        Raises:
            KafkaSettingsError: librdkafka refuses a setting.

        """
        self._settings = settings
        self._topics = list(topics)
        self._group = group
        self._places = places or {}
        self._refresh_s = refresh_s
        self._start = start
        self._to_end = to_end
        self._keeps_offsets = keeps_offsets and group is not None
        self._listener = listener
        self._name = f"kafka:{','.join(topics)}"
        self._held = AssignedPartitions()
        self._commits = Commits(self._name, self._held)
        self._assignments = Assignments(
            self._name,
            self._held,
            self._commits if self._keeps_offsets else None,
            revoke_grace_s=revoke_grace_s,
            listener=listener,
        )
        self._failure: SourceError | None = None
        self._thread: threading.Thread | None = None
        self._wake: Callable[[], None] = lambda: None
        self._last_error = ""
        """librdkafka's last error."""
        try:
            # It checks the settings, and does not join the group yet.
            self._consumer = Consumer(self._configuration(), logger=librdkafka_log)
        except KafkaException as exc:
            # The cause is hidden, because it quotes values, which can be secret.
            raise settings.refusal(exc.args[0].str()) from None

    @property
    def start_offsets(self) -> Mapping[str, int]:
        """The start offset of each partition that was assigned so far."""
        return self._assignments.start_offsets

    def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the events of the partitions that are assigned to this member; raises SourceError as `records`."""
        return parsed(self.records())

    async def records(self) -> AsyncGenerator[RawRecord | UnreadableRecord, None]:
        """Yield the records of the partitions that are assigned to this member, in order within each partition.

        Raises:
            SourceError: no broker answers at the start, a topic does not exist, or access is refused.

        """
        loop = asyncio.get_running_loop()
        arrived = asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # the loop is closed, so no task reads
                loop.call_soon_threadsafe(arrived.set)

        self._wake = wake
        self._thread = threading.Thread(target=self._run, name="kafka-consumer", daemon=True)
        self._thread.start()
        try:
            while True:
                arrived.clear()
                while (record := self._held.next_record()) is not None:
                    assert record.value is not None  # noqa: S101 - next_record returns only these
                    yield RawRecord(record.value, record.position, record.topic)
                if self._failure is not None:
                    raise self._failure
                if self._to_end and self._held.all_read:
                    return
                await arrived.wait()
        finally:
            self._held.stop_reading()

    async def commit(self, position: Position) -> None:
        """Let the thread commit this position; it is ignored if its partition is no longer assigned."""
        self._held.note_done(position)

    async def close(self) -> None:
        """Commit, leave the group, and wait for both."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._held.stop()
        await asyncio.to_thread(thread.join, CLOSE_TIMEOUT_S)
        if thread.is_alive():
            log.warning("%s: leaving the group takes too long; the session timeout will end it", self._name)

    # Everything below runs in the thread.

    def _run(self) -> None:
        consumer = self._consumer
        try:
            partitions = self._find_partitions(consumer)
            starts = StartOffsets(
                consumer,
                partitions,
                self._start,
                group=self._group or NO_GROUP,
                places=None if self._keeps_offsets else self._places,
            )
            if self._group is None:
                self._assignments.assign(starts, consumer, partitions)
            else:
                consumer.subscribe(
                    self._topics,
                    on_assign=partial(self._assignments.assign, starts),
                    on_revoke=self._assignments.revoke,
                    on_lost=self._assignments.lose,
                )
            refreshed_at = monotonic()
            while not self._held.closing:
                has_room = self._held.wait_for_room(STALL_S)
                self._receive(
                    consumer.consume(BATCH, POLL_S) if has_room else consumer.consume(1, 0), consumer
                )
                if self._keeps_offsets:
                    self._commits.commit_if_due(consumer)
                if self._group is None and monotonic() - refreshed_at >= self._refresh_s:
                    self._assignments.assign_new(starts, consumer, self._topics)
                    refreshed_at = monotonic()
        except KafkaException as exc:
            self._fail(exc.args[0].str())
        except Exception as exc:  # any exception that ends this thread must also end `records`
            log.exception("%s: the consumer failed", self._name)
            self._fail(f"the consumer failed ({type(exc).__name__})")
        finally:
            if self._keeps_offsets:
                with suppress(KafkaException):
                    self._commits.commit_now(consumer)
            with suppress(KafkaException, RuntimeError):
                consumer.close()

    def _configuration(self) -> dict[str, Any]:
        return {
            "session.timeout.ms": 30_000,
            "queued.max.messages.kbytes": FETCHED_AHEAD_KB,
            "fetch.queue.backoff.ms": FETCH_PAUSE_MS,
            **self._settings.values,
            "group.id": self._group or NO_GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "partition.assignment.strategy": "cooperative-sticky",
            "enable.partition.eof": True,
            "on_commit": self._commits.note_result,
            "error_cb": self._note_error,
        }

    def _find_partitions(self, consumer: Consumer) -> list[TopicPartition]:
        """Return all partitions of the topics; raises KafkaException if a topic does not exist."""
        found = []
        for topic in self._topics:
            metadata = self._read_metadata(topic, consumer)
            if metadata.error is not None:
                self._fail(f"{topic}: {metadata.error.str()}")
                raise KafkaException(metadata.error)
            found += [TopicPartition(topic, number) for number in metadata.partitions]
        return found

    def _read_metadata(self, topic: str, consumer: Consumer) -> Any:
        """Return the metadata of a topic; raises KafkaException if no broker answers."""
        give_up_at = monotonic() + CALL_TIMEOUT_S
        while True:
            try:
                return consumer.list_topics(topic, METADATA_TIMEOUT_S).topics[topic]
            except KafkaException as exc:
                consumer.poll(0)  # calls _note_error with errors so far, which have the reason
                if self._failure is None and not self._held.closing and monotonic() < give_up_at:
                    continue
                self._fail(
                    f"no broker of {self._settings.brokers} answers: {self._last_error or exc.args[0].str()}"
                )
                raise

    def _receive(self, messages: Sequence[Message], consumer: Consumer) -> None:
        for message in messages:
            error, value, offset = message.error(), message.value(), message.offset()
            name = f"{message.topic()}[{message.partition()}]"
            epoch = self._held.epoch(name)
            if error is not None and error.code() != _END_OF_PARTITION:
                self._receive_error(error, name, consumer)
            elif epoch is None or offset is None:
                continue
            elif error is not None:
                # Offsets before the end without a message are tombstones and transaction markers: skip them.
                self._held.put(Buffered(None, Position(name, offset - 1, epoch)))
                self._held.note_end(name)
            elif value is not None:
                self._held.put(Buffered(value, Position(name, offset, epoch), message.topic()))
        if messages:
            self._wake()

    def _receive_error(self, error: KafkaError, name: str, consumer: Consumer) -> None:
        if error.code() == _OFFSET_LOST:
            log.error(
                "ALERT: %s: the committed offset no longer exists, so events are lost; reading continues at the oldest "
                "event that is left: %s",
                name,
                error.str(),
            )
            if self._listener is not None:
                self._listener.note_offset_reset(partition_at(name, 0).topic)
            self._assignments.restart_at_oldest(name, consumer)
        else:
            self._note_error(error)

    def _note_error(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - it does not contain the reason
            self._last_error = error.str()
        if error.fatal() or error.code() in _PERMANENT:
            self._fail(error.str())
        else:
            log.debug("%s: %s", self._name, error.str())  # librdkafka logs it and recovers itself

    def _fail(self, reason: str) -> None:
        """End `records` with this reason; if it is called again, the first reason stays."""
        self._failure = self._failure or SourceError(f"{self._name}: {reason}")
        self._wake()
