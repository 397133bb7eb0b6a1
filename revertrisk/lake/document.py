"""The description of the tables for people: the part of docs/lake.md that is made from the schema."""

from collections.abc import Iterator

from revertrisk.lake.schema import TABLES, Table


def tables_as_markdown() -> str:
    """Return a section for each table: what it holds, its key, and each column's type, meaning and source."""
    return "\n".join(line for table in TABLES for line in _section(table))


def _section(table: Table) -> Iterator[str]:
    yield f"### {table.name}\n"
    divided = f" Files are divided by `{table.partition}`." if table.partition else ""
    yield f"{table.meaning} Key: {', '.join(f'`{name}`' for name in table.key)}.{divided}\n"
    yield "| column | type | meaning | source |"
    yield "| --- | --- | --- | --- |"
    for column in table.columns:
        of = "TIMESTAMP" if column.type.startswith("TIMESTAMP") else column.type.value
        yield f"| `{column.name}` | {of} | {column.meaning} | {column.source} |"
    yield ""
