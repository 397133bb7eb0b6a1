"""Reads JSON files strictly: refuses what parsers read differently. And writes JSON for outputs of any encoding."""

import json
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, Final, TextIO

MAX_FILE_BYTES: Final = 2**24
"""The limit of a file, many times the size of the largest that we read."""


class JsonFileError(Exception):
    """A file cannot be used; the message has the reason, without the name of the file."""


def read_json_file(file: Path | Traversable) -> tuple[Any, bytes]:
    """Return a document and its bytes.

    Raises:
        JsonFileError: the file cannot be read, is too large, is not JSON in UTF-8, is nested too deeply, or has an
            object with the same field twice.

    """
    try:
        with file.open("rb") as opened:
            content: bytes = opened.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise JsonFileError(f"cannot be read ({exc.strerror})") from exc
    if len(content) > MAX_FILE_BYTES:
        raise JsonFileError(f"is larger than {MAX_FILE_BYTES} bytes")
    try:
        return json.loads(content.decode(), object_pairs_hook=_distinct), content
    except RecursionError:
        raise JsonFileError("is nested too deeply") from None
    except ValueError:
        raise JsonFileError("is not JSON in UTF-8") from None


def json_text(document: Any, out: TextIO, *, indent: int | None = None) -> str:
    """Return a document as JSON; if the output's encoding is not UTF-8, all characters beyond ASCII are escaped."""
    is_utf8 = (getattr(out, "encoding", None) or "utf-8").lower().replace("-", "") == "utf8"
    separators = (",", ":") if indent is None else None
    return json.dumps(document, ensure_ascii=not is_utf8, indent=indent, separators=separators)


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise JsonFileError(f"has {twice[:80]!a} twice in one object")
    return found
