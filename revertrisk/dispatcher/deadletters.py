"""Keep what was given up, with the original event and the reason, and note what was skipped: as JSON lines."""

import asyncio
import base64
import io
import logging
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, Self

import orjson

from revertrisk.dispatcher.outcome import Ending, Outcome
from revertrisk.runtime.instants import iso_z
from revertrisk.streams.base import KEPT_OF_A_LONG_RECORD, Position

log = logging.getLogger(__name__)

_NEWLINE = b"\n"


class DeadLetterError(Exception):
    """Dead letters, the retry topic or skips cannot be written; the text names the place and the cause."""


class RecordTooLargeError(DeadLetterError):
    """A topic does not take a record of this size."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was given up, or a record that is no event."""

    reason: str
    """``status_<code>``, or one of the closed sets Failure, UnreadableReason and ``unexpandable``."""
    position: Position
    event: dict[str, Any] | None = field(default=None, repr=False)
    raw: bytes | None = field(default=None, repr=False)
    """The record as it stood, where it is no event."""
    rule: str | None = None
    attempts: int = 0
    status: int | None = None
    code: str | None = None
    topic: str | None = None
    """The topic of Kafka that the event first came from, for a redrive."""
    place: str | None = None
    """The event id of EventStreams, of a record that is no event."""

    @property
    def beginning(self) -> Self:
        """The letter with no more than the beginning of what it is about, which its position leads to."""
        raw = orjson.dumps(self.event) if self.raw is None else self.raw
        return replace(self, event=None, raw=raw[:KEPT_OF_A_LONG_RECORD])

    def as_json(self, at: datetime) -> bytes:
        """Return the line for the file; a record that is not UTF-8 is kept in base64."""
        line: dict[str, Any] = {
            "dt": iso_z(at),
            "reason": self.reason,
            "rule": self.rule,
            "attempts": self.attempts,
            "status": self.status,
            "code": self.code,
            "partition": self.position.partition,
            "offset": self.position.offset,
        }
        line |= {
            name: value for name, value in (("topic", self.topic), ("place", self.place)) if value is not None
        }
        if self.raw is None:
            line["event"] = self.event
        else:
            try:
                line["raw"] = self.raw.decode()
            except UnicodeDecodeError:
                line["raw_base64"] = base64.b64encode(self.raw).decode()
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class TopicWriter(Protocol):
    """Appends to topics of Kafka."""

    async def write(self, topic: str, value: bytes) -> None:
        """Return when the value is safe there.

        Raises:
            RecordTooLargeError: the topic takes none of this size.
            DeadLetterError: it cannot be written.

        """
        ...


class DeadLetters(Protocol):
    """Where dead letters go."""

    async def write(self, letter: DeadLetter) -> None:
        """Return when the letter is safe; raises DeadLetterError where it cannot be."""
        ...


class DeadLetterFile:
    """Appends dead letters; a letter is on the disk when :meth:`write` returns."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending and make it if it is missing; raises DeadLetterError."""
        self._path = path
        self._lock = asyncio.Lock()
        try:
            # Unbuffered: what could not be written must not be tried again when the file is closed.
            self._file = path.open("a+b", buffering=0)
            end_a_torn_line(self._file)
        except OSError as exc:
            raise DeadLetterError(f"dead_letters: {path}: cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    async def write(self, letter: DeadLetter) -> None:
        """Append a letter and wait until the disk has it; raises DeadLetterError."""
        line = letter.as_json(datetime.now(UTC))
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, line)
            except OSError as exc:
                raise DeadLetterError(
                    f"dead_letters: {self._path}: cannot be written: {exc.strerror}"
                ) from exc

    def _append(self, line: bytes) -> None:
        write_whole(self._file, line)
        os.fsync(self._file.fileno())


def end_a_torn_line(file: io.FileIO) -> None:
    """Keep what a crash left half written at a file's end from swallowing the next line; raises OSError."""
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != _NEWLINE:
        file.write(_NEWLINE)


def write_whole(file: io.FileIO, line: bytes) -> None:
    """Append a line to an unbuffered file, which may take a part of it at a time; raises OSError."""
    unwritten = memoryview(line)
    while unwritten:
        unwritten = unwritten[file.write(unwritten) :]


class DeadLetterTopic:
    """Writes dead letters to a topic, each as a line of the file would be."""

    def __init__(self, writer: TopicWriter, topic: str) -> None:
        self._writer = writer
        self._topic = topic

    async def write(self, letter: DeadLetter) -> None:
        """Write a letter and wait until the brokers have it, of a large one the beginning; raises DeadLetterError."""
        now = datetime.now(UTC)
        try:
            await self._writer.write(self._topic, letter.as_json(now).rstrip())
        except RecordTooLargeError:
            log.warning(
                "%s: the dead letter is too large for %s: its beginning is kept", letter.position, self._topic
            )
            await self._writer.write(self._topic, letter.beginning.as_json(now).rstrip())


class SkipFile:
    """Appends a line for each revision that the server skipped: a reconciliation must not take it for missing.

    A line that a crash loses is found missing, and skipped again.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for appending; raises DeadLetterError."""
        self._path = path
        try:
            self._file = path.open("a+b", buffering=0)
            end_a_torn_line(self._file)
        except OSError as exc:
            raise DeadLetterError(f"skips: {path}: cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note_outcome(self, outcome: Outcome) -> None:
        """Append an outcome if it is a skip of a revision; raises DeadLetterError where it cannot be kept."""
        if outcome.ending is not Ending.SKIPPED:
            return
        match outcome.event:
            case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}}:
                skip = {
                    "wiki_id": wiki_id,
                    "rev_id": rev_id,
                    "reason": outcome.detail or "",
                    "rule": outcome.rule,
                }
                try:
                    write_whole(self._file, orjson.dumps(skip, option=orjson.OPT_APPEND_NEWLINE))
                except OSError as exc:
                    raise DeadLetterError(f"skips: {self._path}: cannot be written: {exc.strerror}") from exc
