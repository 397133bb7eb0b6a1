"""Other engines read the same files: Spark SQL over the Delta tables, by Sail, answers as DuckDB does."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revertrisk.lake.schema import TABLES
from tests.fakes.lake_views import QUERIES, disagreements, duckdb_answers, varied_lake
from tests.peers.spark_answers import answers


@pytest.fixture
def spark() -> Iterator[Any]:
    """Start Sail on a free port of this machine, and a session of Spark Connect with it."""
    from pysail.spark import SparkConnectServer  # noqa: PLC0415 - half a second each
    from pyspark.sql import SparkSession  # noqa: PLC0415

    server = SparkConnectServer("127.0.0.1", 0)
    server.start()
    host, port = server.listening_address
    session = SparkSession.builder.remote(f"sc://{host}:{port}").getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    yield session
    session.stop()
    server.stop()


@pytest.mark.ci("Spark SQL")
def test_spark_sql_answers_as_duckdb_does(spark: Any, tmp_path: Path) -> None:
    """Each table and view has the same rows in both, and types that both know: BIGINT, and TIMESTAMP with a zone."""
    lake = varied_lake(tmp_path)
    for table in TABLES:
        frame = spark.read.format("delta").load(f"{lake.root}/{table.name}")
        frame.createOrReplaceTempView(table.name)
    ours = duckdb_answers(lake.root)
    assert all(ours[name]["rows"] for name in ours)
    assert disagreements(ours, answers(spark, [table.name for table in TABLES], QUERIES)) == []
