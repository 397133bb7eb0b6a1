"""A lake in an object store that speaks S3: the one door to obstore, which lists, reads and probes beside deltalake.

Both are the same library underneath, so they read the same variables: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN; without keys, the identity of the pod or of the machine.
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

from revertrisk.lake.errors import LakeConfigurationError, LakeError, words_of
from revertrisk.lake.storage import READ_BYTES, SCHEME

PROBES: Final = "_conditional_put"
"""Objects below this prefix are no part of a lake; each is deleted at once."""
UNSAFE: Final = ("AWS_S3_ALLOW_UNSAFE_RENAME", "AWS_S3_LOCKING_PROVIDER")
"""With these set a commit is made in another way than the probe tries."""
_RETRIES: Final = 3
_RETRY_S: Final = 30


def delta_options() -> dict[str, str]:
    """Return what deltalake opens tables with; the rest it reads from the environment itself."""
    return {"aws_conditional_put": "etag", "allow_http": str(_is_plain_http()).lower()}


def open_store(root: str) -> ObjectStore:
    """Return the store of a lake, whose paths begin at the lake's root; nothing is asked of it yet."""
    return S3Store.from_url(
        root,
        client_options={"allow_http": _is_plain_http()},
        retry_config={"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_S)},
    )


def names_at(root: str) -> list[str]:
    """Return the names directly below a lake's root.

    Raises:
        LakeError: the store cannot be reached, or does not let us list it.

    """
    with _worded(root):
        found = obstore.list_with_delimiter(open_store(root))
    prefixes = [str(prefix).rstrip("/") for prefix in found["common_prefixes"]]
    names = {path.rpartition("/")[2] for path in (*prefixes, *(each["path"] for each in found["objects"]))}
    return sorted(names - {PROBES})


def objects_under(root: str) -> Iterator[str]:
    """Yield the address of every object of a lake; raises LakeError."""
    with _worded(root):
        for part in obstore.list(open_store(root)):
            yield from (f"{root}/{each['path']}" for each in part)


def parts_of(root: str, address: str) -> Iterator[bytes]:
    """Yield the bytes of an object in parts of some size; raises LakeError."""
    with _worded(root):
        answer = obstore.get(open_store(root), address.removeprefix(f"{root}/"))
        for part in answer.stream(min_chunk_size=READ_BYTES):
            yield bytes(part)


def require_conditional_put(root: str, store: ObjectStore | None = None) -> None:
    """Make sure that the store refuses to write over what is there, which is what makes a commit a commit.

    Where two writers commit the same version, the later one must be refused. A store that lets it pass loses the rows
    of the earlier one and says nothing.

    Raises:
        LakeConfigurationError: the store writes over it, refuses to say, or is told to write without asking.

    """
    for name in UNSAFE:
        if os.environ.get(name):
            raise LakeConfigurationError(f"{name}: a lake is committed by conditional PUT only; unset it")
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
        raise LakeConfigurationError(f"{root}: the object store cannot be written: {words_of(exc)}") from exc
    raise LakeConfigurationError(
        f"{root}: the object store takes a PUT with If-None-Match: * over an object that is there; "
        "a lake needs a store with conditional PUT, or rows would be lost"
    )


class ObjectFiles(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """What DuckDB reads a lake's objects with. Data files are never changed, so each is asked for its size once."""

    protocol = SCHEME.partition(":")[0]
    cachable = False

    def __init__(self, root: str) -> None:
        """Take a lake's root."""
        super().__init__()
        self._root = root
        self._objects = open_store(root)
        self._sizes: dict[str, int] = {}

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path: the lake's log has named it, there is nothing to look for."""
        return [path]

    def modified(self, path: str) -> datetime:
        """Return the same time for ever."""
        return datetime(2026, 1, 1, tzinfo=UTC)

    def size(self, path: str) -> int:
        """Return an object's size in bytes.

        Raises:
            FileNotFoundError: there is no such object (any more).

        """
        if path not in self._sizes:
            try:
                self._sizes[path] = obstore.head(self._objects, self._relative(path))["size"]
            except FileNotFoundError:
                raise FileNotFoundError(f"No such file: {path}") from None
        return self._sizes[path]

    def open(self, path: str, mode: str = "rb", **_: Any) -> "ObjectFile":
        """Return an object for reading; nothing is read yet."""
        if mode != "rb":
            raise OSError(f"{path}: files of a lake are only read")
        return ObjectFile(self, path)

    def read_range(self, path: str, begin: int, length: int) -> bytes:
        """Return so many bytes; raises FileNotFoundError."""
        try:
            return bytes(obstore.get_range(self._objects, self._relative(path), start=begin, length=length))
        except FileNotFoundError:
            raise FileNotFoundError(f"No such file: {path}") from None

    def _relative(self, path: str) -> str:
        return path.removeprefix(f"{self._root}/")


class ObjectFile(io.RawIOBase):
    """One object, read by ranges. DuckDB keeps what it read, and asks for what it needs in one piece."""

    def __init__(self, files: ObjectFiles, path: str) -> None:
        """Begin at the first byte."""
        self._files = files
        self._path = path
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes, all of them where ``size`` is negative."""
        left = self._files.size(self._path) - self._at
        length = left if size < 0 else min(size, left)
        if length <= 0:
            return b""
        content = self._files.read_range(self._path, self._at, length)
        self._at += len(content)
        return content

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at}.get(whence)
        self._at = offset + (self._files.size(self._path) if base is None else base)
        return self._at

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._at

    def seekable(self) -> bool:
        """Return that it can."""
        return True

    def readable(self) -> bool:
        """Return that it can."""
        return True


def _is_plain_http() -> bool:
    return os.environ.get("AWS_ENDPOINT_URL", "").lower().startswith("http://")


@contextmanager
def _worded(root: str) -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as exc:
        raise LakeError(f"{root}: the object store cannot be read: {words_of(exc)}") from exc
