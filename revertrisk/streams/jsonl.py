"""Reads events from a file or standard input, one JSON object a line, plain or compressed.

A line can also be the body of a request, ``{"event": …}``. Another program may still be writing the last line of a
file. If this line has no newline but is a whole object, it is yielded, and the next run yields it again. If it is
incomplete, the next run reads it. The end of a pipe, of standard input or of compressed content ends its last line.
Memory is limited to one chunk and one line.
"""

import asyncio
import codecs
import hashlib
import io
import logging
import os
import re
import stat
import threading
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import orjson

from revertrisk.runtime.unpacking import (
    CHUNK_BYTES,
    MAX_LINE_BYTES,
    ByteStream,
    Lines,
    PackedFileError,
    open_unpacked,
)
from revertrisk.streams.base import (
    MAX_KEPT_BYTES,
    Position,
    RawRecord,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
    parsed,
    read_record,
    unwrapped,
)
from revertrisk.streams.checkpoints import SourceCheckpoint, SourceCheckpointError

log = logging.getLogger(__name__)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_UTF_16 = frozenset({codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE})
_BODY = re.compile(rb'\{\s*"event"\s*:')
"""The beginning of a line that can be the body of a request."""
_STDIN = 0

T = TypeVar("T")


class JsonlSource:
    """The lines of one file or pipe; blank lines are ignored, unreadable ones are yielded as such."""

    def __init__(
        self, name: str, open_raw: Callable[[], io.FileIO], checkpoint: SourceCheckpoint | None = None
    ) -> None:
        """Take the name for positions and errors, and a function that opens the unbuffered input."""
        self._name = name
        self._open_raw = open_raw
        self._checkpoint = checkpoint
        self._may_grow = False
        self._fingerprint = ""
        """A hash of the first line, which shows whether a checkpoint is of another input with the same name."""

    @classmethod
    def from_path(cls, path: str, checkpoint: SourceCheckpoint | None = None) -> "JsonlSource":
        """Read a file, or standard input if the path is ``-``; with a checkpoint it continues from there."""
        if path == "-":
            # It reads the descriptor, not sys.stdin: a thread that waits in sys.stdin's buffer when the interpreter
            # ends is a fatal error.
            return cls("jsonl:-", partial(io.FileIO, _STDIN, closefd=False), checkpoint)
        return cls(f"jsonl:{path}", partial(io.FileIO, path), checkpoint)

    def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the events in order; raises SourceError as `records`."""
        return parsed(self.records())

    async def records(self) -> AsyncGenerator[RawRecord | UnreadableRecord, None]:
        """Yield the lines in order.

        Raises:
            SourceError: the input cannot be opened or read, its compressed content is damaged or incomplete, or the
                checkpoint is of another input.

        """
        done = await self._read_checkpoint()
        stream = await _in_daemon_thread(self._open)
        lines, number = Lines(), 0
        idle = False
        try:
            while True:
                idle = False
                chunk = await _in_daemon_thread(partial(self._read, stream))
                idle = True
                for line in lines.feed(chunk):
                    number += 1
                    line = self._compared(number, line, done)  # noqa: PLW2901
                    if number <= done.line:
                        continue
                    record = self._record(number, line)
                    if not chunk and self._may_grow:
                        record = self._last(record)
                    if record is not None:
                        yield record
                if not chunk:
                    self._require_lines(number, done)
                    return
        finally:
            if idle:
                stream.close()
            else:  # a thread is reading; a pipe can block it forever, and closing waits for it
                threading.Thread(target=stream.close, name="jsonl-closer", daemon=True).start()

    async def commit(self, position: Position) -> None:
        """Store the line number in the checkpoint, if there is one; raises SourceError."""
        if self._checkpoint is not None:
            done = {
                "line": position.offset,
                "first_line": self._fingerprint,
                "last_line": position.checksum,
            }
            try:
                await self._checkpoint.write(orjson.dumps(done).decode())
            except SourceCheckpointError as exc:
                raise SourceError(str(exc)) from exc

    async def close(self) -> None:
        """Do nothing: `records` closes the file."""

    async def _read_checkpoint(self) -> "_Done":
        try:
            kept = await self._checkpoint.read() if self._checkpoint is not None else None
        except SourceCheckpointError as exc:
            raise SourceError(str(exc)) from exc
        if kept is None:
            return _Done(0, None, None)
        done = orjson.loads(kept)
        return _Done(done["line"], done["first_line"], done.get("last_line"))

    def _compared(self, number: int, line: bytes, done: "_Done") -> bytes:
        """Return a line without a byte order mark; raise SourceError if the checkpoint is of another input."""
        if number == 1:
            line = line.removeprefix(_BYTE_ORDER_MARK)
            self._fingerprint = hashlib.sha256(line).hexdigest()
            if done.first_line not in {None, self._fingerprint}:
                raise self._other_input("whose first line differs")
        if number == done.line and done.last_line not in {None, zlib.crc32(line.strip())}:
            raise self._other_input(f"whose line {number:,} differs")
        return line

    def _require_lines(self, number: int, done: "_Done") -> None:
        if number < done.line:
            raise self._other_input(f"which has {number:,} lines, not {done.line:,}")

    def _other_input(self, how: str) -> SourceError:
        return SourceError(
            f"{self._name}: the checkpoint is of another input, {how}; use another checkpoint "
            "or state file, or for a lake --from-beginning"
        )

    def _open(self) -> ByteStream:
        try:
            raw = self._open_raw()
            try:
                is_file = raw.name != _STDIN and stat.S_ISREG(os.fstat(raw.fileno()).st_mode)
                stream = open_unpacked(raw)
            except (OSError, PackedFileError):
                raw.close()
                raise
        except PackedFileError as exc:
            raise SourceError(f"{self._name}: {exc}") from exc
        except OSError as exc:
            raise SourceError(f"{self._name}: cannot be opened: {exc.strerror}") from exc
        # Every line of a UTF-16 file would become a dead letter.
        if isinstance(stream, io.BufferedReader) and stream.peek(2)[:2] in _UTF_16:
            stream.close()
            raise SourceError(f"{self._name}: UTF-16 is not supported: expected UTF-8")
        # The last line of compressed content does not grow.
        self._may_grow = is_file and isinstance(stream, io.BufferedReader)
        return stream

    def _read(self, stream: ByteStream) -> bytes:
        try:
            return stream.read1(CHUNK_BYTES)
        except PackedFileError as exc:
            stream.close()
            raise SourceError(f"{self._name}: {exc}") from exc
        except OSError as exc:
            stream.close()
            raise SourceError(f"{self._name}: cannot be read: {exc.strerror}") from exc

    def _record(self, number: int, line: bytes) -> RawRecord | UnreadableRecord | None:
        if len(line) > MAX_LINE_BYTES:
            position = Position(self._name, number)
            return UnreadableRecord(line[:MAX_KEPT_BYTES], UnreadableReason.TOO_LONG, position)
        text = line.strip()
        if not text:
            return None
        checksum = None if self._checkpoint is None else zlib.crc32(text)
        record = RawRecord(text, Position(self._name, number, checksum=checksum))
        if _BODY.match(text):
            event = read_record(record)
            if isinstance(event, SourcedEvent) and (inner := unwrapped(event.event)) is not event.event:
                return RawRecord(orjson.dumps(inner), record.position)
        return record

    def _last(self, record: RawRecord | UnreadableRecord | None) -> RawRecord | None:
        """Return the record of a last line without a newline; None if the line is incomplete."""
        if isinstance(record, RawRecord) and isinstance(read_record(record), SourcedEvent):
            return replace(record, position=replace(record.position, is_open=True))
        if record is not None:
            log.warning("%s: the last line is incomplete; it is left to the next run", self._name)
        return None


@dataclass(frozen=True, slots=True)
class _Done:
    """The content of a checkpoint."""

    line: int
    """The last finished line; 0 for none."""
    first_line: str | None
    """The fingerprint of the input's first line; None without a checkpoint."""
    last_line: int | None
    """The checksum of that last finished line; None without a checkpoint, or in one of an earlier version."""


async def _in_daemon_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread that blocks neither the event loop nor the end of the process.

    Threads of asyncio's own pool are joined at exit, and reading an idle pipe may never return.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: Exception | None) -> None:
        if future.done():  # cancelled
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]  # T may be Optional itself

    def run() -> None:
        result, error = None, None
        try:
            result = call()
        except Exception as exc:  # noqa: BLE001 - any exception is raised in the awaiting task
            error = exc
        with suppress(RuntimeError):  # the loop is closed, so no task waits
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="jsonl-reader", daemon=True).start()
    return await future
