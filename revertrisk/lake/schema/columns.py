"""The classes that declare tables and columns of the lake, and the columns that several tables share."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Type(StrEnum):
    """A column's type, by its name in SQL."""

    BIGINT = "BIGINT"
    DOUBLE = "DOUBLE"
    BOOLEAN = "BOOLEAN"
    VARCHAR = "VARCHAR"
    TIMESTAMP = "TIMESTAMP WITH TIME ZONE"
    """A point in time, stored in UTC with microseconds."""
    DATE = "DATE"


DELTA_TYPES: Final = {
    Type.BIGINT: "long",
    Type.DOUBLE: "double",
    Type.BOOLEAN: "boolean",
    Type.VARCHAR: "string",
    Type.TIMESTAMP: "timestamp",
    Type.DATE: "date",
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table."""

    name: str
    type: Type
    meaning: str
    """The content and its unit, as a sentence."""
    source: str
    """The path in the event, or how the value is derived."""


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table."""

    name: str
    meaning: str
    """What a row is, as sentences."""
    key: tuple[str, ...]
    """The columns that identify a row."""
    columns: tuple[Column, ...]
    partition: str | None = None
    """The column by which files are partitioned: a day, or the first day of a month."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """The columns whose minimum and maximum are in Delta's log: only ids, times and ``wiki_id``.

        The log stays longer than the rows, so it must have no value that can name a person or a page.
        """
        kept = {Type.BIGINT, Type.TIMESTAMP}
        return tuple(each.name for each in self.columns if each.type in kept or each.name == "wiki_id")


def of_day(source: str) -> Column:
    """Return the column of the day by which files are partitioned; ``source`` is the time that it comes from."""
    return Column("day", Type.DATE, "The day (UTC) by which files are partitioned.", f"{source}, its day")


def of_month(source: str) -> Column:
    """Return the column of the month by which files are partitioned; ``source`` is the time that it comes from."""
    return Column(
        "month",
        Type.DATE,
        "The first day of the month (UTC) by which files are partitioned.",
        f"{source}, its month",
    )


WIKI: Final = Column("wiki_id", Type.VARCHAR, "The wiki's database name, such as `enwiki`.", "wiki_id")
REV: Final = Column("rev_id", Type.BIGINT, "The revision's id, unique within its wiki.", "revision.rev_id")
PAGE: Final = Column("page_id", Type.BIGINT, "The page's id, unique within its wiki.", "page.page_id")
ACTOR: Final = Column(
    "actor_key",
    Type.VARCHAR,
    "Keyed hash (HMAC-SHA-256, hexadecimal) of wiki and user name. Null if the author is hidden, unknown or erased, "
    "and after 90 days.",
    "revision.editor.user_text, or performer.user_text on edit and create, with the lake's key",
)
KIND_OF_USER: Final = Column(
    "user_kind",
    Type.VARCHAR,
    "`registered`, `temporary`, `ip`, or `unknown` if the author is hidden or not in the event.",
    "revision.editor, by revertrisk/wiki/user_kinds.py",
)
