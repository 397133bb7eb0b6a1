"""Asks Spark SQL for every table and view of a lake, and writes the answers as JSON; run by a Python that has PySpark.

Standard input holds ``{"tables": [{"name", "root", "files", "columns": {name: type}}], "views": {name: query}}``,
standard output gets ``{name: {"types": {column: type}, "rows": [[value]]}}``.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any


def answers(spark: Any, names: Sequence[str], views: Mapping[str, str]) -> dict[str, Any]:
    """Return types and rows of tables that the session knows, and of views that are made here, in their order."""
    for name, query in views.items():
        spark.sql(query).createOrReplaceTempView(name)
    return {name: _answer(spark.table(name)) for name in (*names, *views)}


def _answer(frame: Any) -> dict[str, Any]:
    rows = (row.values() for row in frame.toArrow().to_pylist())
    return {"types": dict(frame.dtypes), "rows": plain_rows(rows)}


def plain_rows(rows: Any) -> list[list[Any]]:
    """Return rows as JSON has them, in an order of their own: instants in UTC, days as texts."""
    return sorted(([_plain(value) for value in row] for row in rows), key=repr)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def main() -> None:
    """Answer for the Parquet files that standard input names."""
    from pyspark.sql import SparkSession  # noqa: PLC0415 - only a peer's Python has it

    job = json.load(sys.stdin)
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .getOrCreate()
    )
    for table in job["tables"]:
        columns = table["columns"]
        if table["files"]:
            frame = spark.read.option("basePath", table["root"]).parquet(*table["files"])
        else:
            frame = spark.createDataFrame([], ", ".join(f"{name} {of}" for name, of in columns.items()))
        # Spark puts the column that the files are divided by behind the others.
        frame.select(*columns).createOrReplaceTempView(table["name"])
    found = answers(spark, [table["name"] for table in job["tables"]], job["views"])
    json.dump(found, sys.stdout)
    spark.stop()


if __name__ == "__main__":
    main()
