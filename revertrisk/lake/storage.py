"""Finds and reads the files of a lake, in a folder or in an object store with the S3 API."""

# ruff: noqa: PLC0415 - the client of object stores is imported only for a lake in one

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from revertrisk.lake.errors import LakeConfigurationError
from revertrisk.lake.schema import TABLES

SCHEME: Final = "s3://"
_ADDRESS: Final = re.compile(r"s3://[^/]+(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)+")
"""deltalake and our other client escape all other characters differently, and would use two places."""
_NOT_IN_FOLDERS: Final = re.compile(r"[*?\[\]%\\|^\x00-\x1f\x7f]")
"""The engine or deltalake reads these as a pattern or an escaped character, or cannot read them."""
_COLUMNS: Final = frozenset(name for table in TABLES for name in table.column_names)
READ_BYTES: Final = 8 * 1024 * 1024
"""The size of one read when a whole file is read."""


def is_remote(root: str) -> bool:
    """Return whether a lake is in an object store."""
    return root.startswith(SCHEME)


def as_root(written: str) -> str:
    """Return a lake's root in its one form: an absolute path, or ``s3://BUCKET/PREFIX``.

    Raises:
        LakeConfigurationError: it is neither a path nor such an address.

    """
    if is_remote(written):
        bucket, _, prefix = written.removeprefix(SCHEME).partition("/")
        root = f"{SCHEME}{bucket}/{prefix.strip('/')}"
        if not _ADDRESS.fullmatch(root):
            raise LakeConfigurationError(
                f"{written}: expected s3://BUCKET/PREFIX, with ASCII letters, digits and . _ = -, and no dot after a /"
            )
    elif "://" in written:
        raise LakeConfigurationError(f"{written}: expected a folder or s3://BUCKET/PREFIX")
    else:
        root = str(Path(written).absolute())
        if _NOT_IN_FOLDERS.search(root):
            raise LakeConfigurationError(
                f"{root!r}: expected a path without * ? [ ] % \\ | ^ and control characters"
            )
    for part in root.split("/"):
        name, equals, _ = part.partition("=")
        if equals and name in _COLUMNS:  # the engine would take the value for that of the column
            raise LakeConfigurationError(f"{root}: expected no part such as {part}, since {name} is a column")
    return root


def options(root: str) -> dict[str, str] | None:
    """Return deltalake's options for an object store; None for a folder."""
    if not is_remote(root):
        return None
    from revertrisk.lake.object_store import delta_options

    return delta_options()


def names_at(root: str) -> list[str]:
    """Return the names directly in a lake's root; an empty list if it does not exist.

    Raises:
        LakeConfigurationError: the root is a file.
        LakeError: the object store cannot be read.

    """
    if is_remote(root):
        from revertrisk.lake import object_store

        return object_store.names_at(root)
    folder = Path(root)
    if not folder.exists():
        return []
    if not folder.is_dir():
        raise LakeConfigurationError(f"{root}: expected a folder")
    return sorted(each.name for each in folder.iterdir())


def require_safe_commits(root: str) -> None:
    """Refuse an object store in which two writers could lose each other's rows; raises LakeConfigurationError."""
    if is_remote(root):
        from revertrisk.lake import object_store

        object_store.require_conditional_put(root)


def files_under(root: str) -> Iterator[str]:
    """Yield the path or address of every file of a lake; raises LakeError."""
    if is_remote(root):
        from revertrisk.lake import object_store

        yield from object_store.objects_under(root)
    else:
        yield from (str(path) for path in Path(root).rglob("*") if path.is_file())


def contains_any(root: str, address: str, sought: Collection[bytes]) -> bool:
    """Return whether the bytes of a file contain one of ``sought``; raises LakeError."""
    overlap = max(map(len, sought), default=1) - 1
    before = b""
    for part in _parts(root, address):
        window = before + part
        if any(each in window for each in sought):
            return True
        before = window[-overlap:] if overlap else b""
    return False


def _parts(root: str, address: str) -> Iterator[bytes]:
    if is_remote(root):
        from revertrisk.lake import object_store

        yield from object_store.parts_of(root, address)
        return
    with Path(address).open("rb") as file:
        while part := file.read(READ_BYTES):
            yield part
