"""Open a plain, gzip or Zstandard input by what its first bytes say, for files and pipes alike.

Every stream here gives what has arrived rather than wait for a full buffer, keeps its memory bounded
however well the input compresses, and raises where a compressed input is damaged or cut off.
"""

import gzip
import io
import zlib
from typing import Protocol

import zstandard

CHUNK_BYTES = 256 * 1024
_GZIP = b"\x1f\x8b"
_ZSTANDARD = b"\x28\xb5\x2f\xfd"
_NOT_READ = {
    b"BZh": "bzip2 files",
    b"\xfd7zXZ\x00": "xz files",
    b"7z\xbc\xaf": "7z archives",
    b"PK\x03\x04": "zip archives",
    b"\xff\xfe": "UTF-16 files",
    b"\xfe\xff": "UTF-16 files",
}
"""First bytes that no line of JSON has: each line would be a dead letter."""

_PIECE_BYTES = 1024
"""Compressed bytes given to Zstandard at once. Four of them can stand for 128 KiB, so 1 KiB is at most 32 MiB."""


class DamagedInputError(Exception):
    """The compressed content cannot be decoded, or ends in the middle."""


class NotReadError(Exception):
    """The content is of a kind that is not read here; the message names it."""


class ByteStream(Protocol):
    """The part of a binary file that a reader of lines needs."""

    def read1(self, size: int, /) -> bytes:
        """Return up to about ``size`` bytes as soon as there are some, and none only at the end."""
        ...

    def close(self) -> None:
        """Close the input."""
        ...


def open_by_content(raw: io.FileIO) -> ByteStream:
    """Return the decoded content of an input; blocks until its first bytes are there.

    Raises:
        NotReadError: it is packed or encoded in another way.
        OSError: the input cannot be read.

    """
    buffered = io.BufferedReader(raw, CHUNK_BYTES)
    magic = buffered.peek(max(map(len, _NOT_READ)))
    for other, name in _NOT_READ.items():
        if magic.startswith(other):
            raise NotReadError(f"{name} are not read: unpack it, or pipe its text to jsonl:-")
    if magic.startswith(_GZIP):
        return _GzipStream(buffered)
    if magic.startswith(_ZSTANDARD):
        return _ZstandardStream(buffered)
    return buffered


class _GzipStream:
    """One or more gzip members."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._members = gzip.GzipFile(fileobj=raw)

    def read1(self, size: int, /) -> bytes:
        try:
            return self._members.read1(size)
        except (EOFError, zlib.error, gzip.BadGzipFile) as exc:
            raise DamagedInputError from exc

    def close(self) -> None:
        self._members.close()
        self._raw.close()


class _ZstandardStream:
    """One or more Zstandard frames; the library's own reader takes a cut-off frame for a whole one."""

    def __init__(self, raw: io.BufferedIOBase) -> None:
        self._raw = raw
        self._decompressor = zstandard.ZstdDecompressor()
        self._frame: zstandard.ZstdDecompressionObj | None = None
        self._input = memoryview(b"")

    def read1(self, size: int, /) -> bytes:
        decoded = bytearray()
        while len(decoded) < size:
            if not self._input:
                if decoded:
                    break
                self._input = memoryview(self._raw.read1(CHUNK_BYTES))
                if not self._input:
                    if self._frame is not None:
                        raise DamagedInputError
                    break
            decoded += self._decode_piece()
        return bytes(decoded)

    def _decode_piece(self) -> bytes:
        piece = self._input[:_PIECE_BYTES]
        if self._frame is None:
            self._frame = self._decompressor.decompressobj()
        try:
            decoded = self._frame.decompress(piece)
        except zstandard.ZstdError as exc:
            raise DamagedInputError from exc
        used = len(piece) - len(self._frame.unused_data)
        if self._frame.eof:
            self._frame = None
        self._input = self._input[used:]
        return decoded

    def close(self) -> None:
        self._raw.close()
