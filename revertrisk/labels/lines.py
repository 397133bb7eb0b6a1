"""Reads recorded events: JSON lines, plain or packed with gzip, bzip2, xz, lzma or Zstandard."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from revertrisk.streams.compression import DamagedInputError, open_by_content
from revertrisk.wiki.exports.unpacking import (
    CHUNK_BYTES,
    PackedFileError,
    split_lines,
    unpacked_chunks,
)

_ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def is_export(path: Path) -> bool:
    """Return whether a file holds XML, packed or not: whether its first character is ``<``.

    Raises:
        PackedFileError: it cannot be read or unpacked.

    """
    for chunk in _chunks(path):
        begin = chunk.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if begin:
            # An export in UTF-16 begins with another mark.
            return begin.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<"))
    return False


def recorded_events(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the number and the object of each line that is not blank, None for a line that holds no object.

    A line ``{"event": {…}}``, as the body of a request has it, gives the event in it.

    Raises:
        PackedFileError: the file cannot be read or unpacked.

    """
    for number, line in enumerate(split_lines(_chunks(path)), start=1):
        if line is None or line.strip():
            yield number, None if line is None else _event(line.removeprefix(_BYTE_ORDER_MARK))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    wrapped = value.get("event")
    return wrapped if isinstance(wrapped, dict) and "$schema" not in value and "meta" not in value else value


def _chunks(path: Path) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            is_zstandard = file.peek(4).startswith(_ZSTANDARD)
        if not is_zstandard:
            yield from unpacked_chunks(path)
            return
        stream = open_by_content(io.FileIO(path))
        try:
            while chunk := stream.read1(CHUNK_BYTES):
                yield chunk
        finally:
            stream.close()
    except DamagedInputError as exc:
        raise PackedFileError("the packed file is damaged or cut off") from exc
    except OSError as exc:
        raise PackedFileError(exc.strerror or "cannot be read") from exc
