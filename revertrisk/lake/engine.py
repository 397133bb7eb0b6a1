"""The SQL engine: parses batches for the writer, runs queries for readers. No other module imports DuckDB."""

import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import wraps
from typing import Concatenate, Final, ParamSpec, TypeVar

import duckdb

from revertrisk.lake.errors import LakeError
from revertrisk.lake.schema import Table
from revertrisk.lake.storage import SCHEME, is_remote
from revertrisk.lake.tables import Lake

T = TypeVar("T")
P = ParamSpec("P")

Connection = duckdb.DuckDBPyConnection
Relation = duckdb.DuckDBPyRelation
EngineError = duckdb.Error

_QUERY_ERRORS: Final = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.NotImplementedException,
)
"""Errors in the query itself; most others are errors of the files or the machine."""
_REMOVED: Final = ("No such file", "No files found")
"""What the engine says of a removed file when it reads it, and when it opens it."""
_WRITE_BYTES: Final = 256 * 1024
"""The buffer for writing a file: small parts are written together."""


def new_engine(memory_limit: str | None = None, *, threads: int | None = None) -> Connection:
    """Return a new engine in memory, with times in UTC; it never downloads extensions.

    By default it has a thread for each core.
    """
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # Jupyter without ipywidgets: it is off and cannot be set
        connection.execute("SET enable_progress_bar = false")
    # A name in a query always means a table, never a Python variable.
    connection.execute("SET python_enable_replacements = false")
    # By default all engines write what does not fit into memory to the same files in the working directory.
    spill = os.path.join(tempfile.gettempdir(), f"revertrisk-lake-{secrets.token_hex(8)}")  # noqa: PTH118 - SQL needs text
    connection.execute(f"SET temp_directory = {quoted(spill)}")
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    if memory_limit is not None:
        connection.execute(f"SET memory_limit = '{memory_limit}'")
    if threads is not None:
        connection.execute(f"SET threads = {threads}")
    return connection


def table_relation(
    connection: Connection, lake: Lake, table: Table, days: Iterable[date] | None = None
) -> Relation:
    """Return the rows of a table's newest version, or only of the partitions ``days``; raises LakeError."""
    return rows_of_files(connection, lake, table, lake.files(table, days))


def rows_of_files(connection: Connection, lake: Lake, table: Table, paths: list[str]) -> Relation:
    """Return the rows of some data files of a lake's table, with its columns in order."""
    if is_remote(lake.root):
        _register_objects(connection, lake.root)
    return files_relation(connection, table, paths, is_older=lake.is_older)


def _register_objects(connection: Connection, root: str) -> None:
    """Let the engine read objects of a lake in an object store; it has no client for one."""
    from revertrisk.lake.object_store import ObjectFiles  # noqa: PLC0415 - only for object stores

    if not connection.filesystem_is_registered(SCHEME.partition(":")[0]):
        connection.register_filesystem(ObjectFiles(root))


def files_relation(connection: Connection, table: Table, paths: list[str], *, is_older: bool) -> Relation:
    """Return the rows of some data files of a table, with its columns in order."""
    if not paths:
        nothing = ", ".join(f"NULL::{each.type} AS {each.name}" for each in table.columns)
        return connection.sql(f"SELECT {nothing} WHERE false")
    hive = (
        ""
        if table.partition is None
        else f", hive_partitioning = true, hive_types = {{'{table.partition}': DATE}}"
    )
    # Files written before a column was added lack it. With union_by_name the engine reads the footer of every file.
    by_name = ", union_by_name = true" if is_older else ""
    listed = ", ".join(quoted(path) for path in paths)
    columns = ", ".join(table.column_names)
    return connection.sql(f"SELECT {columns} FROM read_parquet([{listed}]{by_name}{hive})")


def quoted(text: str) -> str:
    """Return a text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


@contextmanager
def as_file(parts: Iterable[bytes]) -> Iterator[str]:
    """Yield the name of a file with these parts, for the length of the context; on Linux it is only in memory."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("revertrisk-lake")
    else:
        with tempfile.TemporaryFile(delete=False) as file:
            descriptor = os.dup(file.fileno())
    try:
        with open(descriptor, "wb", buffering=_WRITE_BYTES, closefd=False) as file:
            file.writelines(parts)
        yield f"/dev/fd/{descriptor}" if sys.platform != "linux" else f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def make_table(
    connection: Connection, name: str, rows: Iterable[Mapping[str, object]], columns: Mapping[str, str]
) -> Relation:
    """Create or replace a temporary table with these rows; ``columns`` has the SQL type of each column by name."""
    kept = list(rows)
    return make_table_from_columns(
        connection, name, {column: [row[column] for row in kept] for column in columns}, columns
    )


def make_table_from_columns(
    connection: Connection, name: str, values: Mapping[str, Sequence[object]], columns: Mapping[str, str]
) -> Relation:
    """Create or replace a temporary table with these values of each column; ``columns`` has their SQL types."""
    selected = ", ".join(
        f'unnest(${number}::{of}[]) AS "{column}"' for number, (column, of) in enumerate(columns.items(), 1)
    )
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT {selected}", [values[column] for column in columns]
    )
    return connection.table(name)


@contextmanager
def damage_as_lake_error(root: str) -> Iterator[None]:
    """Turn the engine's errors about files into a LakeError; only for queries of this program."""
    try:
        yield
    except duckdb.Error as exc:
        raise damage_error(root, exc) from exc


def reports_damage(function: Callable[Concatenate[Lake, P], T]) -> Callable[Concatenate[Lake, P], T]:
    """Decorate a function whose first argument is a lake: it raises LakeError if a file cannot be read."""

    @wraps(function)
    def wrapper(lake: Lake, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with damage_as_lake_error(lake.root):
            return function(lake, *args, **kwargs)

    return wrapper


def is_query_error(error: duckdb.Error, root: str) -> bool:
    """Return whether an error is one of the query: otherwise the engine names a damaged or removed file of the lake."""
    if isinstance(error, _QUERY_ERRORS):
        return True
    # An invalid pattern is invalid input, and so is a damaged file. A query can read files of its own.
    may_be = isinstance(error, duckdb.InvalidInputException) or (
        is_missing_file(error) and not is_remote(root)
    )
    return may_be and f"{root}/" not in str(error)


def is_missing_file(error: duckdb.Error) -> bool:
    """Return whether a file was removed before it was opened or read."""
    return any(words in str(error) for words in _REMOVED)


def damage_error(root: str, error: duckdb.Error) -> LakeError:
    """Return the error to raise for one of the files."""
    return LakeError(f"{root}: the lake cannot be read: {first_line(error)}")


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text; the others show where in the query it is."""
    return str(error).partition("\n")[0]
