"""Unpacks a file by what its first bytes say, in bounded memory, and says in words what is wrong with it."""

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

CHUNK_BYTES: Final = 1 << 18
MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""Far above any event that EventGate accepts, and any labelled edit."""
_XZ_MEMORY: Final = 256 << 20
"""What xz and lzma may take to unpack; ``xz -9`` needs a quarter of it."""
_ARCHIVES: Final = {
    b"7z\xbc\xaf\x27\x1c": "7z archives",
    b"PK\x03\x04": "zip archives",
    b"\x28\xb5\x2f\xfd": "zstd files",
}


class PackedFileError(ValueError):
    """A file cannot be read or unpacked; the message does not name it."""


def unpacked_chunks(path: Path) -> Iterator[bytes]:
    """Yield what a file holds, plain or packed with gzip, bzip2, xz or lzma.

    Raises:
        PackedFileError: it cannot be read or unpacked, or ends too early.

    """
    try:
        with path.open("rb") as file:
            head = file.peek(6)[:6]
            for magic, name in _ARCHIVES.items():
                if head.startswith(magic):
                    raise PackedFileError(f"{name} are not read; unpack it first")
            yield from _chunks(file, head)
    except EOFError as exc:
        raise PackedFileError("the packed file is cut off") from exc
    except (lzma.LZMAError, zlib.error, OSError) as exc:
        reason = getattr(exc, "strerror", None) or "the packed file is damaged"
        if "Memory usage limit" in str(exc):
            reason = f"the packed file needs more than {_XZ_MEMORY >> 20} MiB of memory"
        raise PackedFileError(reason) from exc


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Cut chunks into lines; None stands for one of more than `MAX_LINE_BYTES`, of which no more is held."""
    rest = bytearray()
    for chunk in chunks:
        *ends, begin = chunk.split(b"\n")
        for end in ends:
            rest += end[: MAX_LINE_BYTES + 1 - len(rest)]
            yield bytes(rest) if len(rest) <= MAX_LINE_BYTES else None
            rest.clear()
        rest += begin[: MAX_LINE_BYTES + 1 - len(rest)]
    if rest:
        yield bytes(rest) if len(rest) <= MAX_LINE_BYTES else None


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


def _chunks(file: BinaryIO, head: bytes) -> Iterator[bytes]:
    if head == b"\xfd7zXZ\x00" or head.startswith(b"\x5d\x00\x00"):
        yield from _unpacked_xz(file)
        return
    unpacked = file
    if head.startswith(b"\x1f\x8b"):
        unpacked = gzip.GzipFile(fileobj=file)  # type: ignore[assignment]  # it reads as one
    elif head.startswith(b"BZh"):
        unpacked = bz2.BZ2File(file)  # type: ignore[assignment]  # likewise
    while chunk := unpacked.read(CHUNK_BYTES):
        yield chunk


def _unpacked_xz(file: BinaryIO) -> Iterator[bytes]:
    """Unpack one or more streams; the standard library's own reader sets no bound on the memory."""
    packed = file.read(CHUNK_BYTES)
    while packed:
        stream = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
        while not stream.eof:
            if data := stream.decompress(packed, CHUNK_BYTES):
                yield data
            packed = b""
            if stream.needs_input and not stream.eof:
                packed = file.read(CHUNK_BYTES)
                if not packed:
                    raise EOFError
        # Streams may be padded with zeros.
        packed = stream.unused_data.lstrip(b"\0")
        while not packed and (more := file.read(CHUNK_BYTES)):
            packed = more.lstrip(b"\0")
