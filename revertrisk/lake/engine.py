"""The SQL engine: parses batches for the writer, runs queries for readers. No other module imports DuckDB."""

import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from functools import wraps
from importlib.resources import files
from typing import Concatenate, Final, ParamSpec, TypeVar

import duckdb

from revertrisk.lake.errors import LakeError, LakeUsageError
from revertrisk.lake.open_or_create import open_lake
from revertrisk.lake.schema import TABLES, Table
from revertrisk.lake.storage import SCHEME, is_remote
from revertrisk.lake.tables import Lake

log = logging.getLogger(__name__)

T = TypeVar("T")
P = ParamSpec("P")

Connection = duckdb.DuckDBPyConnection
Relation = duckdb.DuckDBPyRelation

VIEWS: Final = (
    "prediction_current",
    "both_models",
    "outcome",
    "page",
    "page_current",
    "coverage",
    "mediawiki_history",
    "bot_day",
)
"""Each is a query in lake/sql, in SQL that DuckDB and Spark both accept. A view can read the views before it."""
_QUERY_ERRORS: Final = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.NotImplementedException,
)
"""Errors in the query itself; all others are errors of the files or the machine."""
REOPEN_TRIES: Final = 5
_WRITE_BYTES: Final = 256 * 1024
"""The buffer for writing a file: small parts are written together."""
ANSWER: Final = "internal.answer"
"""The table with the result of the last query, in a schema of its own, so that SHOW TABLES does not list it."""
_QUERIES: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""Types of statements that only return rows. DuckDB counts FROM, SHOW and DESCRIBE as SELECT, and PIVOT as MULTI."""


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


def view_query(name: str) -> str:
    """Return the query of a view, from the folder lake/sql."""
    return files("revertrisk.lake").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


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


class Reader:
    """Runs queries on a lake, with its tables and views. Each thread needs its own reader."""

    def __init__(self, root: str) -> None:
        """Open the newest version of each table.

        Raises:
            LakeConfigurationError: there is no lake, or its format is not supported.
            LakeError: it is damaged.

        """
        self._lake = open_lake(root)
        self.connection = new_engine()
        self.connection.execute("CREATE SCHEMA internal")
        self.refresh()

    def refresh(self) -> None:
        """Open the newest version of each table; raises LakeError."""
        self._with_reopening(self._define_views)

    def query(self, text: str) -> Connection:
        """Run a query to its end and return a cursor over the result, which needs no file of the lake any more.

        A compaction or an erasure can remove a file after its version was opened and before it was read. Then the query
        is run again on the newest version.

        Raises:
            LakeUsageError: the query is invalid, or the text is not exactly one query.
            LakeError: files of the lake are missing or damaged.

        """
        return self._with_reopening(lambda: self._run(text))

    def _with_reopening(self, call: Callable[[], T]) -> T:
        for left in reversed(range(REOPEN_TRIES)):
            try:
                return call()
            except duckdb.Error as exc:
                if isinstance(exc, _QUERY_ERRORS):
                    raise LakeUsageError(str(exc)) from exc
                if "No such file" not in str(exc):
                    raise _damaged(self._lake.root, exc) from exc
                if not left:
                    raise LakeError(
                        f"{self._lake.root}: files of the lake are missing: {_first_line(exc)}"
                    ) from exc
                log.warning(
                    "a file was removed during the query; it is run again on the lake's newest version"
                )
                with suppress(duckdb.Error):
                    self._define_views()
        raise AssertionError

    def _define_views(self) -> None:
        for table in TABLES:
            table_relation(self.connection, self._lake, table).create_view(table.name, replace=True)
        for name in VIEWS:
            self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {view_query(name)}")
        # So that queries written for Wikimedia's cluster run unchanged.
        self.connection.execute("CREATE SCHEMA IF NOT EXISTS wmf")
        self.connection.execute("CREATE OR REPLACE VIEW wmf.mediawiki_history AS FROM main.mediawiki_history")

    def _run(self, text: str) -> Connection:
        self._require_one_query(text)
        self.connection.execute(f"DROP TABLE IF EXISTS {ANSWER}")
        self.connection.sql(text).create(ANSWER)
        return self.connection.execute(f"FROM {ANSWER}")

    def _require_one_query(self, text: str) -> None:
        """Raise LakeUsageError if the text is not exactly one query; duckdb.Error if it cannot be parsed."""
        kinds = [statement.type.name for statement in self.connection.extract_statements(text)]
        if not kinds:
            raise LakeUsageError("the query is empty")
        if len(kinds) > 1 or kinds[0] not in _QUERIES:
            found = f"{len(kinds)} statements" if len(kinds) > 1 else kinds[0]
            raise LakeUsageError(f"expected one query, such as SELECT, SHOW TABLES or DESCRIBE, not {found}")

    def close(self) -> None:
        """Close the engine."""
        with suppress(duckdb.Error):
            self.connection.close()


def connect(root: str) -> Connection:
    """Return a DuckDB connection with the tables and views of a lake at their newest version; for notebooks.

    Raises:
        LakeConfigurationError: there is no lake, or its format is not supported.
        LakeError: it is damaged.

    """
    return Reader(root).connection


@contextmanager
def damage_as_lake_error(root: str) -> Iterator[None]:
    """Turn the engine's errors about files into a LakeError; only for queries of this program."""
    try:
        yield
    except duckdb.Error as exc:
        raise _damaged(root, exc) from exc


def reports_damage(function: Callable[Concatenate[Lake, P], T]) -> Callable[Concatenate[Lake, P], T]:
    """Decorate a function whose first argument is a lake: it raises LakeError if a file cannot be read."""

    @wraps(function)
    def wrapper(lake: Lake, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with damage_as_lake_error(lake.root):
            return function(lake, *args, **kwargs)

    return wrapper


def _damaged(root: str, error: duckdb.Error) -> LakeError:
    return LakeError(f"{root}: the lake cannot be read: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
