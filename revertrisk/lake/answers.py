"""Runs a query on a lake and writes the result as a table for people, CSV, JSON or Parquet."""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from rich.console import Console
from rich.table import Table

from revertrisk.lake.engine import Connection, quoted
from revertrisk.lake.reader import ANSWER, Reader
from revertrisk.runtime.instants import iso_z

_NUMBERS: Final = (int, float, Decimal)
_UNCHANGED: Final = frozenset({type(None), bool, int, float, str})
_ROWS_PER_FETCH: Final = 10_000
_ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) != "\n"}
"""Control characters, which a title can have and a terminal would obey; a table shows their codes."""
_MAX_SHOWN: Final = 1000
"""The most rows of a table for people; the other formats write all rows."""


def answer(root: str, query: str, output_format: str, out: BinaryIO) -> None:
    """Run a query on the lake at ``root`` and write the result to ``out``.

    ``output_format`` is ``table``, ``csv``, ``json`` or ``parquet``.

    Raises:
        LakeError: there is no lake, it is damaged, or the text is not exactly one valid query.

    """
    with closing(Reader(root)) as reader:
        if output_format == "parquet":
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "answer.parquet")
                reader.query(query)
                reader.connection.execute(f"COPY {ANSWER} TO {quoted(str(path))} (FORMAT parquet)")
                out.write(path.read_bytes())
            return
        cursor = reader.query(query)
        names = [column[0] for column in cursor.description or ()]
        if output_format == "csv":
            _write_csv(names, cursor, out)
        elif output_format == "json":
            _write_json(names, cursor, out)
        else:
            _write_table(names, cursor, out)
        out.flush()


def _rows(cursor: Connection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_ROWS_PER_FETCH):
        yield from rows


def _write_csv(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_as_cell(value) for value in row] for row in _rows(cursor))
    text.detach()


def _write_json(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    separator = b"[\n"
    for row in _rows(cursor):
        fields = {name: _as_written(value) for name, value in zip(names, row, strict=True)}
        out.write(separator + _as_json(fields))
        separator = b",\n"
    out.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _as_json(value: Any) -> bytes:
    try:
        return orjson.dumps(value, default=str)
    except TypeError:  # an integer of more than 64 bits, or a map whose keys are not text
        return orjson.dumps(_with_exact_integers(value), default=str)


def _with_exact_integers(value: Any) -> Any:
    """Return a value with each integer as JSON digits, whatever its size, and each key as text."""
    if isinstance(value, dict):
        return {str(key): _with_exact_integers(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_with_exact_integers(each) for each in value]
    return orjson.Fragment(str(value)) if type(value) is int else value


def _write_table(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    table = Table()
    rows = cursor.fetchmany(_MAX_SHOWN + 1)
    for place, name in enumerate(names):
        is_number = any(isinstance(row[place], _NUMBERS) for row in rows)
        table.add_column(name.translate(_ESCAPES), justify="right" if is_number else "left")
    for row in rows[:_MAX_SHOWN]:
        cells = ("" if value is None else str(_as_cell(value)) for value in row)
        table.add_row(*(cell.translate(_ESCAPES) for cell in cells))
    text = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    console = Console(file=text, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
    if len(rows) > _MAX_SHOWN:
        console.print(f"The first {_MAX_SHOWN:,} rows; --format csv writes all.")
    text.detach()


def _as_written(value: Any) -> Any:
    """Return a value as the text formats write it, at any depth."""
    if type(value) in _UNCHANGED:
        return value
    match value:
        case list() | tuple():
            return [_as_written(each) for each in value]
        case dict():
            return {_as_written(key): _as_written(each) for key, each in value.items()}
    return _scalar(value)


def _scalar(value: Any) -> Any:
    """Return a time with a zone in UTC with a Z, one without a zone unchanged, and bytes as the engine reads them."""
    match value:
        case datetime():
            return iso_z(value) if value.tzinfo is not None else value.isoformat(timespec="milliseconds")
        case time():
            return value.isoformat()
        case bytes():
            return "".join(f"\\x{byte:02X}" for byte in value)
    return value


def _as_cell(value: Any) -> Any:
    """Return a value as CSV and the table have it: JSON for a list or a structure, with null for NaN."""
    if type(value) in _UNCHANGED:  # most are; it saves a quarter of the time for CSV
        return value
    written = _as_written(value)
    return _as_json(written).decode() if isinstance(written, list | dict) else written
