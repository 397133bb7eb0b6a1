"""Appends to Kafka topics and waits for the brokers' acknowledgement."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from revertrisk.dispatcher.deadletters import DeadLetterError, RecordTooLargeError
from revertrisk.streams.kafka_settings import KafkaSettings

log = logging.getLogger(__name__)
librdkafka_log = logging.getLogger("librdkafka")

CALL_TIMEOUT_S = 15.0
DELIVERY_TIMEOUT_MS = 60_000
_POLL_S = 0.1
_FULL_PAUSE_S = 0.05
_TRIES_TO_FIND = 10


class KafkaWriter:
    """One producer for all topics that the dispatcher writes. Every in-sync replica acknowledges each value."""

    def __init__(self, settings: KafkaSettings) -> None:
        """Start the producer; raises KafkaSettingsError if a setting is invalid."""
        try:
            self._producer = Producer(
                {
                    "delivery.timeout.ms": DELIVERY_TIMEOUT_MS,
                    **settings.for_producer,
                    "enable.idempotence": True,
                    "acks": "all",
                    "linger.ms": 5,
                    "compression.type": "zstd",
                },
                logger=librdkafka_log,
            )
        except KafkaException as exc:
            raise settings.refusal(
                exc.args[0].str()
            ) from None  # the cause quotes values, which can be secret
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._poll, name="kafka-producer", daemon=True)
        self._thread.start()

    async def find(self, topic: str) -> None:
        """Check that a topic exists; brokers with automatic creation create it. Raises DeadLetterError."""
        reason = ""
        for _ in range(_TRIES_TO_FIND):
            try:
                metadata = await asyncio.to_thread(self._producer.list_topics, topic, CALL_TIMEOUT_S)
            except KafkaException as exc:
                raise DeadLetterError(f"kafka:{topic}: {exc.args[0].str()}") from exc
            found = metadata.topics[topic]
            if found.error is None:
                return
            reason = found.error.str()
            await asyncio.sleep(_POLL_S)
        raise DeadLetterError(f"kafka:{topic}: {reason}; create the topic")

    async def write(self, topic: str, value: bytes) -> None:
        """Append a value and wait for its acknowledgement; raises RecordTooLargeError and DeadLetterError."""
        # librdkafka calls `note` in the thread of `_poll`; only the loop's own thread may resolve the future.
        loop = asyncio.get_running_loop()
        written: asyncio.Future[KafkaError | None] = loop.create_future()

        def settle(error: KafkaError | None) -> None:
            if not written.done():  # it is done if the caller was cancelled
                written.set_result(error)

        def note(error: KafkaError | None, _: Message) -> None:
            with suppress(RuntimeError):  # the loop is closed, so no caller waits
                loop.call_soon_threadsafe(settle, error)

        try:
            await self._produce(topic, value, note)
            error = await written
        except KafkaException as exc:
            error = exc.args[0]
        if error is not None:
            is_too_large = error.code() == KafkaError.MSG_SIZE_TOO_LARGE
            kind = RecordTooLargeError if is_too_large else DeadLetterError
            raise kind(f"kafka:{topic}: cannot be written: {error.str()}")

    async def close(self) -> None:
        """Stop the producer. It does not wait for values whose `write` has not returned."""
        self._closing.set()
        await asyncio.to_thread(self._thread.join)

    async def _produce(
        self, topic: str, value: bytes, note: Callable[[KafkaError | None, Message], None]
    ) -> None:
        while True:
            try:
                self._producer.produce(topic, value, on_delivery=note)
            except BufferError:  # the queue is full for the moment
                await asyncio.sleep(_FULL_PAUSE_S)
            else:
                return

    def _poll(self) -> None:
        while not self._closing.is_set():
            self._producer.poll(_POLL_S)
