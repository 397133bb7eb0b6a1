"""Decompresses an input in limited memory, by its first bytes, and splits it into lines.

Reading a file or a pipe returns the data that is there, and does not wait for a full buffer.
"""

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

import zstandard

CHUNK_BYTES: Final = 1 << 18
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Far larger than any event that EventGate accepts, and any labelled edit."""
_XZ_MEMORY: Final = 256 << 20
"""The limit of memory for xz and lzma; ``xz -9`` needs a quarter of it."""
_ZSTANDARD_PIECE: Final = 1024
"""The compressed bytes passed to Zstandard at a time. Four bytes can expand to 128 KiB, so 1 KiB to at most 32 MiB."""
_ARCHIVES: Final = {b"7z\xbc\xaf\x27\x1c": "7z", b"PK\x03\x04": "zip"}


class PackedFileError(ValueError):
    """An input cannot be read or decompressed; the message does not name it."""


class ByteStream(Protocol):
    """The methods of a binary file that a reader of lines needs."""

    def read1(self, size: int, /) -> bytes:
        """Return at most about ``size`` bytes as soon as there are any; b"" only at the end."""
        ...

    def close(self) -> None:
        """Close the input."""
        ...


def open_unpacked(raw: io.FileIO) -> ByteStream:
    """Return the decompressed content of an input; block until its first bytes are there.

    A plain input gives an `io.BufferedReader`. Others are compressed with gzip, bzip2, xz, lzma or Zstandard; reading
    them raises PackedFileError if they are damaged.

    Raises:
        PackedFileError: it is a 7z or zip archive.
        OSError: it cannot be read.

    """
    buffered = io.BufferedReader(raw, CHUNK_BYTES)
    head = buffered.peek(6)[:6]
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise PackedFileError(f"{name} archives are not read: unpack it first")
    if head.startswith(b"\x1f\x8b"):
        return _Unpacked(buffered, iter(partial(gzip.GzipFile(fileobj=buffered).read1, CHUNK_BYTES), b""))
    if head.startswith(b"BZh"):
        return _Unpacked(buffered, iter(partial(bz2.BZ2File(buffered).read1, CHUNK_BYTES), b""))
    if head == b"\xfd7zXZ\x00" or head.startswith(b"\x5d\x00\x00"):
        return _Unpacked(buffered, _from_xz(buffered))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _Unpacked(buffered, _from_zstandard(buffered))
    return buffered


def unpacked_chunks(path: Path) -> Iterator[bytes]:
    """Yield the content of a plain or compressed file, in chunks of `CHUNK_BYTES` or more.

    Raises:
        PackedFileError: it cannot be read or decompressed, or is incomplete.

    """
    try:
        with io.FileIO(path) as raw, closing(open_unpacked(raw)) as unpacked:
            gathered = bytearray()
            while piece := unpacked.read1(CHUNK_BYTES):
                gathered += piece
                if len(gathered) >= CHUNK_BYTES:
                    yield bytes(gathered)
                    gathered.clear()
            if gathered:
                yield bytes(gathered)
    except OSError as exc:
        raise PackedFileError(exc.strerror or "cannot be read") from exc


class Lines:
    """Splits chunks into lines; a longer line than `MAX_LINE_BYTES` is cut at one byte more than that."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that a chunk completes; an empty chunk is the end and completes the last one."""
        *ends, begin = chunk.split(b"\n")
        for end in ends:
            self._append(end)
            yield self._take()
        self._append(begin)
        if not chunk and self._rest:
            yield self._take()

    def _append(self, part: bytes) -> None:
        self._rest += part[: MAX_LINE_BYTES + 1 - len(self._rest)]

    def _take(self) -> bytes:
        line = bytes(self._rest)
        self._rest.clear()
        return line


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Split chunks into lines; a line of more than `MAX_LINE_BYTES` is yielded as None."""
    lines = Lines()
    for chunk in chain(chunks, [b""]):
        for line in lines.feed(chunk):
            yield line if len(line) <= MAX_LINE_BYTES else None


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a plain or compressed file that are not blank.

    Raises:
        PackedFileError: the file cannot be read or decompressed.
        ValueError: it is not UTF-8, or has a line of more than `MAX_LINE_BYTES`.

    """
    for line in split_lines(unpacked_chunks(path)):
        if line is None:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES:,} bytes")
        if line.strip():
            yield line.decode("utf-8")


class _Unpacked:
    """The content of a compressed input, chunk by chunk."""

    def __init__(self, packed: io.BufferedIOBase, chunks: Iterator[bytes]) -> None:
        self._packed = packed
        self._chunks = chunks

    def read1(self, _size: int, /) -> bytes:
        try:
            return next(self._chunks, b"")
        except EOFError as exc:
            raise PackedFileError("the packed file is cut off") from exc
        except (lzma.LZMAError, zlib.error, zstandard.ZstdError, OSError) as exc:
            if (
                isinstance(exc, OSError) and exc.errno is not None
            ):  # gzip's and bz2's own errors have no errno
                raise
            if "Memory usage limit" in str(exc):
                raise PackedFileError(
                    f"the packed file needs more than {_XZ_MEMORY >> 20} MiB of memory"
                ) from exc
            raise PackedFileError("the packed file is damaged") from exc

    def close(self) -> None:
        self._packed.close()


def _from_xz(packed: io.BufferedIOBase) -> Iterator[bytes]:
    """Decompress one or more xz streams; `lzma.LZMAFile` is not used, since it has no limit of memory."""
    piece = packed.read1(CHUNK_BYTES)
    while piece:
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not stream.eof:
            if data := stream.decompress(piece, CHUNK_BYTES):
                yield data
            piece = b""
            if stream.needs_input and not stream.eof:
                piece = packed.read1(CHUNK_BYTES)
                if not piece:
                    raise EOFError
        # There can be zero bytes between streams.
        piece = stream.unused_data.lstrip(b"\0")
        while not piece and (more := packed.read1(CHUNK_BYTES)):
            piece = more.lstrip(b"\0")


def _from_zstandard(packed: io.BufferedIOBase) -> Iterator[bytes]:
    """Decompress one or more frames; zstandard's own reader is not used, since it accepts an incomplete frame."""
    decompressor = zstandard.ZstdDecompressor()
    frame: zstandard.ZstdDecompressionObj | None = None
    while arrived := memoryview(packed.read1(CHUNK_BYTES)):
        decoded = bytearray()
        while arrived:
            piece = arrived[:_ZSTANDARD_PIECE]
            frame = frame or decompressor.decompressobj()
            decoded += frame.decompress(piece)
            arrived = arrived[len(piece) - len(frame.unused_data) :]
            if frame.eof:
                frame = None
            if len(decoded) >= CHUNK_BYTES:
                yield bytes(decoded)
                decoded.clear()
        if decoded:
            yield bytes(decoded)
    if frame is not None:
        raise EOFError
