"""Dead letters (events that were given up, with the reason) and skips, written as JSON lines to a file or a topic."""

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
from revertrisk.streams.base import MAX_KEPT_BYTES, Position

log = logging.getLogger(__name__)

_NEWLINE = b"\n"


class DeadLetterError(Exception):
    """Dead letters, the retry topic or skips cannot be written; the message names the file or topic and the cause."""


class RecordTooLargeError(DeadLetterError):
    """A topic refuses a record of this size."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was given up, or a record that is not an event."""

    reason: str
    """``status_<code>``, ``unexpandable``, ``unknown_rule``, or a value of Failure or UnreadableReason."""
    position: Position
    event: dict[str, Any] | None = field(default=None, repr=False)
    raw: bytes | None = field(default=None, repr=False)
    """The original bytes of a record that is not an event."""
    rule: str | None = None
    attempts: int = 0
    status: int | None = None
    code: str | None = None
    topic: str | None = None
    """The Kafka topic that the event first came from, for a redrive."""
    reemit: bool = False
    """Whether its prediction was missing from the stream although the server may have recorded it as accepted."""
    place: str | None = None
    """The EventStreams event id of a record that is not an event."""

    @property
    def beginning(self) -> Self:
        """The letter with only the beginning of its event or record; the position leads to the whole."""
        raw = orjson.dumps(self.event) if self.raw is None else self.raw
        return replace(self, event=None, raw=raw[:MAX_KEPT_BYTES])

    def as_json(self, at: datetime) -> bytes:
        """Return the letter as a line of JSON; a record that is not UTF-8 is written in base64."""
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
        if self.reemit:
            line["reemit"] = True
        if self.raw is None:
            line["event"] = self.event
        else:
            try:
                line["raw"] = self.raw.decode()
            except UnicodeDecodeError:
                line["raw_base64"] = base64.b64encode(self.raw).decode()
        return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


class TopicWriter(Protocol):
    """Appends to Kafka topics."""

    async def write(self, topic: str, value: bytes) -> None:
        """Append a value; return when the brokers have acknowledged it.

        Raises:
            RecordTooLargeError: the topic refuses a value of this size.
            DeadLetterError: it cannot be written.

        """
        ...


class DeadLetters(Protocol):
    """Stores dead letters."""

    async def write(self, letter: DeadLetter) -> None:
        """Store the letter, and wait until it is stored; raises DeadLetterError if it cannot be."""
        ...


class DeadLetterFile:
    """Appends dead letters; a letter is on the disk when :meth:`write` returns."""

    def __init__(self, path: Path) -> None:
        """Open the file for appending, and create it if it is missing; raises DeadLetterError."""
        self._path = path
        self._lock = asyncio.Lock()
        try:
            # Unbuffered: bytes that could not be written must not be written again when the file is closed.
            self._file = path.open("a+b", buffering=0)
            end_partial_line(self._file)
        except OSError as exc:
            raise DeadLetterError(f"dead_letters: {path}: cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    async def write(self, letter: DeadLetter) -> None:
        """Append a letter and sync it to the disk; raises DeadLetterError."""
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


def end_partial_line(file: io.FileIO) -> None:
    """Add a newline if a crash left an incomplete last line, so that the next line stays whole; raises OSError."""
    if file.seek(0, os.SEEK_END) == 0:
        return
    file.seek(-1, os.SEEK_END)
    if file.read(1) != _NEWLINE:
        file.write(_NEWLINE)


def write_whole(file: io.FileIO, line: bytes) -> None:
    """Append a line to an unbuffered file, which can write it in parts; raises OSError."""
    unwritten = memoryview(line)
    while unwritten:
        unwritten = unwritten[file.write(unwritten) :]


class DeadLetterTopic:
    """Writes dead letters to a topic, in the format of a line of the file."""

    def __init__(self, writer: TopicWriter, topic: str) -> None:
        self._writer = writer
        self._topic = topic

    async def write(self, letter: DeadLetter) -> None:
        """Write a letter, and wait until the brokers acknowledge it.

        If the topic refuses its size, write only its beginning.

        Raises:
            DeadLetterError: it cannot be written.

        """
        now = datetime.now(UTC)
        try:
            await self._writer.write(self._topic, letter.as_json(now).rstrip())
        except RecordTooLargeError:
            log.warning(
                "%s: the dead letter is too large for %s: its beginning is kept", letter.position, self._topic
            )
            await self._writer.write(self._topic, letter.beginning.as_json(now).rstrip())


class SkipFile:
    """Appends a line for each revision that the server skipped, so that a reconciliation does not report it missing.

    If a crash loses a line, a reconciliation reports that revision as missing, and the server skips it again.
    """

    def __init__(self, path: Path) -> None:
        """Open the file for appending; raises DeadLetterError."""
        self._path = path
        try:
            self._file = path.open("a+b", buffering=0)
            end_partial_line(self._file)
        except OSError as exc:
            raise DeadLetterError(f"skips: {path}: cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def note_outcome(self, outcome: Outcome) -> None:
        """Append an outcome if it is a skip of a revision; raises DeadLetterError if it cannot be written."""
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
