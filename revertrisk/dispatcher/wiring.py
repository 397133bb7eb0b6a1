"""Opens the sources, topics and files that a run reads and writes, from its settings."""

import importlib.util
import os
import re
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from revertrisk.dispatcher.deadletters import (
    DeadLetterError,
    DeadLetterFile,
    DeadLetters,
    DeadLetterTopic,
    SkipFile,
)
from revertrisk.dispatcher.metrics import DispatcherMetrics
from revertrisk.dispatcher.retry_topic import RetryTopic, RetryTopicSource
from revertrisk.dispatcher.rule_language.rule import Rule
from revertrisk.dispatcher.settings import NO_RETRY_TOPIC, DispatchSettings, SettingsError
from revertrisk.runtime.addresses import is_base_address
from revertrisk.runtime.proxies import ProxyError
from revertrisk.streams.base import EventSource
from revertrisk.streams.checkpoints import CheckpointFile, SourceCheckpoint, SourceCheckpointError
from revertrisk.streams.eventstreams import EventStreamsSource, stream_url
from revertrisk.streams.jsonl import JsonlSource
from revertrisk.streams.kafka_settings import KafkaSettings, KafkaSettingsError
from revertrisk.streams.opening import TOPIC, SourceNameError, topic_names

if TYPE_CHECKING:
    from revertrisk.dispatcher.kafka_writer import KafkaWriter

NOWHERE = "http://localhost"
"""The target of a run that sends nothing, since rules that use a target require one."""
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")
_File = TypeVar("_File")
_KINDS = "jsonl:FILE, jsonl:- (standard input), kafka:TOPIC[,TOPIC], eventstreams:URL or eventstreams:STREAM"


class Opening:
    """Opens the parts of one run; the stack closes them."""

    def __init__(
        self,
        settings: DispatchSettings,
        rules: Sequence[Rule],
        metrics: DispatcherMetrics,
        stack: AsyncExitStack,
    ) -> None:
        """Check the names; raises SettingsError."""
        self._settings = settings
        self._metrics = metrics
        self._stack = stack
        self._kind, _, self._where = settings.source.partition(":")
        if self._kind not in {"jsonl", "kafka", "eventstreams"} or not self._where:
            raise SettingsError(f"source: expected {_KINDS}, not {settings.source!r}")
        if self._kind == "kafka" and settings.checkpoint is not None:
            raise SettingsError("checkpoint: Kafka keeps the offsets of the group itself")
        names = "-".join(_NOT_IN_A_NAME.sub("_", rule.name) for rule in rules)
        self._group = settings.group or f"dispatcher-{names}"
        self._writer: KafkaWriter | None = None

    def source(self, *, peek: bool = False) -> EventSource:
        """Return the source of events; with ``peek`` reading commits nothing. Raises SettingsError."""
        settings = self._settings
        if self._kind == "jsonl":
            return JsonlSource.from_path(self._where, None if peek else self._checkpoint(settings.source))
        if self._kind == "eventstreams":
            try:
                url = stream_url(self._where)
            except ProxyError as exc:
                raise SettingsError(str(exc)) from exc
            except ValueError as exc:
                raise SettingsError(f"source: {exc}") from exc
            return EventStreamsSource(
                url,
                user_agent=settings.user_agent,
                since=settings.since,
                checkpoint=None if peek else self._checkpoint(f"eventstreams:{url}"),
                on_reconnect=self._metrics.note_reconnect,
            )
        group = f"{self._group}.peek.{uuid.uuid4()}" if peek else self._group
        return self._kafka(self._topics(), group, from_start=settings.from_start, keeps_offsets=not peek)

    async def retry_topic(self) -> tuple[RetryTopic, EventSource] | tuple[None, None]:
        """Return the writer and the source of the retry topic, or None twice if retries wait in the process.

        Raises:
            SettingsError: Kafka cannot be used.
            DeadLetterError: the topic does not exist and cannot be created.

        """
        settings = self._settings
        if self._kind != "kafka" or settings.to_end or settings.retry_topic == NO_RETRY_TOPIC:
            return None, None
        prefix = f"{settings.datacentres[0]}." if settings.datacentres else ""
        topic = settings.retry_topic or f"{prefix}{self._group}.retry"
        writer = self._open_writer()
        await writer.find(topic)
        # A new group reads the topic from its start, so that it misses no event that waits there.
        source = self._kafka([topic], f"{self._group}.retry", from_start=True)
        return RetryTopic(writer, topic), RetryTopicSource(source)

    async def dead_letters(self) -> DeadLetters:
        """Open the file or topic of dead letters; raises SettingsError and DeadLetterError."""
        written = self._settings.dead_letters
        topic = _topic_of(str(written))
        if topic is None:
            return self._opened(DeadLetterFile, Path(written))
        writer = self._open_writer()
        await writer.find(topic)
        return DeadLetterTopic(writer, topic)

    def skips(self) -> SkipFile | None:
        """Open the file of skips, if there is one; raises SettingsError."""
        return None if self._settings.skips is None else self._opened(SkipFile, self._settings.skips)

    def _opened(self, kind: Callable[[Path], AbstractContextManager[_File]], path: Path) -> _File:
        try:
            return self._stack.enter_context(kind(path))
        except DeadLetterError as exc:
            raise SettingsError(str(exc)) from exc

    def _checkpoint(self, source: str) -> SourceCheckpoint | None:
        path = self._settings.checkpoint
        if path is None:
            return None
        try:
            checkpoints = CheckpointFile(path)
            self._stack.callback(checkpoints.close)
            return checkpoints.of(source)
        except SourceCheckpointError as exc:
            raise SettingsError(f"checkpoint: {exc}") from exc

    def _topics(self) -> list[str]:
        try:
            return topic_names(self._where, self._settings.datacentres)
        except SourceNameError as exc:
            raise SettingsError(str(exc)) from exc

    def _kafka(
        self, topics: Sequence[str], group: str, *, from_start: bool, keeps_offsets: bool = True
    ) -> EventSource:
        settings = self._kafka_settings()
        # The extra with confluent-kafka may not be installed.
        from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415
        from revertrisk.streams.kafka_start_offsets import Start  # noqa: PLC0415

        try:
            return KafkaSource(
                settings,
                topics,
                group,
                start=Start.EARLIEST if from_start else self._settings.since or Start.NEWEST,
                to_end=self._settings.to_end,
                keeps_offsets=keeps_offsets,
                listener=self._metrics,
            )
        except KafkaSettingsError as exc:
            raise SettingsError(str(exc)) from None

    def _open_writer(self) -> "KafkaWriter":
        if self._writer is None:
            settings = self._kafka_settings()
            from revertrisk.dispatcher.kafka_writer import KafkaWriter  # noqa: PLC0415 - as above

            try:
                self._writer = KafkaWriter(settings)
            except KafkaSettingsError as exc:
                raise SettingsError(str(exc)) from None
            self._stack.push_async_callback(self._writer.close)
        return self._writer

    def _kafka_settings(self) -> KafkaSettings:
        if importlib.util.find_spec("confluent_kafka") is None:
            raise SettingsError("Kafka needs the extra: pip install 'revertrisk-events[kafka]'")
        try:
            return KafkaSettings.parse(self._settings.kafka, os.environ)
        except KafkaSettingsError as exc:
            raise SettingsError(str(exc)) from exc


def target_of(target: str | None) -> str | None:
    """Return the base address without a slash at its end; raises SettingsError."""
    if target is None:
        return None
    if not is_base_address(target):
        # The value is not repeated: it can contain a password.
        raise SettingsError("target: expected http://host:port or https://host, with at most a path")
    return target.rstrip("/")


def _topic_of(dead_letters: str) -> str | None:
    """Return the topic of ``kafka:TOPIC``, None for a file; raises SettingsError."""
    kind, colon, topic = dead_letters.partition(":")
    if kind != "kafka" or not colon:
        return None
    if not TOPIC.fullmatch(topic):
        raise SettingsError(f"dead_letters: {topic!r} is not the name of a topic")
    return topic
