"""The SQL engine: the one door to DuckDB. It parses batches for the writer, and answers readers."""

import logging
import os
import secrets
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import wraps
from importlib.resources import files
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

import duckdb
import orjson

from revertrisk.lake.errors import LakeError, LakeUsageError
from revertrisk.lake.schema import TABLES, Table
from revertrisk.lake.storage import SCHEME, is_remote
from revertrisk.lake.tables import Lake, open_lake

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
"""Each is a query in lake/sql, in the SQL that DuckDB and Spark share; a view may read those before it."""
_OF_THE_QUERY: Final = (
    duckdb.ParserException,
    duckdb.SyntaxException,
    duckdb.BinderException,
    duckdb.CatalogException,
    duckdb.ConversionException,
    duckdb.OutOfRangeException,
    duckdb.NotImplementedException,
)
"""What is wrong with a query; all else is wrong with the files or the machine."""
REOPEN_TRIES: Final = 5
ANSWER: Final = "_answer"


def new_engine(memory_limit: str | None = None) -> Connection:
    """Return an engine of its own, in memory; times are in UTC and nothing is fetched from anywhere."""
    connection = duckdb.connect(":memory:")
    connection.execute("SET TimeZone = 'UTC'")
    with suppress(duckdb.InvalidInputException):  # in Jupyter without ipywidgets it is off, and cannot be set
        connection.execute("SET enable_progress_bar = false")
    # A name in a query is a table's, never a variable's of this program.
    connection.execute("SET python_enable_replacements = false")
    # By default, what does not fit into memory goes to the working directory, under the same names for all engines.
    spill = os.path.join(tempfile.gettempdir(), f"revertrisk-lake-{secrets.token_hex(8)}")  # noqa: PTH118 - a text
    connection.execute(f"SET temp_directory = {quoted(spill)}")
    connection.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
    if memory_limit is not None:
        connection.execute(f"SET memory_limit = '{memory_limit}'")
    return connection


def table_relation(
    connection: Connection, lake: Lake, table: Table, days: Iterable[Any] | None = None
) -> Relation:
    """Return a table's newest version, or those of its partitions that are named; raises LakeError."""
    paths = lake.files(table)
    if days is not None and table.partition is not None:
        wanted = {f"/{table.partition}={day}/" for day in days}
        paths = [path for path in paths if any(part in path for part in wanted)]
    return rows_of_files(connection, lake, table, paths)


def rows_of_files(connection: Connection, lake: Lake, table: Table, paths: list[str]) -> Relation:
    """Return the rows of some data files of a lake's table, with its columns in order."""
    if is_remote(lake.root):
        _let_read(connection, lake.root)
    return files_relation(connection, table, paths, is_older=lake.is_older)


def _let_read(connection: Connection, root: str) -> None:
    """Let the engine read a lake's objects; it has no client of its own for an object store."""
    from revertrisk.lake.object_store import ObjectFiles  # noqa: PLC0415 - a lake in a folder needs none

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
    # Files from before a column was added lack it; to find that out, each file's end is read.
    by_name = ", union_by_name = true" if is_older else ""
    listed = ", ".join(quoted(path) for path in paths)
    columns = ", ".join(table.column_names)
    return connection.sql(f"SELECT {columns} FROM read_parquet([{listed}]{by_name}{hive})")


def quoted(text: str) -> str:
    """Return a text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"


def sql_of(name: str) -> str:
    """Return a query of the folder lake/sql."""
    return files("revertrisk.lake").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@contextmanager
def as_file(content: bytes) -> Iterator[str]:
    """Give bytes a file's name while the context lasts; they are never on a disk where the system can avoid it."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("revertrisk-lake")
    else:
        with tempfile.TemporaryFile(delete=False) as file:
            descriptor = os.dup(file.fileno())
    try:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        yield f"/dev/fd/{descriptor}" if sys.platform != "linux" else f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def make_table(
    connection: Connection, name: str, rows: Iterable[Mapping[str, object]], columns: Mapping[str, str]
) -> Relation:
    """Make a temporary table of rows, in place of one of that name; ``columns`` has the type of each by its name."""
    types = ", ".join(f"{quoted(column)}: {quoted(of)}" for column, of in columns.items())
    with as_file(b"\n".join(map(orjson.dumps, rows)) + b"\n") as path:
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM read_json("
            f"{quoted(path)}, format = 'newline_delimited', columns = {{{types}}})"
        )
    return connection.table(name)


class Reader:
    """Answers queries over a lake; tables and views have their names. Several threads need several readers."""

    def __init__(self, root: str) -> None:
        """Open the newest version of each table.

        Raises:
            LakeConfigurationError: there is no lake, or its format is not known.
            LakeError: it is damaged.

        """
        self._lake = open_lake(root)
        self.connection = new_engine()
        self.refresh()

    def refresh(self) -> None:
        """Go to the newest version of each table; raises LakeError."""
        self._until_files_stay(self._define)

    def query(self, text: str) -> Connection:
        """Answer a query; fetch from what is returned, which is worked out then and needs no file any more.

        A compaction or an erasure may remove a file between the opening of a version and its reading: then the
        query is asked again of the newest version.

        Raises:
            LakeUsageError: the query cannot be understood.
            LakeError: files of the lake are missing or damaged.

        """
        return self._until_files_stay(lambda: self._answer(text))

    def _until_files_stay(self, ask: Callable[[], T]) -> T:
        for left in reversed(range(REOPEN_TRIES)):
            try:
                return ask()
            except duckdb.Error as exc:
                if isinstance(exc, _OF_THE_QUERY):
                    raise LakeUsageError(str(exc)) from exc
                if "No such file" not in str(exc):
                    raise _damaged(self._lake.root, exc) from exc
                if not left:
                    raise LakeError(
                        f"{self._lake.root}: files of the lake are missing: {_first_line(exc)}"
                    ) from exc
                log.warning("a file was removed meanwhile; the lake's newest version is asked")
                with suppress(duckdb.Error):
                    self._define()
        raise AssertionError

    def _define(self) -> None:
        for table in TABLES:
            table_relation(self.connection, self._lake, table).create_view(table.name, replace=True)
        for name in VIEWS:
            self.connection.execute(f"CREATE OR REPLACE VIEW {name} AS {sql_of(name)}")
        # Queries that were written for Wikimedia's cluster find their table under its own name.
        self.connection.execute("CREATE SCHEMA IF NOT EXISTS wmf")
        self.connection.execute("CREATE OR REPLACE VIEW wmf.mediawiki_history AS FROM main.mediawiki_history")

    def _answer(self, text: str) -> Connection:
        self.connection.execute(f"DROP TABLE IF EXISTS {ANSWER}")
        relation = cast("Relation | None", self.connection.sql(text))  # its stub forgets None
        if relation is None:  # a statement that answers nothing
            return self.connection.execute("SELECT 1 AS nothing WHERE false")
        relation.create(ANSWER)
        return self.connection.execute(f"FROM {ANSWER}")

    def close(self) -> None:
        """Let go of the engine."""
        with suppress(duckdb.Error):
            self.connection.close()


def connect(root: str) -> Connection:
    """Return a DuckDB connection with the tables and views of a lake, as they are now; for notebooks.

    Raises:
        LakeConfigurationError: there is no lake, or its format is not known.
        LakeError: it is damaged.

    """
    return Reader(root).connection


@contextmanager
def damage_as_lake_error(root: str) -> Iterator[None]:
    """Turn what the engine says of files that it cannot read into a LakeError; for our own queries."""
    try:
        yield
    except duckdb.Error as exc:
        raise _damaged(root, exc) from exc


def reports_damage(work: Callable[Concatenate[Lake, P], T]) -> Callable[Concatenate[Lake, P], T]:
    """Make a function of a lake raise LakeError where a file of it cannot be read."""

    @wraps(work)
    def telling(lake: Lake, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with damage_as_lake_error(lake.root):
            return work(lake, *args, **kwargs)

    return telling


def _damaged(root: str, error: duckdb.Error) -> LakeError:
    return LakeError(f"{root}: the lake cannot be read: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]
