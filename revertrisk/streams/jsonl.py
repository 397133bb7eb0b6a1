"""Read events from a file or standard input, one JSON object a line, plain or compressed.

A line may also be the body of a request, ``{"event": …}``. Somebody may be writing the last line of a file: without its
newline it is taken if it is a whole object, and comes again; otherwise it waits for the next run. The end of a pipe, of
standard input or of compressed content ends its line. Memory is bounded by one chunk and one line.
"""

import asyncio
import hashlib
import io
import logging
import os
import stat
import threading
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
    KEPT_OF_A_LONG_RECORD,
    Position,
    SourcedEvent,
    SourceError,
    UnreadableReason,
    UnreadableRecord,
    read_record,
    unwrapped,
)
from revertrisk.streams.checkpoints import SourceCheckpoint, SourceCheckpointError

log = logging.getLogger(__name__)

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_STDIN = 0

T = TypeVar("T")


class JsonlSource:
    """The lines of one file or pipe; blank ones are passed over, unreadable ones are reported."""

    def __init__(
        self, name: str, open_raw: Callable[[], io.FileIO], checkpoint: SourceCheckpoint | None = None
    ) -> None:
        """Take the name that positions and errors carry, and how to open the unbuffered input."""
        self._name = name
        self._open_raw = open_raw
        self._checkpoint = checkpoint
        self._may_grow = False
        self._fingerprint = ""
        """Of the first line: whether a checkpoint is of this input or of another one with its name."""

    @classmethod
    def from_path(cls, path: str, checkpoint: SourceCheckpoint | None = None) -> "JsonlSource":
        """Read a file, or standard input where the path is ``-``; a checkpoint makes it continue where it was."""
        if path == "-":
            # The descriptor and not sys.stdin: a thread still waiting in sys.stdin's buffer when the
            # interpreter ends is a fatal error.
            return cls("jsonl:-", partial(io.FileIO, _STDIN, closefd=False), checkpoint)
        return cls(f"jsonl:{path}", partial(io.FileIO, path), checkpoint)

    async def events(self) -> AsyncGenerator[SourcedEvent | UnreadableRecord, None]:
        """Yield the lines in order.

        Raises:
            SourceError: the input cannot be opened or read, or its compressed content is damaged or cut off, or the
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
                    if number == 1:
                        line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901
                        self._check_fingerprint(line, done)
                    if number <= done.line:
                        continue
                    record = self._record(number, line)
                    if not chunk and self._may_grow:
                        record = self._last(record)
                    if record is not None:
                        yield record
                if not chunk:
                    return
        finally:
            if idle:
                stream.close()
            else:  # a thread is inside the stream, a pipe can keep it for ever, and closing waits for it
                threading.Thread(target=stream.close, name="jsonl-closer", daemon=True).start()

    async def commit(self, position: Position) -> None:
        """Remember the line in the checkpoint, if there is one; raises SourceError."""
        if self._checkpoint is not None:
            done = {"line": position.offset, "first_line": self._fingerprint}
            try:
                await self._checkpoint.write(orjson.dumps(done).decode())
            except SourceCheckpointError as exc:
                raise SourceError(str(exc)) from exc

    async def close(self) -> None:
        """Do nothing: the reading closes the file."""

    async def _read_checkpoint(self) -> "_Done":
        try:
            kept = await self._checkpoint.read() if self._checkpoint is not None else None
        except SourceCheckpointError as exc:
            raise SourceError(str(exc)) from exc
        if kept is None:
            return _Done(0, None)
        done = orjson.loads(kept)
        return _Done(done["line"], done["first_line"])

    def _check_fingerprint(self, first_line: bytes, done: "_Done") -> None:
        self._fingerprint = hashlib.sha256(first_line).hexdigest()
        if done.first_line not in {None, self._fingerprint}:
            raise SourceError(
                f"{self._name}: the checkpoint is of another input: its first line was a different one; "
                "use another checkpoint file"
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
        # Nobody appends to a compressed line.
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

    def _record(self, number: int, line: bytes) -> SourcedEvent | UnreadableRecord | None:
        position = Position(self._name, number)
        if len(line) > MAX_LINE_BYTES:
            return UnreadableRecord(line[:KEPT_OF_A_LONG_RECORD], UnreadableReason.TOO_LONG, position)
        text = line.strip()
        if not text:
            return None
        record = read_record(text, position)
        return replace(record, event=unwrapped(record.event)) if isinstance(record, SourcedEvent) else record

    def _last(self, record: SourcedEvent | UnreadableRecord | None) -> SourcedEvent | None:
        """Return the event of a last line without its newline, None where the line is not whole."""
        if isinstance(record, SourcedEvent):
            return replace(record, position=replace(record.position, is_open=True))
        if record is not None:
            log.warning("%s: the last line is not whole; it waits for its end", self._name)
        return None


@dataclass(frozen=True, slots=True)
class _Done:
    """What a checkpoint says of an input."""

    line: int
    """The last line that is done; 0 for none."""
    first_line: str | None
    """The fingerprint of the input's first line; None where nothing is known."""


async def _in_daemon_thread(call: Callable[[], T]) -> T:
    """Run a blocking call in a thread that holds up neither the event loop nor the end of the process.

    A thread of asyncio's own pool is joined at exit, and reading an idle pipe may never return.
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
        except Exception as exc:  # noqa: BLE001 (handed to the awaiting side, whatever it is)
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nothing waits any more
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=run, name="jsonl-reader", daemon=True).start()
    return await future
