"""Writes the answer to a query as a table for people, CSV, JSON or Parquet."""

import csv
import io
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, Final

import orjson
from rich.console import Console
from rich.table import Table

from revertrisk.lake.engine import ANSWER, Connection, Reader, quoted
from revertrisk.lake.errors import LakeUsageError
from revertrisk.runtime.instants import iso_z

_NUMBERS: Final = (int, float, Decimal)
_AT_ONCE: Final = 10_000
_SHOWN: Final = 1000
"""Rows of a table for people; the other formats write all."""


def answer(root: str, query: str, output_format: str, out: BinaryIO) -> None:
    """Ask a lake and write the answer.

    Raises:
        LakeError: there is no lake, it is damaged, or the query cannot be understood.

    """
    if not query.strip():
        raise LakeUsageError("the query is empty")
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
    while rows := cursor.fetchmany(_AT_ONCE):
        yield from rows


def _write_csv(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    text = io.TextIOWrapper(out, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_plain(value) for value in row] for row in _rows(cursor))
    text.detach()


def _write_json(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    separator = b"[\n"
    for row in _rows(cursor):
        fields = {name: _plain(value) for name, value in zip(names, row, strict=True)}
        try:
            line = orjson.dumps(fields, default=str)
        except TypeError:  # an integer of more than 64 bits, or a map by something else than texts
            line = orjson.dumps(_spelled_out(fields), default=str)
        out.write(separator + line)
        separator = b",\n"
    out.write(b"[]\n" if separator == b"[\n" else b"\n]\n")


def _spelled_out(value: Any) -> Any:
    """Return a value with each integer in its digits, whatever its size, and each key as text."""
    if isinstance(value, dict):
        return {str(key): _spelled_out(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled_out(each) for each in value]
    return orjson.Fragment(str(value)) if type(value) is int else value


def _write_table(names: list[str], cursor: Connection, out: BinaryIO) -> None:
    table = Table()
    rows = cursor.fetchmany(_SHOWN + 1)
    for place, name in enumerate(names):
        is_number = any(isinstance(row[place], _NUMBERS) for row in rows)
        table.add_column(name, justify="right" if is_number else "left")
    for row in rows[:_SHOWN]:
        table.add_row(*("" if value is None else str(_plain(value)) for value in row))
    text = io.TextIOWrapper(out, encoding="utf-8", write_through=True)
    console = Console(file=text, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    console.print(table)
    if len(rows) > _SHOWN:
        console.print(f"The first {_SHOWN:,} rows; --format csv writes all.")
    text.detach()


def _plain(value: Any) -> Any:
    """Return a value as each text format writes it: instants in UTC with a Z, a time without zone as it is."""
    if isinstance(value, datetime):
        return iso_z(value) if value.tzinfo is not None else value.isoformat(timespec="milliseconds")
    return value
