"""A local file of predictions, one JSON object a line."""

import asyncio
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import orjson

_BLOCK = 1 << 16


class OutputError(Exception):
    """The file of predictions cannot be used; the message names it and the cause."""


class PredictionFile:
    """Appends predictions, one a line; a line is synced to the disk when :meth:`append` returns."""

    def __init__(self, path: Path) -> None:
        """Open the file, and remove an incomplete last line that a crash left; raises OutputError."""
        self.path = path
        self._lock = asyncio.Lock()
        try:
            self._file = path.open("a+b", buffering=0)
            self._file.truncate(self._end_of_last_line())
        except OSError as exc:
            raise OutputError(f"local: {path} cannot be written: {exc.strerror}") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def revisions(self) -> Iterator[tuple[str, int]]:
        """Yield the wiki and revision of each prediction; raises OutputError if a line is not a prediction."""
        with self.path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                match _parsed(line):
                    case {"wiki_id": str(wiki_id), "revision": {"rev_id": int(rev_id)}}:
                        yield wiki_id, rev_id
                    case _:
                        raise OutputError(f"local: {self.path}: line {number} is not a prediction")

    async def append(self, event: Mapping[str, Any]) -> None:
        """Write one prediction; raises OutputError."""
        line = orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE)
        async with self._lock:
            try:
                await asyncio.to_thread(self._append, line)
            except OSError as exc:
                raise OutputError(f"local: {self.path} cannot be written: {exc.strerror}") from exc

    def _append(self, line: bytes) -> None:
        unwritten = memoryview(line)
        while unwritten:
            unwritten = unwritten[self._file.write(unwritten) :]
        os.fsync(self._file.fileno())

    def _end_of_last_line(self) -> int:
        with self.path.open("rb") as whole:
            end = whole.seek(0, os.SEEK_END)
            while end:
                start = max(0, end - _BLOCK)
                whole.seek(start)
                newline = whole.read(end - start).rfind(b"\n")
                if newline >= 0:
                    return start + newline + 1
                end = start
        return 0


def _parsed(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
