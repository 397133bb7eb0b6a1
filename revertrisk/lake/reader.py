"""Runs queries on a lake, with its tables and views by their names."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from importlib.resources import files
from typing import Final, TypeVar

from revertrisk.lake.engine import (
    Connection,
    EngineError,
    damage_error,
    first_line,
    is_missing_file,
    is_query_error,
    new_engine,
    table_relation,
)
from revertrisk.lake.errors import LakeError, LakeUsageError
from revertrisk.lake.open_or_create import open_lake
from revertrisk.lake.schema import TABLES

log = logging.getLogger(__name__)

T = TypeVar("T")

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
REOPEN_TRIES: Final = 5
ANSWER: Final = "internal.answer"
"""The table with the result of the last query, in a schema of its own, so that SHOW TABLES does not list it."""
_QUERIES: Final = frozenset({"SELECT", "EXPLAIN", "MULTI"})
"""Types of statements that only return rows. DuckDB counts FROM, SHOW and DESCRIBE as SELECT, and PIVOT as MULTI."""


class Reader:
    """Runs queries on a lake, with its tables and views. Each thread needs its own reader."""

    def __init__(self, root: str) -> None:
        """Open the newest version of each table.

        Raises:
            LakeConfigurationError: there is no lake, or its format is not supported.
            LakeError: it is damage_error.

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
            LakeError: files of the lake are missing or damage_error.

        """
        return self._with_reopening(lambda: self._run(text))

    def _with_reopening(self, call: Callable[[], T]) -> T:
        for left in reversed(range(REOPEN_TRIES)):
            try:
                return call()
            except EngineError as exc:
                if is_query_error(exc, self._lake.root):
                    raise LakeUsageError(str(exc)) from exc
                if not is_missing_file(exc):
                    raise damage_error(self._lake.root, exc) from exc
                if not left:
                    raise LakeError(
                        f"{self._lake.root}: files of the lake are missing: {first_line(exc)}"
                    ) from exc
                log.warning(
                    "a file was removed during the query; it is run again on the lake's newest version"
                )
                with suppress(EngineError):
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
        _interruptible(self.connection, lambda: self.connection.sql(text).create(ANSWER))
        return self.connection.execute(f"FROM {ANSWER}")

    def _require_one_query(self, text: str) -> None:
        """Raise LakeUsageError if the text is not exactly one query; EngineError if it cannot be parsed."""
        kinds = [statement.type.name for statement in self.connection.extract_statements(text)]
        if not kinds:
            raise LakeUsageError("the query is empty")
        if len(kinds) > 1 or kinds[0] not in _QUERIES:
            found = f"{len(kinds)} statements" if len(kinds) > 1 else kinds[0]
            raise LakeUsageError(f"expected one query, such as SELECT, SHOW TABLES or DESCRIBE, not {found}")

    def close(self) -> None:
        """Close the engine."""
        with suppress(EngineError):
            self.connection.close()


def _interruptible(connection: Connection, call: Callable[[], None]) -> None:
    """Make a call of the engine that Ctrl-C ends; in the main thread the engine would first run to its end."""
    with ThreadPoolExecutor(1) as thread:
        called = thread.submit(call)
        try:
            called.result()
        except KeyboardInterrupt:
            while not called.done():  # before the query has begun, an interruption has no effect
                connection.interrupt()
                wait([called], timeout=0.1)
            raise


def connect(root: str) -> Connection:
    """Return a DuckDB connection with the tables and views of a lake at their newest version; for notebooks.

    Raises:
        LakeConfigurationError: there is no lake, or its format is not supported.
        LakeError: it is damage_error.

    """
    return Reader(root).connection


def view_query(name: str) -> str:
    """Return the query of a view, from the folder lake/sql."""
    return files("revertrisk.lake").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
