"""The tables of the lake, declared once: the writer, the views' tests and docs/lake.md are made from this.

Every type is one that DuckDB, Spark, Trino and Delta read alike: BIGINT and never UBIGINT (Spark makes it a decimal),
TIMESTAMP WITH TIME ZONE and never a plain TIMESTAMP (Spark makes it one without zone). Columns are only ever added, and
may be null; a change of FORMAT's first number means that an older program must not touch the lake.
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
"""Major and minor version of the tables below; a newer minor one is read, a newer major one refused."""

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
