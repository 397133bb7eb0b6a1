"""Writes a file that appears when it is complete, and tells whether an output would replace an input."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def complete_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that has its name only after the context has ended without an error.

    Until then an earlier file of that name stays as it is. What is not a file, such as ``/dev/stdout``, is written to
    directly.

    Raises:
        OSError: it cannot be written; ``filename`` is the path.

    """
    target = path.resolve()
    is_file = target.is_file() or not target.exists()
    unfinished = target.with_name(f".{target.name}.{os.getpid()}.tmp") if is_file else target
    try:
        with unfinished.open("wb") as out:
            yield out
        if is_file:
            unfinished.replace(target)
    except OSError as exc:
        if exc.filename == str(unfinished):
            exc.filename = str(path)
        raise
    finally:
        if is_file:
            unfinished.unlink(missing_ok=True)


def is_same_file(one: Path | str, other: Path | str) -> bool:
    """Return whether two paths are of one file, by whatever names or links; it need not exist. A device is no file."""
    one, other = Path(one).resolve(), Path(other).resolve()
    if not one.is_file():
        return one == other and not one.exists()
    return other.is_file() and one.samefile(other)
