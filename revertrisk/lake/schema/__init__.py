"""The tables of the lake. The writer, the tests of the views and docs/lake.md are made from these declarations.

DuckDB, Spark, Trino and Delta read all types in the same way. So whole numbers are BIGINT, not UBIGINT (a decimal in
Spark), and times are TIMESTAMP WITH TIME ZONE, not TIMESTAMP (without a zone in Spark). All columns can be null. A new
minor version of FORMAT adds columns; with another major version, a program must not use the lake.
"""

from typing import Final

from revertrisk.lake.schema.columns import DELTA_TYPES, Column, Table, Type
from revertrisk.lake.schema.edit_tables import PAGE_EVENT, REVERT, REVERTED, REVISION
from revertrisk.lake.schema.prediction_tables import PREDICTION, PREDICTION_BACKFILL, PREDICTION_SHADOW
from revertrisk.lake.schema.support_tables import BOT, ERASURE, PLACE, UNREADABLE

__all__ = [
    "BOT",
    "DELTA_TYPES",
    "ERASURE",
    "FORMAT",
    "PAGE_EVENT",
    "PLACE",
    "PREDICTION",
    "PREDICTION_BACKFILL",
    "PREDICTION_SHADOW",
    "REVERT",
    "REVERTED",
    "REVISION",
    "TABLES",
    "UNREADABLE",
    "Column",
    "Table",
    "Type",
]

FORMAT: Final = "1.0"
"""Major and minor version of the tables. Another minor version is accepted, another major version is refused."""

TABLES: Final = (
    PREDICTION,
    PREDICTION_BACKFILL,
    PREDICTION_SHADOW,
    REVISION,
    REVERT,
    REVERTED,
    PAGE_EVENT,
    BOT,
    ERASURE,
    UNREADABLE,
    PLACE,
)
