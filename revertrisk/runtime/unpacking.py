"""Unpacks an input by what its first bytes say, in bounded memory, and cuts it into lines.

Files and pipes alike give what has arrived rather than wait for a full buffer.
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
"""Far above any event that EventGate accepts, and any labelled edit."""
_XZ_MEMORY: Final = 256 << 20
"""What xz and lzma may take to unpack; ``xz -9`` needs a quarter of it."""
_ZSTANDARD_PIECE: Final = 1024
"""Packed bytes given to Zstandard at once. Four of them can stand for 128 KiB, so 1 KiB is at most 32 MiB."""
_ARCHIVES: Final = {b"7z\xbc\xaf\x27\x1c": "7z", b"PK\x03\x04": "zip"}


class PackedFileError(ValueError):
    """An input cannot be read or unpacked; the message does not name it."""


class ByteStream(Protocol):
    """The part of a binary file that a reader of lines needs."""

    def read1(self, size: int, /) -> bytes:
        """Return some bytes as soon as there are any, about ``size`` at most, and none only at the end."""
        ...

    def close(self) -> None:
        """Close the input."""
        ...


def open_unpacked(raw: io.FileIO) -> ByteStream:
    """Return what an input holds; blocks until its first bytes are there.

    It may be plain, which gives an `io.BufferedReader`, or packed with gzip, bzip2, xz, lzma or Zstandard. Reading
    raises PackedFileError where it is damaged.

    Raises:
        PackedFileError: it is an archive.
        OSError: it cannot be read.

    """
    buffered = io.BufferedReader(raw, CHUNK_BYTES)
    head = buffered.peek(6)[:6]
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise PackedFileError(f"{name} archives are not read; unpack it first")
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
    """Yield what a file holds, plain or packed, in chunks of `CHUNK_BYTES` and more.

    Raises:
        PackedFileError: it cannot be read or unpacked, or ends too early.

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
    """Cuts chunks into lines; of one that is longer than `MAX_LINE_BYTES` a single byte more than that is kept."""

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
    """Cut chunks into lines; None stands for one of more than `MAX_LINE_BYTES`."""
    lines = Lines()
    for chunk in chain(chunks, [b""]):
        for line in lines.feed(chunk):
            yield line if len(line) <= MAX_LINE_BYTES else None


def text_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file that are not blank, plain or packed.

    Raises:
        PackedFileError: the file cannot be read or unpacked.
        ValueError: it is not UTF-8, or has a line of more than `MAX_LINE_BYTES`.

    """
    for line in split_lines(unpacked_chunks(path)):
        if line is None:
            raise ValueError(f"a line of more than {MAX_LINE_BYTES:,} bytes")
        if line.strip():
            yield line.decode("utf-8")


class _Unpacked:
    """What a packed input holds, chunk by chunk."""

    def __init__(self, packed: io.BufferedIOBase, chunks: Iterator[bytes]) -> None:
        self._packed = packed
        self._chunks = chunks

    def read1(self, _size: int, /) -> bytes:
        try:
            return next(self._chunks, b"")
        except EOFError as exc:
            raise PackedFileError("the packed file is cut off") from exc
        except (lzma.LZMAError, zlib.error, zstandard.ZstdError, OSError) as exc:
            if isinstance(exc, OSError) and exc.errno is not None:  # gzip and bz2 give none
                raise
            if "Memory usage limit" in str(exc):
                raise PackedFileError(
                    f"the packed file needs more than {_XZ_MEMORY >> 20} MiB of memory"
                ) from exc
            raise PackedFileError("the packed file is damaged") from exc

    def close(self) -> None:
        self._packed.close()


def _from_xz(packed: io.BufferedIOBase) -> Iterator[bytes]:
    """Unpack one or more streams; the standard library's own reader sets no bound on the memory."""
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
        # Streams may be padded with zeros.
        piece = stream.unused_data.lstrip(b"\0")
        while not piece and (more := packed.read1(CHUNK_BYTES)):
            piece = more.lstrip(b"\0")


def _from_zstandard(packed: io.BufferedIOBase) -> Iterator[bytes]:
    """Unpack one or more frames; the library's own reader takes a cut-off frame for a whole one."""
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
