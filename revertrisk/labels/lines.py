"""Reads recorded events: JSON lines, plain or compressed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from revertrisk.runtime.unpacking import split_lines, unpacked_chunks
from revertrisk.streams.base import unwrapped

_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def is_export(path: Path) -> bool:
    """Return whether a file, plain or compressed, holds XML: its first character is ``<``.

    Raises:
        PackedFileError: it cannot be read or decompressed.

    """
    for chunk in unpacked_chunks(path):
        begin = chunk.removeprefix(_BYTE_ORDER_MARK).lstrip()
        if begin:
            # An export in UTF-16 begins with another byte order mark.
            return begin.startswith((b"<", b"\xff\xfe<", b"\xfe\xff\0<"))
    return False


def recorded_events(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Yield the number and the object of each line that is not blank; None for a line without an object.

    A line ``{"event": {…}}``, the form of a request's body, gives the event in it.

    Raises:
        PackedFileError: the file cannot be read or decompressed.

    """
    for number, line in enumerate(split_lines(unpacked_chunks(path)), start=1):
        if line is None or line.strip():
            yield number, None if line is None else _event(line.removeprefix(_BYTE_ORDER_MARK))


def _event(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return unwrapped(value) if isinstance(value, dict) else None
