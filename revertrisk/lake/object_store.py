"""A lake in an object store with the S3 API: lists, reads and tests it with obstore, beside deltalake.

Only this module imports obstore. It and deltalake use the same Rust library, so they read the same variables:
AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. Without keys they use the
identity of the pod or of the machine.
"""

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import obstore
from fsspec import AbstractFileSystem
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, S3Store

from revertrisk.lake.errors import LakeConfigurationError, LakeError, message_of
from revertrisk.lake.storage import READ_BYTES, SCHEME

PROBES: Final = "_conditional_put"
"""Objects with this prefix belong to no lake; each is deleted at once."""
UNSAFE_VARIABLES: Final = ("AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER")
"""If one of these is set, deltalake commits in a way that the probe does not test."""
_RETRIES: Final = 3
_RETRY_S: Final = 30


def delta_options() -> dict[str, str]:
    """Return the options for deltalake; it reads all others from the environment."""
    return {"aws_conditional_put": "etag", "allow_http": str(_is_plain_http()).lower()}


def open_store(root: str) -> ObjectStore:
    """Return the store of a lake, with paths relative to the lake's root; this sends no request."""
    return S3Store.from_url(
        root,
        client_options={"allow_http": _is_plain_http()},
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
    )


def names_at(root: str) -> list[str]:
    """Return the names directly below a lake's root.

    Raises:
        LakeError: the store cannot be reached, or refuses to list objects.

    """
    with _errors_as_lake_errors(root):
        found = obstore.list_with_delimiter(open_store(root))
    prefixes = [str(prefix).rstrip("/") for prefix in found["common_prefixes"]]
    names = {path.rpartition("/")[2] for path in (*prefixes, *(each["path"] for each in found["objects"]))}
    return sorted(names - {PROBES})


def objects_under(root: str) -> Iterator[str]:
    """Yield the address of every object of a lake; raises LakeError."""
    with _errors_as_lake_errors(root):
        for part in obstore.list(open_store(root)):
            yield from (f"{root}/{each['path']}" for each in part)


def parts_of(root: str, address: str) -> Iterator[bytes]:
    """Yield the bytes of an object in parts of at least `READ_BYTES`; raises LakeError."""
    with _errors_as_lake_errors(root):
        answer = obstore.get(open_store(root), address.removeprefix(f"{root}/"))
        for part in answer.stream(min_chunk_size=READ_BYTES):
            yield bytes(part)


def require_conditional_put(root: str, store: ObjectStore | None = None) -> None:
    """Check that the store has conditional PUT: it refuses to replace an existing object. Commits depend on it.

    If two writers commit the same version, the store must refuse the second. A store that accepts both loses the rows
    of the first without an error.

    Raises:
        LakeConfigurationError: the store replaces objects, fails, or a variable turns conditional PUT off.

    """
    for name in UNSAFE_VARIABLES:
        if os.environ.get(name):
            raise LakeConfigurationError(
                f"{name}: a lake is committed only by conditional PUT; unset this variable"
            )
    store = store or open_store(root)
    probe = f"{PROBES}/{secrets.token_hex(8)}"
    try:
        obstore.put(store, probe, b"first", mode="create")
        try:
            obstore.put(store, probe, b"second", mode="create")
        except AlreadyExistsError:
            return
        finally:
            obstore.delete(store, probe)
    except (BaseError, OSError) as exc:
        raise LakeConfigurationError(
            f"{root}: the object store cannot be written: {message_of(exc)}"
        ) from exc
    raise LakeConfigurationError(
        f"{root}: the object store accepts a PUT with If-None-Match: * for an object that exists; "
        "a lake needs a store with conditional PUT, or rows would be lost"
    )


class ObjectFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """The file system through which DuckDB reads a lake's objects. They never change, so their sizes are cached."""

    protocol = SCHEME.partition(":")[0]
    cachable = False

    def __init__(self, root: str) -> None:
        """Take a lake's root."""
        super().__init__()
        self._root = root
        self._objects = open_store(root)
        self._sizes: dict[str, int] = {}

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path itself: the paths come from the lake's log and have no wildcards."""
        return [path]

    def modified(self, path: str) -> datetime:
        """Return a constant time: objects do not change."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def size(self, path: str) -> int:
        """Return an object's size in bytes.

        Raises:
            FileNotFoundError: there is no such object, or it was removed.

        """
        if path not in self._sizes:
            try:
                self._sizes[path] = obstore.head(self._objects, self._relative(path))["size"]
            except FileNotFoundError:
                raise FileNotFoundError(f"No such file: {path}") from None
        return self._sizes[path]

    def open(self, path: str, mode: str = "rb", **_: Any) -> "ObjectFile":
        """Return an object for reading; this sends no request."""
        if mode != "rb":
            raise OSError(f"{path}: files of a lake can only be read here")
        return ObjectFile(self, path)

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        """Return ``length`` bytes from ``begin``; raises FileNotFoundError."""
        try:
            return bytes(obstore.get_range(self._objects, self._relative(path), start=begin, length=length))
        except FileNotFoundError:
            raise FileNotFoundError(f"No such file: {path}") from None

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self._root}/")


class ObjectFile(io.RawIOBase):
    """One object, read by ranges. DuckDB asks for large ranges and caches them, so there is no buffer here."""

    def __init__(self, files: ObjectFiles, path: str) -> None:
        """Begin at the first byte."""
        self._files = files
        self._path = path
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next ``size`` bytes, or all that are left if it is negative."""
        left = self._files.size(self._path) - self._at
        length = left if size < 0 else min(size, left)
        if length <= 0:
            return b""
        content = self._files.read_range(self._path, self._at, length)
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position of the next read and return it."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self._files.size(self._path) if base is None else base)
        return self._at

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._at

    def seekable(self) -> bool:
        """Return True."""
        return True

    def readable(self) -> bool:
        """Return True."""
        return True


def _is_plain_http() -> bool:
    return os.environ.get("AWS_ENDPOINT_URL", "").lower().startswith("http://")


@contextmanager
def _errors_as_lake_errors(root: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as exc:
        raise LakeError(f"{root}: the object store cannot be read: {message_of(exc)}") from exc
