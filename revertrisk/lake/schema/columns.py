"""What a table and a column of the lake are declared as, and the columns that several tables have."""

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
    """An instant, kept in UTC with microseconds."""
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
    """One column: what it holds, in which unit, and where it comes from."""

    name: str
    type: Type
    meaning: str
    source: str
    """A path in an event, or how it is derived."""


@dataclass(frozen=True, slots=True)
class Table:
    """One Delta table."""

    name: str
    meaning: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition: str | None = None
    """The column that the files are divided by: a day, or the first day of a month."""

    @property
    def column_names(self) -> tuple[str, ...]:
        """The names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def statistics_columns(self) -> tuple[str, ...]:
        """Columns whose least and greatest values stand in Delta's log: ids and times only.

        The log outlives the rows, so nothing that can name a person or a page may be in it.
        """
        kept = {Type.BIGINT, Type.TIMESTAMP}
        return tuple(each.name for each in self.columns if each.type in kept or each.name == "wiki_id")


def of_day(source: str) -> Column:
    """Return the column of the day by which files are partitioned; ``source`` is the time that it comes from."""
    return Column("day", Type.DATE, "The day (UTC) by which the files are divided.", f"{source}, its day")


def of_month(source: str) -> Column:
    """Return the column of the month by which files are partitioned; ``source`` is the time that it comes from."""
    return Column(
        "month",
        Type.DATE,
        "The first day of the month (UTC) by which the files are divided.",
        f"{source}, its month",
    )


WIKI: Final = Column("wiki_id", Type.VARCHAR, "The wiki's database name, such as `enwiki`.", "wiki_id")
REV: Final = Column("rev_id", Type.BIGINT, "The revision's id, unique within its wiki.", "revision.rev_id")
PAGE: Final = Column("page_id", Type.BIGINT, "The page's id, unique within its wiki.", "page.page_id")
ACTOR: Final = Column(
    "actor_key",
    Type.VARCHAR,
    "HMAC-SHA-256 of wiki and user name, in hexadecimal; null where the author is hidden, unknown or erased, and after "
    "90 days.",
    "revision.editor.user_text (on edit and create else performer.user_text), with the lake's key",
)
KIND_OF_USER: Final = Column(
    "user_kind",
    Type.VARCHAR,
    "`registered`, `temporary`, `ip` or `unknown` (hidden, or not told).",
    "revision.editor, by the one rule of the project",
)
