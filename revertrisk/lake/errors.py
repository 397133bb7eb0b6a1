"""What can be wrong with a lake; each text is a sentence that says what to do."""

import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

EXIT_DONE: Final = 0
EXIT_FOUND_WRONG: Final = 1
"""Something was lost, is damaged or does not agree."""
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78
"""EX_CONFIG of sysexits.h: the lake, its key or a setting does not fit; nothing was done."""


class LakeError(Exception):
    """The lake cannot be read or written (any further)."""

    exit_status = EXIT_FOUND_WRONG


class LakeUsageError(LakeError):
    """A flag or a query cannot be used."""

    exit_status = EXIT_USAGE


class LakeConfigurationError(LakeError):
    """The folder is no lake, of another format, or its key is missing or another one."""

    exit_status = EXIT_CONFIGURATION


_DISK_IS_FULL: Final = "No space left on device"
_STDERR: Final = 2
_holding = threading.Lock()
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m|\u21b3")
_LONGEST: Final = 300


def words_of(error: BaseException) -> str:
    """Return what a library's error says, in one line of bounded length."""
    if _DISK_IS_FULL in str(error):
        return "the disk is full; what is not in the lake yet will be read again"
    text = _COLOURS.sub("", str(error).partition("\n\n")[0])
    return " ".join(text.split())[:_LONGEST] or type(error).__name__


@contextmanager
def no_panic_of_a_full_disk() -> Iterator[None]:
    """Hold back what is written to standard error, and drop it if the error that is raised is that of a full disk.

    deltalake raises an error then, and a thread of it prints a panic of Rust besides. With it goes what else is written
    in that moment. In every other case all of it is written when the context ends.
    """
    # Without a standard error its number is another file's. And one thread at a time can hold it back, for all.
    if sys.stderr is None or not _holding.acquire(blocking=False):
        yield
        return
    try:
        with _in_memory() as held:
            before = os.dup(_STDERR)
            os.dup2(held, _STDERR)
            is_full = False
            try:
                yield
            except Exception as exc:
                is_full = _DISK_IS_FULL in str(exc)
                raise
            finally:
                os.dup2(before, _STDERR)
                os.close(before)
                size = 0 if is_full else os.lseek(held, 0, os.SEEK_END)
                with suppress(OSError):  # nobody reads it; the table was changed all the same
                    os.write(_STDERR, os.pread(held, size, 0))
    finally:
        _holding.release()


@contextmanager
def _in_memory() -> Iterator[int]:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("revertrisk-stderr")
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()
